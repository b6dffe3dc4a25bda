"""KEDA's operator and its metrics server, built from its Go module, beside an API server of the tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from tests.components.certificates import make_certificates
from tests.components.errors import ComponentError
from tests.components.http import HttpError
from tests.components.install import HERE, GoModule, require
from tests.components.kubernetes import KubernetesEndpoint
from tests.components.process import LOOPBACK, Server, free_ports

_VERSION = "2.21.0"  # of github.com/kedacore/keda/v2 in go/keda/go.mod
KEDA = GoModule(
    "keda",
    HERE / "go" / "keda",
    {
        "keda-operator": "github.com/kedacore/keda/v2/cmd/operator",
        "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
    },
    linker_flags=f"-s -w -X github.com/kedacore/keda/v2/version.Version={_VERSION}",
)

_NAMESPACE = "keda"
_METRICS = "/apis/external.metrics.k8s.io/v1beta1"
# In a network namespace of its own; these two are there for the adapter alone.
_ADAPTER_PORT, _ADAPTER_METRICS_PORT = 6443, 8080


@dataclass(frozen=True, slots=True)
class KedaEndpoint:
    """`health_url` is the operator's; what the metrics server says is asked of the API server."""

    health_url: str


class KedaServer(Server[KedaEndpoint]):
    """Operator and metrics server for an API server in which KEDA's kinds are defined.

    The metrics server binds every address of its machine, so it runs in a network namespace of its own (which needs
    root) that has no way out but the relays. The API server reaches it as `localhost`, by a Service without pods.
    """

    name = "keda"

    def __init__(self, cluster: KubernetesEndpoint, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._cluster = cluster

    def install(self) -> None:
        if os.geteuid() != 0:
            raise ComponentError(f"{self.name}: needs root, to give its metrics server a network namespace of its own")
        self._programs = KEDA.install()
        require("ip", "iproute2 (Debian: iproute2)")

    def prepare(self) -> KedaEndpoint:
        self._health_port, self._operator_metrics_port, self._grpc_port, self._adapter_port = free_ports(4)
        made = make_certificates(self.folder / "certificates")
        for name, file in (("tls.crt", made.cert_file), ("tls.key", made.key_file)):
            shutil.copy(file, made.ca_file.with_name(name))
        self._certificates = made.ca_file.parent
        return KedaEndpoint(f"http://{LOOPBACK}:{self._health_port}")

    def launch(self) -> None:
        self._register()
        env = {
            "KUBECONFIG": str(self._cluster.kubeconfig),
            "POD_NAMESPACE": _NAMESPACE,
            "KEDA_CLUSTER_OBJECT_NAMESPACE": _NAMESPACE,
            "WATCH_NAMESPACE": "",
        }
        self.run(
            "keda-operator",
            [
                self._programs / "keda-operator",
                f"--metrics-bind-address={LOOPBACK}:{self._operator_metrics_port}",
                f"--health-probe-bind-address={LOOPBACK}:{self._health_port}",
                f"--metrics-service-bind-address={LOOPBACK}:{self._grpc_port}",
                f"--cert-dir={self._certificates}",
            ],
            env,
        )
        self.wait_until(lambda: self.listens_on(self._grpc_port), "listening (operator)")
        self._launch_adapter(env)

    def is_ready(self) -> bool:
        """Tell whether the API server takes external metrics from KEDA."""
        try:
            return bool(self._cluster.request("GET", _METRICS)["kind"] == "APIResourceList")
        except (HttpError, urllib3.exceptions.HTTPError):
            return False

    def _launch_adapter(self, env: Mapping[str, str]) -> None:
        # Paths relative to the working folder, because a Unix socket's path has at most 107 bytes (unix(7)).
        api_port = self._cluster.url.rpartition(":")[2]
        relay = [sys.executable, "-m", "tests.components.relay"]
        here = {"PYTHONPATH": str(HERE.parents[1])}
        namespace = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        out = [f"{api_port}=api.sock", f"{self._grpc_port}=grpc.sock", f"adapter.sock={_ADAPTER_PORT}"]
        inside = self.run("relay-inside", [*namespace, *relay, *out], here)
        into = [f"api.sock={api_port}", f"grpc.sock={self._grpc_port}", f"{self._adapter_port}=adapter.sock"]
        self.run("relay-outside", [*relay, *into], here)
        sockets = ("api.sock", "grpc.sock", "adapter.sock")
        self.wait_until(lambda: all((self.folder / each).exists() for each in sockets), "relaying")
        kubeconfig = self._cluster.kubeconfig
        self.run(
            "keda-adapter",
            [
                *("nsenter", f"--net=/proc/{inside.pid}/ns/net", "--"),
                self._programs / "keda-adapter",
                f"--metrics-service-address=localhost:{self._grpc_port}",
                f"--secure-port={_ADAPTER_PORT}",
                f"--port={_ADAPTER_METRICS_PORT}",
                f"--cert-dir={self._certificates}",
                f"--lister-kubeconfig={kubeconfig}",
                f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}",
            ],
            env,
        )

    def _register(self) -> None:
        """What KEDA's own manifests make: its namespace, the APIService, and who may read external metrics."""
        request = self._cluster.request
        port = {"name": "https", "port": self._adapter_port}
        outside = {"type": "ExternalName", "externalName": "localhost", "ports": [port]}
        service = {"name": "keda-metrics-apiserver", "namespace": _NAMESPACE, "port": self._adapter_port}
        api = {
            "service": service,
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        }
        core = f"/api/v1/namespaces/{_NAMESPACE}/services"
        kinds = "/apis/apiregistration.k8s.io/v1/apiservices"
        made: tuple[tuple[str, dict[str, Any]], ...] = (
            ("/api/v1/namespaces", _document("v1", "Namespace", _NAMESPACE)),
            (core, _document("v1", "Service", "keda-metrics-apiserver", spec=outside)),
            (kinds, _document("apiregistration.k8s.io/v1", "APIService", "v1beta1.external.metrics.k8s.io", spec=api)),
        )
        for path, document in made:
            try:
                request("POST", path, document)
            except HttpError as error:
                if error.status != 409:
                    raise


def _document(version: str, kind: str, name: str, **members: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **members}
