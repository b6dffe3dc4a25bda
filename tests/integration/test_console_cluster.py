"""`penstock console --kubernetes` beside a real API server that has Knative's kinds, a store and a bridge.

No controller of Knative runs, so the Services stay without pods: the console shows them as functions at zero.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from penstock.local.store.server import EmbeddedStore
from penstock.store.minio_client import connect
from penstock.types import ObjectRef

from tests.integration.operators import Cluster, kustomized
from tests.integration.processes import running, wait_until
from tests.paths import ROOT
from tests.remote_console import LOGIN, PASSWORD, TOKEN, ask, notification
from tests.served import free_port

pytestmark = pytest.mark.crds
NAMESPACE = "console"
REF = ObjectRef("upload", "donors/日本.csv")
ROWS = b"email,type\nann@example.com,A+\n"


@pytest.fixture(name="store")
def store_fixture() -> Iterator[EmbeddedStore]:
    server = EmbeddedStore(
        access_key="tests", secret_key="tests-secret", notify=lambda *_: None, wanted=lambda *_: False
    )
    server.start()
    client = connect(server.settings)
    client.make_bucket(REF.bucket)
    client.put_object(REF.bucket, REF.key, io.BytesIO(ROWS), len(ROWS))
    yield server
    server.stop()


def deploy(cluster: Cluster) -> None:
    """`compress` and `index` as Knative's Services, `resize` as a plain Deployment, all as they are rendered."""
    cluster.namespace(NAMESPACE, "restricted")
    found = [
        each
        for folder, api, names in (
            ("knative", "serving.knative.dev/v1", ("compress", "index")),
            ("kubernetes", "apps/v1", ("resize",)),
        )
        for each in kustomized(cluster, ROOT / "deploy" / folder / "base")
        if each["apiVersion"] == api and each["metadata"]["name"] in names
    ]
    for each in found:
        each["metadata"]["namespace"] = NAMESPACE
    assert len(found) == 3
    cluster.apply(found)


def test_functions_objects_and_dead_letters_are_on_the_page(
    cluster: Cluster, store: EmbeddedStore, tmp_path: Path
) -> None:
    deploy(cluster)
    bridge_port, port = free_port(), free_port()
    env = {
        "MINIO_ENDPOINT": store.settings.endpoint,
        "MINIO_ACCESS_KEY": "tests",
        "MINIO_SECRET_KEY": "tests-secret",
        "CONSOLE_TOKEN": TOKEN,
        "CONSOLE_PASSWORD": PASSWORD,
    }
    # Nothing listens at the function's address, so an event is a dead letter after one attempt.
    bridge = ["bridge", "--to", "compress=http://127.0.0.1:9/event", "--inbox", str(tmp_path / "inbox.db")]
    bridge += ["--attempts", "1", "--allow-anonymous", "--listen", f"127.0.0.1:{bridge_port}"]
    console = ["console", "--kubernetes", "--kubeconfig", str(cluster.server.endpoint.kubeconfig), "-n", NAMESPACE]
    console += ["--bridge", f"http://127.0.0.1:{bridge_port}", "--port", str(port)]

    def told(path: str) -> Any:
        try:
            return ask(port, "GET", path, Authorization=LOGIN).json
        except OSError:  # it does not listen yet
            return {}

    def sent() -> bool:
        try:
            return ask(bridge_port, "POST", "/", notification(REF)).status == 202
        except OSError:
            return False

    with running(bridge, tmp_path / "bridge.log", env), running(console, tmp_path / "console.log", env):
        wait_until(lambda: len(told("/ui/state").get("functions", ())) == 3, "the console with the functions", 180)
        functions = {each["name"]: each for each in told("/ui/state")["functions"]}
        assert set(functions) == {"compress", "index", "resize"}
        assert functions["compress"]["sources"] == ["s3://upload/*.csv"]
        assert {each["replicas"] for name, each in functions.items() if name != "resize"} == {0}
        assert told(f"/ui/folder?bucket={REF.bucket}&prefix=donors/")["total"] == 1
        wait_until(sent, "the bridge", 120)
        wait_until(lambda: bool(told("/ui/dead").get("letters")), "the dead letter", 120)
        [letter] = told("/ui/dead")["letters"]
        assert (letter["function"], letter["object"]) == ("compress", f"{REF.bucket}/{REF.key}")
