"""The cluster as one server of the tests: started in order, ready when pods run on it, gone when its node is killed."""

from __future__ import annotations

import resource
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.components.certificates import make_certificates
from tests.components.cluster import node
from tests.components.cluster.archives import write_archive
from tests.components.cluster.machine import cluster_problem
from tests.components.cluster.programs import KNATIVE_PACKAGES, install_programs
from tests.components.errors import ComponentError
from tests.components.http import HttpError
from tests.components.install import HERE, progress
from tests.components.kubernetes import KubernetesEndpoint, extension_flags
from tests.components.process import LOOPBACK, Child, Server, free_ports

_MANIFESTS = HERE / "cluster" / "manifests"
_PLUGINS = Path("/usr/lib/cni")
_ADMINISTRATOR, _KUBELET, _PROXY = "admin", f"system:node:{node.NODE_NAME}", "system:kube-proxy"


@dataclass(frozen=True, slots=True)
class ClusterEndpoint(KubernetesEndpoint):
    """The API server, reached from this machine's own loopback."""


class ClusterServer(Server[ClusterEndpoint]):
    """Kubernetes on one node of its own namespaces, with DNS, images from archives and enforced NetworkPolicies.

    Nothing of it is visible outside but the relays on loopback and one control group in each hierarchy. Killing the
    node (`node_pid`) ends all of it; a keeper then removes the groups and the files. `cpu_shares` is the weight of all
    pods and programs against the machine's other work, which has 1024.
    """

    name = "cluster"
    ready_timeout_seconds = 300

    def __init__(self, folder: Path | None = None, *, cpu_shares: int = 2048) -> None:
        super().__init__(folder)
        self._cpu_shares = cpu_shares
        self._keeper: subprocess.Popen[bytes] | None = None
        self._relays = 0

    @property
    def node_pid(self) -> int:
        """The process that owns the node: with it all of the cluster ends."""
        return self._node.pid

    @property
    def group(self) -> str:
        """The name of its control groups."""
        return self._groups.name

    def install(self) -> None:
        if problem := cluster_problem():
            raise ComponentError(f"{self.name}: {problem}")
        self.programs = install_programs()

    def prepare(self) -> ClusterEndpoint:
        (port,) = free_ports(1)
        self._groups = node.ControlGroups(f"penstock-{self.folder.name[-8:]}")
        self._certificates = make_certificates(
            self.folder / "certificates",
            (node.ADDRESS, LOOPBACK, node.API_ADDRESS),
            ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", node.NODE_NAME),
        )
        tokens = {name: secrets.token_urlsafe(32) for name in (_ADMINISTRATOR, _KUBELET, _PROXY)}
        groups = {_ADMINISTRATOR: "system:masters", _KUBELET: "system:nodes", _PROXY: ""}
        lines = [f'{token},{name},{name},"{groups[name]}"\n' for name, token in tokens.items()]
        (self.folder / "tokens.csv").write_text("".join(lines), encoding="utf-8")
        self._write_files()
        endpoint = ClusterEndpoint(
            f"https://{LOOPBACK}:{port}",
            self._certificates.ca_file,
            tokens[_ADMINISTRATOR],
            self.folder / "kubeconfig",
        )
        endpoint.write_kubeconfig(endpoint.kubeconfig, endpoint.token)
        self.inside = ClusterEndpoint(
            f"https://{node.ADDRESS}:6443", endpoint.ca_file, endpoint.token, self.folder / "admin.kubeconfig"
        )
        for name, file in ((_ADMINISTRATOR, "admin"), (_KUBELET, "node"), (_PROXY, "proxy")):
            self.inside.write_kubeconfig(self.folder / f"{file}.kubeconfig", tokens[name])
        self._port = port
        return endpoint

    def launch(self) -> None:
        self._start_node()
        kubernetes = self.programs.kubernetes
        kubeconfig = f"--kubeconfig={self.inside.kubeconfig}"
        containerd = self.run_in_node("containerd", ["containerd", "--config", self.folder / "containerd.toml"])
        self._start_api()
        self.relay(self._port, f"{node.ADDRESS}:6443")
        self.wait_until(self._api_is_ready, "ready (API server)")
        quick = ["--kube-api-qps=200", "--kube-api-burst=400"]  # the defaults are for an API server that many share
        self.run_in_node(
            "kube-controller-manager",
            [
                kubernetes / "kube-controller-manager",
                kubeconfig,
                "--leader-elect=false",
                "--secure-port=0",
                *quick,
                f"--root-ca-file={self._certificates.ca_file}",
                f"--service-account-private-key-file={self._certificates.key_file}",
                "--controllers=*,-node-ipam-controller",
            ],
        )
        self.run_in_node(
            "kube-scheduler",
            [kubernetes / "kube-scheduler", kubeconfig, "--leader-elect=false", "--secure-port=0", *quick],
        )
        policies = [sys.executable, "-m", "tests.components.cluster.policies"]
        self.run_in_node("policies", [*policies, self.inside.url, self.inside.ca_file, self.inside.token])
        self.kubectl("create", "clusterrolebinding", "proxy", "--clusterrole=system:node-proxier", f"--user={_PROXY}")
        self.run_in_node("kube-proxy", [kubernetes / "kube-proxy", "--config", self.folder / "kube-proxy.yaml"])
        self.wait_until(lambda: self._containerd_answers(containerd), "listening (containerd)")
        self.import_programs({"pause": self.programs.pause, "coredns": self.programs.coredns})
        self.run_in_node(
            "kubelet",
            [
                kubernetes / "kubelet",
                f"--kubeconfig={self.folder / 'node.kubeconfig'}",
                f"--config={self.folder / 'kubelet.yaml'}",
                f"--hostname-override={node.NODE_NAME}",
                f"--node-ip={node.ADDRESS}",
            ],
        )
        self.apply((_MANIFESTS / "coredns.yaml").read_text(encoding="utf-8"))

    def is_ready(self) -> bool:
        """Tell whether pods run: that of the DNS server does."""
        try:
            found = self.endpoint.request("GET", "/apis/apps/v1/namespaces/kube-system/deployments/coredns")
        except (HttpError, urllib3.exceptions.HTTPError):
            return False
        return int(found.get("status", {}).get("availableReplicas", 0)) > 0

    def run_in_node(self, name: str, argv: Sequence[str | Path]) -> Child:
        """Start a program in the node's namespaces and its control group."""
        command = self._groups.join(node.in_node(self._first, argv))
        return self.run(name, command, {"PYTHONPATH": str(HERE.parents[1])})

    def execute(self, *argv: str | Path, timeout_seconds: float = 300) -> str:
        """Run a command in the node to its end and return what it printed."""
        command = [str(part) for part in self._groups.join(node.in_node(self._first, argv))]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_seconds)
        if result.returncode != 0:
            raise ComponentError(f"{self.name}: {argv[0]} {argv[1]}: {result.stdout[-2000:]}{result.stderr[-2000:]}")
        return result.stdout

    def relay(self, port: int, target: str) -> None:
        """Let a port of this machine's loopback lead to `HOST:PORT` as the node sees it."""
        self._relays += 1
        socket = f"relay-{self._relays}.sock"  # relative: a path of a Unix socket has at most 107 bytes (unix(7))
        program = [sys.executable, "-m", "tests.components.relay"]
        self.run_in_node(
            f"relay-{self._relays}-inside",
            ["sh", "-c", 'cd "$0" && exec "$@"', self.folder, *program, f"{socket}={target}"],
        )
        self.run(f"relay-{self._relays}-outside", [*program, f"{port}={socket}"], {"PYTHONPATH": str(HERE.parents[1])})
        self.wait_until(lambda: self.listens_on(port) and (self.folder / socket).exists(), "relaying")

    def kubectl(self, *words: str, text: str = "", check: bool = True, timeout_seconds: float = 600) -> str:
        """Run kubectl as the administrator and return what it printed; a status other than 0 is an error."""
        command = [str(self.programs.kubernetes / "kubectl"), f"--kubeconfig={self.endpoint.kubeconfig}", *words]
        result = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=timeout_seconds
        )
        if check and result.returncode != 0:
            raise ComponentError(f"kubectl {' '.join(words)}: {result.stderr.strip() or result.stdout.strip()}")
        return result.stdout

    def apply(self, text: str) -> None:
        """Server-side apply of a text of YAML documents."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)

    def apply_documents(self, documents: Sequence[Mapping[str, Any]]) -> None:
        self.apply(yaml.safe_dump_all(documents))

    def import_programs(self, programs: Mapping[str, Path]) -> None:
        """Make an image `localhost/NAME:1` of each static program."""
        file = self.folder / "programs.tar"
        write_archive(file, programs)
        self.import_archive(file)
        file.unlink()

    def import_archive(self, file: Path) -> None:
        """Load images that `podman save` or `docker save` wrote."""
        self.execute("ctr", "--namespace=k8s.io", "images", "import", file)

    def has_image(self, name: str) -> bool:
        """Tell whether an image is on the node."""
        return name in self.execute("ctr", "--namespace=k8s.io", "images", "list", "--quiet").split()

    def import_knative(self) -> None:
        """Load the images of Knative, the ingress and the object store."""
        knative = {name: self.programs.knative / name for name in KNATIVE_PACKAGES}
        single = {"ingress": self.programs.ingress, "minio": self.programs.minio, "mc": self.programs.mc}
        self.import_programs({**knative, **single})

    def stop(self) -> None:
        """Kill the node; returns when the keeper has removed what it left."""
        self.kill()
        if self._keeper is not None:
            self._keeper.wait(90)
        super().stop()

    def _stop_children(self) -> None:
        self.kill()  # their end is the node's end; nothing of it is kept

    def _start_node(self) -> None:
        self._groups.make(self._cpu_shares)
        (self.folder / "node.up").unlink(missing_ok=True)
        self._node = self.run("node", self._groups.join(node.node_command(self.folder)))
        self.wait_until((self.folder / "node.up").exists, "up (node)")
        self._first = node.first_process(self._node.pid)
        large = [self.folder / name for name in ("containerd", "kubelet", "var", "var-work", "etcd", "volumes")]
        self._keeper = node.start_keeper(self._first, self._groups, large)

    def _start_api(self) -> None:
        client, peer = f"http://{LOOPBACK}:2379", f"http://{LOOPBACK}:2380"
        self.run_in_node(
            "etcd",
            [
                self.programs.kubernetes / "etcd",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
            ],
        )
        certificates = self._certificates
        self.run_in_node(
            "kube-apiserver",
            [
                self.programs.kubernetes / "kube-apiserver",
                f"--etcd-servers={client}",
                "--bind-address=0.0.0.0",
                f"--advertise-address={node.ADDRESS}",
                "--secure-port=6443",
                f"--tls-cert-file={certificates.cert_file}",
                f"--tls-private-key-file={certificates.key_file}",
                f"--token-auth-file={self.folder / 'tokens.csv'}",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                f"--service-cluster-ip-range={node.SERVICE_NETWORK}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={certificates.cert_file}",
                f"--service-account-signing-key-file={certificates.key_file}",
                f"--kubelet-certificate-authority={certificates.ca_file}",
                f"--kubelet-client-certificate={certificates.cert_file}",
                f"--kubelet-client-key={certificates.key_file}",
                "--kubelet-preferred-address-types=InternalIP",
                "--allow-privileged=true",
                *extension_flags(certificates),
            ],
        )

    def _api_is_ready(self) -> bool:
        try:
            return bool(self.endpoint.request("GET", "/readyz") == "ok")
        except (HttpError, urllib3.exceptions.HTTPError):
            return False

    def _containerd_answers(self, containerd: Child) -> bool:
        if containerd.returncode() is not None:
            return False
        try:
            self.execute("ctr", "version")
        except ComponentError:
            time.sleep(0.2)
            return False
        return True

    def _write_files(self) -> None:
        """The configuration of containerd, kubelet and kube-proxy, and the network plug-ins."""
        values = {
            "@FOLDER@": str(self.folder),
            "@GROUP@": self._groups.name,
            "@FILES@": str(min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1_000_000)),
        }
        for file in ("containerd.toml", "kubelet.yaml", "kube-proxy.yaml"):
            text = (_MANIFESTS / file).read_text(encoding="utf-8")
            for name, value in values.items():
                text = text.replace(name, value)
            (self.folder / file).write_text(text, encoding="utf-8")
        (self.folder / "resolv.conf").write_text(f"nameserver {node.DNS_ADDRESS}\n", encoding="ascii")
        programs = self.folder / "cni" / "bin"
        shutil.rmtree(programs.parent, ignore_errors=True)
        programs.mkdir(parents=True)
        for plugin in ("bridge", "host-local", "loopback", "portmap"):
            (programs / plugin).symlink_to(_PLUGINS / plugin)
        attach = (HERE / "cluster" / "attach.py").read_text(encoding="utf-8")
        (programs / "penstock-attach").write_text(f"#!{sys.executable} -SE\n{attach}", encoding="utf-8")
        (programs / "penstock-attach").chmod(0o755)
        configuration = self.folder / "cni" / "conf"
        configuration.mkdir()
        shutil.copy(_MANIFESTS / "network.conflist", configuration / "10-network.conflist")
        progress(f"{self.name}: node in {self.folder}")
