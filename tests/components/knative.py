"""Knative's own queue-proxy in front of an application: concurrency limit, time-outs, probes, drain."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import urllib3

from tests.components.errors import ComponentError
from tests.components.http import HttpError, request_json
from tests.components.install import HERE, GoModule, require
from tests.components.process import LOOPBACK, Server, free_ports

QUEUE_PROXY = GoModule("knative", HERE / "go" / "queue-proxy", {"queue-proxy": "knative.dev/serving/cmd/queue"})

# Knative's admission webhooks and Broker filter as a command: go/knative-check/main.go.
KNATIVE_CHECK = GoModule("knative-check", HERE / "go" / "knative-check", {"knative-check": "."})

# Fixed by Knative (networking.BackendHTTPPort, .QueueAdminPort); 8080 is the port our containers serve.
_QUEUE_PORT, _QUEUE_TLS_PORT, _ADMIN_PORT, _USER_PORT = 8012, 8112, 8022, 8080


@dataclass(frozen=True, slots=True)
class QueueProxyEndpoint:
    """`url` is what Knative's ingress would call, `admin_url` what the kubelet's preStop hook calls."""

    url: str
    admin_url: str


class QueueProxyServer(Server[QueueProxyEndpoint]):
    """queue-proxy in front of an application on a loopback port, which may start later.

    It binds every address of its machine, so it runs in a network namespace of its own (which needs root) that has
    no way out but the relays: endpoint.url -> queue-proxy -> application. `stop` does not wait for its drain of 30 s;
    a test of the drain sends SIGTERM with `terminate`.
    """

    name = "queue-proxy"

    def __init__(
        self,
        app_port: int,
        folder: Path | None = None,
        *,
        container_concurrency: int = 0,
        timeout_seconds: int = 300,
        readiness_path: str = "/",
    ) -> None:
        super().__init__(folder)
        self._app_port = app_port
        self._readiness_path = readiness_path
        self._limits = {
            "CONTAINER_CONCURRENCY": str(container_concurrency),
            "REVISION_TIMEOUT_SECONDS": str(timeout_seconds),
        }

    def install(self) -> None:
        if os.geteuid() != 0:
            raise ComponentError(f"{self.name}: needs root, to give it a network namespace of its own")
        self._program = QUEUE_PROXY.install() / "queue-proxy"
        require("ip", "iproute2 (Debian: iproute2)")

    def prepare(self) -> QueueProxyEndpoint:
        self._port, self._admin_port = free_ports(2)
        return QueueProxyEndpoint(f"http://{LOOPBACK}:{self._port}", f"http://{LOOPBACK}:{self._admin_port}")

    def launch(self) -> None:
        # Paths relative to the working folder, because a Unix socket's path has at most 107 bytes (unix(7)).
        app, queue, admin = "app.sock", "queue.sock", "admin.sock"
        relay = [sys.executable, "-m", "tests.components.relay"]
        here = {"PYTHONPATH": str(HERE.parents[1])}
        inside_pairs = [f"{_USER_PORT}={app}", f"{queue}={_QUEUE_PORT}", f"{admin}={_ADMIN_PORT}"]
        namespace = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        inside = self.run("relay-inside", [*namespace, *relay, *inside_pairs], here)
        outside_pairs = [f"{app}={self._app_port}", f"{self._port}={queue}", f"{self._admin_port}={admin}"]
        self.run("relay-outside", [*relay, *outside_pairs], here)
        self.wait_until(lambda: self._relays_are_up(app, queue, admin), "relaying")
        enter = ["nsenter", f"--net=/proc/{inside.pid}/ns/net", "--"]
        self._queue_proxy = self.run("queue-proxy", [*enter, self._program], self._environment())

    def is_ready(self) -> bool:
        """Tell whether queue-proxy answers; the application behind it may not yet."""
        return self._probe({}) == 400  # what a kubelet gets that does not say whom it means

    def app_is_ready(self) -> bool:
        """Tell what Knative's readiness probe says of queue-proxy and application together."""
        return self._probe({"K-Network-Probe": "queue"}) == 200

    def terminate(self) -> None:
        """Send SIGTERM to queue-proxy, as the kubelet does; it goes on serving until its drain of 30 s is over."""
        self._queue_proxy.signal(signal.SIGTERM)

    def _probe(self, headers: dict[str, str]) -> int | None:
        """The status of a kubelet's probe, or None without an answer."""
        if not self.listens_on(self._port):
            return None
        try:
            request_json("GET", self.endpoint.url, headers={"User-Agent": "kube-probe/1.35", **headers})
        except HttpError as error:
            return error.status
        except urllib3.exceptions.HTTPError:  # the relay hangs up while queue-proxy does not listen yet
            return None
        return 200

    def _relays_are_up(self, *sockets: str) -> bool:
        return self.listens_on(self._admin_port) and all((self.folder / each).exists() for each in sockets)

    def _stop_children(self) -> None:
        self.kill()  # SIGTERM would mean 30 s of drain

    def _environment(self) -> dict[str, str]:
        """What Knative's controller gives it (pkg/queue/sharedmain: type config)."""
        # With the scheme that the API server would have filled in, and over HTTP: the relay accepts any connection.
        get = {"scheme": "HTTP", "host": LOOPBACK, "port": _USER_PORT, "path": self._readiness_path}
        return {
            **self._limits,
            "QUEUE_SERVING_PORT": str(_QUEUE_PORT),
            "QUEUE_SERVING_TLS_PORT": str(_QUEUE_TLS_PORT),
            "USER_PORT": str(_USER_PORT),
            "SERVING_READINESS_PROBE": json.dumps({"httpGet": get}),
            "SERVING_LOGGING_CONFIG": "",
            "SERVING_LOGGING_LEVEL": "info",
            "SERVING_NAMESPACE": "default",
            "SERVING_CONFIGURATION": "app",
            "SERVING_REVISION": "app-00001",
            "SERVING_POD": "app-00001-deployment-1",
            "SERVING_POD_IP": LOOPBACK,
        }
