import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Runs one OpenSearch node in this process until it is told to stop: HTTP port, transport port, folder. */
public final class Launcher {
    public static void main(String[] arguments) throws Exception {
        OpenSearchRunner runner = new OpenSearchRunner();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                runner.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        runner.onBuild((number, settings) -> {
            settings.put("network.host", "127.0.0.1");
            settings.put("http.port", arguments[0]);
            settings.put("transport.port", arguments[1]);
            // A developer's nearly full disk must not turn the tests' indices read-only.
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
        });
        runner.build(OpenSearchRunner.newConfigs().basePath(arguments[2]).clusterName("penstock-tests")
                .numOfNode(1).useLogger());
        Thread.currentThread().join();
    }
}
