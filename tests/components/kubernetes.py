"""A real Kubernetes API: etcd, API server, controller manager and scheduler, with kwok playing the nodes."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from tests.components.certificates import Certificates, make_certificates
from tests.components.errors import ComponentError
from tests.components.http import HttpError, request_json
from tests.components.install import HERE, GoModule, GoProgram
from tests.components.process import LOOPBACK, Server, free_ports

_VERSION = "1.35.4"  # of k8s.io/kubernetes in go/kubernetes/go.mod
_LINKED_VERSION = {"gitVersion": f"v{_VERSION}", "gitMajor": "1", "gitMinor": _VERSION.split(".")[1]}
KUBERNETES = GoModule(
    "kubernetes",
    HERE / "go" / "kubernetes",
    {"kubernetes": "."},
    names={
        "kubernetes": (
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    },
    # Knative reads the API server's version, which is a placeholder in a program that is not built by a release.
    linker_flags=" ".join(
        ["-s -w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in _LINKED_VERSION.items())]
    ),
)
KWOK = GoProgram("kwok", "sigs.k8s.io/kwok/cmd/kwok", "v0.7.0")
KUBECONFORM = GoProgram("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "v0.7.0")

_NODE = "node-1"


def extension_flags(certificates: Certificates) -> list[str]:
    """Flags of an API server with servers behind it, by an APIService.

    They learn who asks from headers, and take these from a client with this certificate alone.
    """
    return [
        f"--proxy-client-cert-file={certificates.cert_file}",
        f"--proxy-client-key-file={certificates.key_file}",
        f"--requestheader-client-ca-file={certificates.ca_file}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]


@dataclass(frozen=True, slots=True)
class KubernetesEndpoint:
    """What a client needs; `token` is a cluster administrator's, and `kubeconfig` holds the same."""

    url: str
    ca_file: Path
    token: str
    kubeconfig: Path

    def request(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        """Call the API as the administrator, or as the bearer of `token`; an error status raises HttpError."""
        headers = {"Authorization": f"Bearer {token or self.token}", "Accept": "application/json, */*"}
        return request_json(method, f"{self.url}{path}", body, headers=headers, ca_file=self.ca_file)

    def service_account_token(self, namespace: str, name: str) -> str:
        """A real token for a ServiceAccount that exists, to test what its Role allows."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return str(self.request("POST", path, body)["status"]["token"])

    def write_kubeconfig(self, file: Path, token: str) -> Path:
        """Write a kubeconfig for the bearer of `token` (JSON, which every YAML reader takes)."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
            "clusters": [
                {"name": "tests", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}
            ],
            "users": [{"name": "tests", "user": {"token": token}}],
        }
        file.write_text(json.dumps(config), encoding="utf-8")
        file.chmod(0o600)
        return file


