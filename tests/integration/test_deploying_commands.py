"""Commands of the pages of Knative and Kubernetes, on a real Kubernetes API.

Some of Knative's are run here alone; those of Kubernetes also where `make cluster` is not allowed. They run in a
namespace of their own. What waits for an operator, which an API alone does not have, is left out here:
tests/functional/test_deploying_docs.py lists every block of the two pages with what runs it.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.pages import ON_API, ON_KEDA, block_with, commands, left_out, run_script
from tests.components.kubernetes import KUBERNETES
from tests.integration.operators import Cluster
from tests.paths import DEPLOY, ROOT

pytestmark = pytest.mark.crds


class Reader:
    """Follows a page in a folder that has what the earlier steps of docs/deploying.md left there."""

    def __init__(self, cluster: Cluster, page: str, folder: Path, namespace: str) -> None:
        self._cluster, self._page, self._folder, self._namespace = cluster, page, folder, namespace
        self._ran: list[str] = []
        shutil.copytree(DEPLOY, folder / "deploy")
        # As the page says, the patches of the overlays name the namespace too.
        for file in (folder / "deploy" / "knative" / "overlays").glob("*/patches/*.yaml"):
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace("namespace: penstock\n", f"namespace: {namespace}\n"), encoding="utf-8")
        shutil.copy(ROOT / "stack.yml", folder)
        for name in ("functions", "shared", "template", "templates"):
            (folder / name).symlink_to(ROOT / name)
        for name in (
            "search-ca.crt",
            "kafka-ca.crt",
            *(f"kafka-password-{user}" for user in ("knative", "connector", "keda")),
        ):
            (folder / name).write_text(f"what is in {name}", encoding="utf-8")
        self._settings: Mapping[str, str] = {
            "KUBECONFIG": str(cluster.server.endpoint.kubeconfig),
            "SECRET_KEY": "functions-secret",
            "INDEX_PASSWORD": "index-secret",
        }

    def run(self, words: str) -> None:
        """Run the block that has these words, but for what waits for KEDA's operator."""
        lines = commands(block_with(self._page, words))
        script = "".join(f"{line}\n" for line in lines if not any(part in line for part in ON_KEDA))
        self._ran.append(script)
        for flag in ("--namespace=", "-n "):
            script = script.replace(f"{flag}penstock ", f"{flag}{self._namespace} ")
            script = script.replace(f"{flag}penstock\n", f"{flag}{self._namespace}\n")
        for platform in ("knative", "kubernetes"):
            render = f"penstock render {platform}\n"
            script = script.replace(render, f"{render.strip()} --namespace {self._namespace}\n")
        self._settings = run_script(script, self._folder, KUBERNETES.install(), self._settings)

    def left_out(self) -> list[str]:
        """The commands of the page that this file should have run, and did not."""
        missing = left_out(self._page, ON_API, self._ran, {})
        return [line for line in missing if not any(part in line for part in ON_KEDA)]

    def objects(self, kinds: str) -> dict[str, dict[str, Any]]:
        """What is in the namespace now, by name."""
        told = self._cluster.kubectl("get", kinds, f"--namespace={self._namespace}", "--output=json")
        return {each["metadata"]["name"]: each for each in json.loads(told)["items"]}

    def secret(self, name: str) -> dict[str, str]:
        data = self.objects("secrets")[name]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_commands_of_the_page_of_kubernetes(cluster: Cluster, tmp_path: Path, unique_name: str) -> None:
    reader = Reader(cluster, "deploying-kubernetes.md", tmp_path, unique_name)
    reader.run("penstock render kubernetes")
    assert set(reader.objects("scaledobjects")) == set(reader.objects("deployments")) - {"kafka-connector"}
    assert reader.secret("kafka-credentials") == {
        "kafka-password": "what is in kafka-password-connector",
        "kafka-ca.crt": "what is in kafka-ca.crt",
    }
    assert reader.secret("sink-password") == {"sink-password": "index-secret"}
    used = {
        volume["secret"]["secretName"]
        for workload in reader.objects("deployments,statefulsets").values()
        for volume in workload["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume and not volume["secret"].get("optional")
    }
    assert used <= set(reader.objects("secrets"))
    before = {name: each["spec"] for name, each in reader.objects("deployments").items()}
    reader.run("cp -r deploy/kubernetes/overlays/example")
    assert {name: each["spec"] for name, each in reader.objects("deployments").items()} == before


def test_commands_of_the_page_of_knative(cluster: Cluster, tmp_path: Path, unique_name: str) -> None:
    reader = Reader(cluster, "deploying-knative.md", tmp_path, unique_name)
    reader.run("penstock render knative\n")
    reader.run("create secret generic sink-username")
    assert reader.secret("knative-kafka") == {
        "protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "user": "knative",
        "password": "what is in kafka-password-knative",
        "ca.crt": "what is in kafka-ca.crt",
    }
    reader.run("DEAD_LETTERS=")
    token = reader.secret("dead-letter-token")["dead-letter-token"]
    places = [each["spec"]["delivery"]["deadLetterSink"]["uri"] for each in reader.objects("triggers").values()]
    assert places == [f"/dead-letters/{token}"] * 3
    [bridge] = reader.objects("statefulsets").values()
    assert "kubectl.kubernetes.io/restartedAt" in bridge["spec"]["template"]["metadata"]["annotations"]
    assert bridge["spec"]["replicas"] == 2, "the overlay's patches hold on"
    assert reader.left_out() == []
