"""A real cluster in which the operators' kinds exist, and what kubectl would send to it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.components import KubernetesServer
from tests.components.crds import GO_CRDS
from tests.components.http import HttpError
from tests.components.kubernetes import KUBERNETES
from tests.manifests import crd_folder, definitions

# Those that others' charts make, and that of deploy/knative/base, which deploy/knative/jobs finds there; ours must fit
# in under the strictest level.
_NAMESPACES = {
    "openfaas": "restricted",
    "openfaas-fn": "restricted",
    "penstock": "restricted",
    "knative-eventing": "privileged",
}


class Cluster:
    """A cluster in which the operators' definitions are established."""

    def __init__(self, server: KubernetesServer) -> None:
        self.server = server
        self.request = server.endpoint.request
        self._kubectl = KUBERNETES.install() / "kubectl"

    def kubectl(self, *words: str, text: str = "") -> str:
        """Run kubectl as the administrator; a warning of the API server is an error."""
        command = [str(self._kubectl), f"--kubeconfig={self.server.endpoint.kubeconfig}", *words]
        result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{words}: {result.stderr}"
        assert "Warning" not in result.stderr, result.stderr
        return result.stdout

    def define(self, definition: dict[str, Any]) -> str:
        """Create one definition; a webhook that converts between versions does not run here, so none is asked."""
        definition["spec"]["conversion"] = {"strategy": "None"}
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        try:
            self.request("POST", path, definition)
        except HttpError as error:
            if error.status != 409:
                raise
        return f"{path}/{definition['metadata']['name']}"

    def is_established(self, path: str) -> bool:
        conditions = self.request("GET", path).get("status", {}).get("conditions") or []
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    def namespace(self, name: str, level: str) -> None:
        labels = {"pod-security.kubernetes.io/enforce": level}
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        self.apply([document])

    def apply(self, documents: Sequence[dict[str, Any]]) -> None:
        """Server-side apply, namespaces first; an unknown field is an error."""
        text = yaml.safe_dump_all(sorted(documents, key=lambda each: each["kind"] != "Namespace"))
        self.kubectl("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-", text=text)


def make_cluster(server: KubernetesServer) -> Cluster:
    """Define what the operators define, and make the namespaces that folders take for granted."""
    made = Cluster(server)
    folders = [crd_folder(), *(source.install() for source in GO_CRDS)]
    paths = [made.define(definition) for folder in folders for definition in definitions(folder)]
    for path in paths:
        server.wait_until(lambda path=path: made.is_established(path), f"serving {path}")  # type: ignore[misc]
    for name, level in _NAMESPACES.items():
        made.namespace(name, level)
    return made


def kustomized(cluster: Cluster, folder: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    return [each for each in yaml.safe_load_all(cluster.kubectl("kustomize", str(folder))) if each]
