"""One trace leads from MinIO's event through bridge and Broker to the requests that a function sends to the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import tests.otlp
from tests.cluster.lake import CONNECTORS_IMAGE, NAMESPACE, ClusterLake, image
from tests.cluster.pages import block_with
from tests.components.containers import Containers
from tests.components.install import HERE
from tests.functional.test_build_context import STACK, lay_out
from tests.otlp import ReceivedSpan, way
from tests.paths import DEPLOY

_MONITORING = "monitoring"
_TRACED = image("compress", "traced")
# The endpoint of docs/deploying.md; steps are sent soon, so that a test need not wait for five seconds.
_SETTINGS = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://collector.{_MONITORING}.svc.cluster.local:4318",
    "OTEL_BSP_SCHEDULE_DELAY": "100",
}
# What the page says that a function's requirements.txt needs.
_PACKAGES = "\nopentelemetry-sdk\nopentelemetry-exporter-otlp-proto-http\n"


def _import_traced_image(lake: ClusterLake) -> None:
    engine = Containers()
    engine.install()
    context = lay_out(STACK.functions["compress"], lake.folder / "traced")
    with (context / "function" / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write(_PACKAGES)
    engine.build(_TRACED, context)
    archive = lake.folder / "traced.tar"
    engine.save([_TRACED], archive)
    lake.server.import_archive(archive)
    archive.unlink()


def _start_collector(lake: ClusterLake) -> None:
    lake.server.apply((DEPLOY / "observability" / "namespace.yaml").read_text(encoding="utf-8"))
    source = Path(tests.otlp.__file__).read_text(encoding="utf-8")
    metadata = {"name": "collector", "namespace": _MONITORING}
    program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"otlp.py": source}}
    lake.server.apply_documents([program])
    manifest = (HERE / "cluster" / "manifests" / "collector.yaml").read_text(encoding="utf-8")
    lake.server.apply(manifest.replace("@IMAGE@", CONNECTORS_IMAGE))
    lake.run(block_with("deploying.md", "name: traces"))
    lake.kubectl("-n", _MONITORING, "rollout", "status", "deployment/collector", "--timeout=180s")


def _deploy(lake: ClusterLake, stack: str, bridge: list[str]) -> None:
    """Another stack file and other variables of the bridge; returns when pods of both are ready."""
    newest = ("-n", NAMESPACE, "get", "ksvc", "compress", "-o", "jsonpath={.status.latestReadyRevisionName}")
    before = lake.kubectl(*newest)
    (lake.folder / "stack.yml").write_text(stack, encoding="utf-8")
    lake.run("penstock render knative\nkubectl apply -k deploy/knative/overlays/$OVERLAY")
    lake.kubectl("-n", NAMESPACE, "set", "env", "statefulset/penstock-bridge", *bridge)
    lake.kubectl("-n", NAMESPACE, "rollout", "status", "statefulset/penstock-bridge", "--timeout=300s")
    lake.wait_until(lambda: lake.kubectl(*newest) not in ("", before), "a new revision of compress is ready", 180)


@pytest.fixture(scope="module")
def traced(lake: ClusterLake) -> Iterator[ClusterLake]:
    """The lake while its bridge and compress send traces to a collector."""
    _import_traced_image(lake)
    _start_collector(lake)
    committed = (lake.folder / "stack.yml").read_text(encoding="utf-8")
    stack = yaml.safe_load(committed)
    stack["functions"]["compress"]["image"] = _TRACED
    stack["functions"]["compress"]["environment"] |= _SETTINGS
    text = yaml.safe_dump(stack, sort_keys=False)
    _deploy(lake, text, [f"{name}={value}" for name, value in _SETTINGS.items()])
    yield lake
    _deploy(lake, committed, [f"{name}-" for name in _SETTINGS])


def _received(lake: ClusterLake) -> list[ReceivedSpan]:
    lines = lake.kubectl("-n", _MONITORING, "logs", "deployment/collector").splitlines()
    return [ReceivedSpan(**json.loads(line)) for line in lines]


def test_event_bridge_function_and_store_are_one_trace(traced: ClusterLake) -> None:
    lake, key = traced, "traced/one.csv"
    lake.put("upload", key, b"a,b\n" * 100)
    lake.wait_until(lambda: lake.has("processed", f"{key}.gz"), "the result is there")

    def written() -> list[ReceivedSpan]:
        return [
            span for span in _received(lake) if (span.name, span.attributes.get("key")) == ("store put", f"{key}.gz")
        ]

    lake.wait_until(lambda: bool(written()), "the collector has the request that writes")
    [put] = written()
    steps: list[tuple[str, str]] = []

    def is_whole() -> bool:
        steps[:] = way([span for span in _received(lake) if span.trace == put.trace], "store put")
        return bool(steps) and steps[0] == ("penstock-bridge", "POST")

    lake.wait_until(is_whole, f"the trace begins at the bridge: {steps}")
    names = [name.split()[0] for service, name in steps if service == "penstock-bridge"]
    assert names == ["POST", "take", "deliver"], steps
    assert [service for service, _ in steps[3:]] == ["compress", "compress"], steps
    assert steps[-1] == ("compress", "store put")
