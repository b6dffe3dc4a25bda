import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.opensearch.Version;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;
import org.opensearch.security.OpenSearchSecurityPlugin;

/** Runs one OpenSearch node with its security plugin: HTTP port, transport port, home folder, configuration folder. */
public final class SecureLauncher {
    private static final class SecuredNode extends Node {
        SecuredNode(Environment environment, List<PluginInfo> plugins) {
            super(environment, plugins, false);
        }
    }

    private static PluginInfo onClasspath(Class<?> plugin) {
        String name = plugin.getName();
        return new PluginInfo(name, "", "", Version.CURRENT, "21", name, null, List.of(), false);
    }

    public static void main(String[] arguments) throws Exception {
        Settings overrides = Settings.builder()
                .put("path.home", arguments[2])
                .put("http.port", arguments[0])
                .put("transport.port", arguments[1])
                .put("cluster.routing.allocation.disk.threshold_enabled", false)
                .build();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(
                overrides, Map.of(), Path.of(arguments[3]), () -> "penstock-tests");
        List<PluginInfo> plugins = Stream.of(OpenSearchSecurityPlugin.class, CommonAnalysisModulePlugin.class)
                .map(SecureLauncher::onClasspath).toList();
        Node node = new SecuredNode(environment, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        node.start();
        Thread.currentThread().join();
    }
}