class KubernetesServer(Server[KubernetesEndpoint]):
    """A cluster of one played node: Jobs make Pods, which complete at once (`:fails` and `:hangs`: see kwok.yaml).

    No container runs; the log of every pod is what `write_pod_log` was given last.
    """

    name = "kubernetes"

    def write_pod_log(self, text: str) -> None:
        """Set the log that every pod answers with."""
        # kwok reads the container runtimes' log format: time, stream, F for a full line.
        lines = [f"2026-01-01T00:00:00.000000000Z stdout F {line}\n" for line in text.splitlines()]
        self._pod_log.write_text("".join(lines), encoding="utf-8")

    def install(self) -> None:
        self._programs = KUBERNETES.install()
        self._kwok = KWOK.install()

    def prepare(self) -> KubernetesEndpoint:
        self._etcd_port, self._peer_port, self._api_port, self._kubelet_port = free_ports(4)
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)  # it remembers the peer port
        self._certificates = make_certificates(self.folder / "certificates")
        token = secrets.token_urlsafe(32)
        self._tokens = self.folder / "tokens.csv"
        self._tokens.write_text(f'{token},penstock-admin,penstock-admin,"system:masters"\n', encoding="utf-8")
        self._pod_log = self.folder / "pod.log"
        self.write_pod_log("played by kwok")
        logs = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterLogs",
            "metadata": {"name": "every-pod"},
            "spec": {"logs": [{"logsFile": str(self._pod_log)}]},
        }
        self._kwok_config = self.folder / "kwok.yaml"
        stages = (HERE / "kwok.yaml").read_text(encoding="utf-8")
        self._kwok_config.write_text(f"{stages}---\n{json.dumps(logs)}\n", encoding="utf-8")
        endpoint = KubernetesEndpoint(
            url=f"https://{LOOPBACK}:{self._api_port}",
            ca_file=self._certificates.ca_file,
            token=token,
            kubeconfig=self.folder / "kubeconfig",
        )
        endpoint.write_kubeconfig(endpoint.kubeconfig, token)
        return endpoint

    def launch(self) -> None:
        etcd_url, peer_url = f"http://{LOOPBACK}:{self._etcd_port}", f"http://{LOOPBACK}:{self._peer_port}"
        certificates = self._certificates
        kubeconfig = f"--kubeconfig={self.endpoint.kubeconfig}"
        self.run(
            "etcd",
            [
                self._programs / "etcd",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={etcd_url}",
                f"--advertise-client-urls={etcd_url}",
                f"--listen-peer-urls={peer_url}",
                f"--initial-advertise-peer-urls={peer_url}",
                f"--initial-cluster=default={peer_url}",
                "--unsafe-no-fsync",  # the tests survive kill -9 of the process, and need not survive a power cut
            ],
        )
        self.wait_until(lambda: self.listens_on(self._etcd_port), "listening (etcd)")
        self.run(
            "kube-apiserver",
            [
                self._programs / "kube-apiserver",
                f"--etcd-servers={etcd_url}",
                f"--bind-address={LOOPBACK}",
                f"--advertise-address={LOOPBACK}",
                f"--secure-port={self._api_port}",
                f"--tls-cert-file={certificates.cert_file}",
                f"--tls-private-key-file={certificates.key_file}",
                f"--token-auth-file={self._tokens}",
                "--authorization-mode=RBAC",
                "--endpoint-reconciler-type=none",  # a loopback address is no valid endpoint of the kubernetes Service
                "--service-cluster-ip-range=10.0.0.0/24",
                "--service-account-issuer=https://kubernetes.default.svc",
                # client-go reads no public key out of a PKCS#8 EC key, but does out of its certificate.
                f"--service-account-key-file={certificates.cert_file}",
                f"--service-account-signing-key-file={certificates.key_file}",
                f"--kubelet-certificate-authority={certificates.ca_file}",
                *extension_flags(certificates),
            ],
        )
        self.wait_until(self._api_is_ready, "ready (API server)")
        self.run(
            "kube-controller-manager",
            [
                self._programs / "kube-controller-manager",
                kubeconfig,
                "--leader-elect=false",
                "--secure-port=0",
                # The default, 20 requests a second, is for an API server that many share.
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
                f"--root-ca-file={certificates.ca_file}",
                f"--service-account-private-key-file={certificates.key_file}",
            ],
        )
        self.run(
            "kube-scheduler",
            [self._programs / "kube-scheduler", kubeconfig, "--leader-elect=false", "--secure-port=0"],
        )
        self._create_node()
        self.run(
            "kwok",
            [
                self._kwok,
                kubeconfig,
                f"--config={self._kwok_config}",
                "--manage-all-nodes",
                f"--node-ip={LOOPBACK}",
                f"--node-port={self._kubelet_port}",
                f"--server-address={LOOPBACK}:{self._kubelet_port}",
                f"--tls-cert-file={certificates.cert_file}",
                f"--tls-private-key-file={certificates.key_file}",
            ],
        )

    def is_ready(self) -> bool:
        try:
            node = self.endpoint.request("GET", f"/api/v1/nodes/{_NODE}")
            # The controller manager makes it, and the API server refuses pods before it exists.
            self.endpoint.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        except (HttpError, urllib3.exceptions.HTTPError):
            return False
        conditions = node.get("status", {}).get("conditions", [])
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        return ready and not node["spec"].get("taints") and self.listens_on(self._kubelet_port)

    def _api_is_ready(self) -> bool:
        if not self.listens_on(self._api_port):
            return False
        try:
            return bool(self.endpoint.request("GET", "/readyz") == "ok")
        except (HttpError, urllib3.exceptions.HTTPError):
            return False

    def _create_node(self) -> None:
        labels = {"kubernetes.io/hostname": _NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        # As a kubelet does, with disk too: kwok's own default names none, and a pod with a limit for it would wait.
        room = {"cpu": "1k", "memory": "1Ti", "pods": "1M", "ephemeral-storage": "1Ti"}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": _NODE, "labels": labels},
            "status": {"allocatable": room, "capacity": room},
        }
        try:
            self.endpoint.request("POST", "/api/v1/nodes", node)
        except HttpError as error:
            if error.status != 409:  # a restart finds the node it made before
                raise ComponentError(f"{self.name}: {error}") from error
