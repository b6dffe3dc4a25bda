"""KEDA's real operator and metrics server scale a function from 0 by Kafka's lag and by the bridge, and back to 0.

kwok plays the node, so no container runs. In its place the function itself is started here when Kubernetes reports a
pod of its Deployment as ready, and is ended when there is none. Manifests are what `penstock render kubernetes` makes;
names that only a cluster's DNS knows are replaced by addresses of this machine.
"""

from __future__ import annotations

import io
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3
from penstock.render.kubernetes import KubernetesSettings, render

from tests.cluster.pages import block_with, commands, run_script
from tests.components import KafkaServer, KubernetesServer, MinioServer
from tests.components.crds import GO_CRDS
from tests.components.http import HttpError
from tests.components.keda import KedaServer
from tests.components.kubernetes import KUBERNETES
from tests.components.process import free_ports
from tests.integration.connect_helpers import Penstock
from tests.integration.flow import minio_to_kafka, put_event, quiet, serve
from tests.integration.operators import Cluster
from tests.integration.processes import store_settings, wait_until
from tests.manifests import definitions
from tests.rendering import render_one

NAMESPACE = "lake"
TOPIC = "keda-upload"
MAX_PODS = 4
# Long enough to see that the last pod stays for it, short enough to wait for.
STAYS_SECONDS = 12
PATIENCE_SECONDS = 300


@dataclass(slots=True)
class PlayedPods:
    """The function as a process here, for as long as Kubernetes reports a ready pod of its Deployment."""

    cluster: Cluster
    start: Callable[[], Penstock]
    may_start: threading.Event = field(default_factory=threading.Event)
    wanted: list[tuple[float, int]] = field(default_factory=list)
    runs: bool = False
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> PlayedPods:
        self.may_start.set()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def numbers(self) -> list[int]:
        """How many pods the Deployment was to have, in order, without repetitions."""
        return [number for _, number in list(self.wanted)]

    def _run(self) -> None:
        child: Penstock | None = None
        while not self._stop.wait(0.1):
            try:
                found = self.cluster.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/compress")
            except (HttpError, urllib3.exceptions.HTTPError):  # a busy API server: the next question is soon
                continue
            number = found["spec"]["replicas"]
            if not self.wanted or self.wanted[-1][1] != number:
                self.wanted.append((time.monotonic(), number))
            ready = found.get("status", {}).get("readyReplicas", 0) > 0
            if ready and child is None and self.may_start.is_set():
                self.runs = True
                child = self.start()
            elif not ready and child is not None:
                child.stop()
                child = None
                self.runs = False
        if child is not None:
            child.stop()


@dataclass(frozen=True, slots=True)
class Lake:
    """A MinIO that reports to Kafka, the connector, the bridge, and a function that KEDA scales."""

    cluster: Cluster
    minio: MinioServer
    connector: Penstock
    bridge: Penstock
    pods: PlayedPods

    def put(self, bucket: str, name: str) -> None:
        body = f"donor,amount\n{name},1\n".encode() * 50
        self.minio.endpoint.client().put_object(bucket, name, io.BytesIO(body), len(body), content_type="text/csv")

    def is_compressed(self, name: str) -> bool:
        client = self.minio.endpoint.client()
        return quiet(lambda: client.stat_object("processed", f"{name}.gz").size)()

    def replicas(self) -> int:
        return self.pods.numbers()[-1] if self.pods.wanted else -1

    def rests(self) -> None:
        """Waits for a Deployment at 0 whose last pod has ended: until then it takes events that KEDA never sees."""
        wait_until(lambda: self.replicas() == 0 and not self.pods.runs, "a Deployment at 0", PATIENCE_SECONDS)
        self.pods.wanted[:] = self.pods.wanted[-1:]

    def ready(self) -> str:
        """The status of KEDA's condition `Ready`: `True`, `Unknown` (some sources fail) or `False`."""
        path = f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/scaledobjects/compress"
        conditions = self.cluster.request("GET", path)["status"]["conditions"]
        return next((str(each["status"]) for each in conditions if each["type"] == "Ready"), "")

    def asks_bridge(self, name: str) -> float:
        with urllib.request.urlopen(f"http://{self.bridge.address}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        [found] = [line for line in lines if line.startswith(name)]
        return float(found.rpartition(" ")[2])


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("keda")
    function_port, bridge_port, connector_port = free_ports(3)
    with ExitStack() as stack:
        server = stack.enter_context(KubernetesServer(folder / "kubernetes"))
        cluster = Cluster(server)
        [source] = [each for each in GO_CRDS if each.name == "keda"]
        for definition in definitions(source.install()):
            path = cluster.define(definition)
            server.wait_until(lambda path=path: cluster.is_established(path), f"serving {path}")  # type: ignore[misc]
        cluster.namespace(NAMESPACE, "restricted")
        stack.enter_context(KedaServer(server.endpoint, folder / "operator"))
        # Of its own, for the connector's group and topic of dead letters have the names that are rendered.
        kafka = stack.enter_context(KafkaServer(folder / "kafka"))
        kafka.endpoint.create_topic("dead-letters")
        minio = stack.enter_context(minio_to_kafka(folder, kafka, TOPIC, "upload", "other", "processed"))
        settings = {
            "SOURCE": "s3://upload/*.csv s3://other/*.csv",
            "SINK": "s3://processed/{key}.gz",
            **store_settings(minio),
        }

        def start() -> Penstock:
            return serve("compress", folder, settings, function_port)

        addresses = {
            f"compress.{NAMESPACE}.svc.cluster.local": f"127.0.0.1:{function_port}",
            f"penstock-bridge.{NAMESPACE}.svc.cluster.local": f"127.0.0.1:{bridge_port}",
            "/data/inbox.db": str(folder / "inbox.db"),
        }
        documents = _documents(folder, kafka.endpoint.bootstrap_servers, addresses)
        wanted = ("ServiceAccount", "Service", "Deployment", "ScaledObject", "PodDisruptionBudget")
        cluster.apply([each for (kind, name), each in documents.items() if kind in wanted and name == "compress"])
        bridge = _container(documents["StatefulSet", "penstock-bridge"])
        connector = _container(documents["Deployment", "kafka-connector"])
        bridge_process = Penstock(
            "bridge", folder, *bridge["args"], "--allow-anonymous", address=f"127.0.0.1:{bridge_port}"
        )
        stack.callback(bridge_process.stop)
        environment = {each["name"]: each["value"] for each in connector["env"]}
        connector_process = Penstock(
            "connector", folder, *connector["args"], env=environment, address=f"127.0.0.1:{connector_port}"
        )
        stack.callback(connector_process.stop)
        connector_process.until(lambda: "kafka: assigned" in connector_process.text(), "partitions assigned")
        pods = stack.enter_context(PlayedPods(cluster, start))
        yield Lake(cluster, minio, connector_process, bridge_process, pods)


def _documents(folder: Path, kafka: str, addresses: dict[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    given = KubernetesSettings("registry.example/penstock:1", NAMESPACE, kafka, kafka_secret="")
    documents = render_one(
        folder,
        environment={"SOURCE": "s3://upload/*.csv s3://other/*.csv"},
        annotations={
            "topic": TOPIC,
            "penstock.dev/scale.zero": "true",
            "penstock.dev/scale.zero-duration": f"{STAYS_SECONDS}s",
            "penstock.dev/scale.max": str(MAX_PODS),
            "penstock.dev/scale.type": "capacity",
            "penstock.dev/scale.target": "1",
        },
        platform=lambda plans: render(plans, given),
    )
    text = json.dumps([[*key, value] for key, value in documents.items()])
    for name, address in addresses.items():
        text = text.replace(name, address)
    made = {(kind, name): {**each} for kind, name, each in json.loads(text)}
    for document in made.values():
        document.setdefault("metadata", {})["namespace"] = NAMESPACE
    return made


def _container(document: dict[str, Any]) -> dict[str, Any]:
    [found] = document["spec"]["template"]["spec"]["containers"]
    return dict(found)


def check_one_rise(numbers: list[int]) -> None:
    """From 0 and back to 0, once. In between Kubernetes' autoscaler may want as many as it wanted minutes before."""
    assert (numbers[0], numbers[-1]) == (0, 0)
    assert len(numbers) >= 3
    assert 0 not in numbers[1:-1]


def test_the_page_waits_for_what_comes(lake: Lake, tmp_path: Path) -> None:
    """The command that docs/deploying-kubernetes.md ends its deployment with, for KEDA's own operator."""
    block = block_with("deploying-kubernetes.md", "penstock render kubernetes")
    [command] = [line for line in commands(block) if "wait scaledobject --all" in line]
    command = command.replace("=penstock ", f"={NAMESPACE} ")
    settings = {"KUBECONFIG": str(lake.cluster.server.endpoint.kubeconfig)}
    run_script(command, tmp_path, KUBERNETES.install(), settings)


def test_lag_starts_a_function_from_zero_and_it_goes_back_to_zero(lake: Lake, record_property: Any) -> None:
    lake.rests()
    begin = time.monotonic()
    lake.put("upload", "one.csv")
    wait_until(lambda: lake.is_compressed("one.csv"), "the result of an event that found no pod", PATIENCE_SECONDS)
    record_property("event_to_result_seconds", round(time.monotonic() - begin, 1))
    scaled_at = next(at for at, number in lake.pods.wanted if number > 0)
    record_property("event_to_replica_seconds", round(scaled_at - begin, 1))
    wait_until(lambda: lake.replicas() == 0, "a Deployment at 0 again", PATIENCE_SECONDS)
    check_one_rise(lake.pods.numbers())
    record_property("stayed_seconds", round(lake.pods.wanted[-1][0] - scaled_at, 1))
    assert "dead letter:" not in lake.connector.text()


def test_what_waits_at_the_bridge_starts_a_function_from_zero(lake: Lake, record_property: Any) -> None:
    lake.rests()
    lake.put("other", "two.csv")  # no rule reports this bucket: the webhook below does
    begin = time.monotonic()
    body = put_event("other", "two.csv")
    with urllib.request.urlopen(f"http://{lake.bridge.address}/", body, timeout=30) as answer:
        assert answer.status == 202
    wait_until(lambda: lake.is_compressed("two.csv"), "the result of an event at the bridge", PATIENCE_SECONDS)
    record_property("event_to_result_seconds", round(time.monotonic() - begin, 1))
    wait_until(lambda: lake.replicas() == 0, "a Deployment at 0 again", PATIENCE_SECONDS)
    check_one_rise(lake.pods.numbers())
    assert lake.asks_bridge("penstock_inbox_dead") == 0


def test_much_lag_makes_as_many_pods_as_are_allowed_and_no_event_is_lost(lake: Lake) -> None:
    """From 1 to N it is Kubernetes' own autoscaler, which reads the lag from KEDA's metrics server."""
    lake.rests()
    lake.pods.may_start.clear()
    names = [f"many-{number}.csv" for number in range(60)]
    try:
        for name in names:
            lake.put("upload", name)
        wait_until(lambda: lake.replicas() == MAX_PODS, "as many pods as are allowed", PATIENCE_SECONDS)
    finally:
        lake.pods.may_start.set()
    wait_until(lambda: all(map(lake.is_compressed, names)), "every result", PATIENCE_SECONDS)
    wait_until(lambda: lake.replicas() == 0, "a Deployment at 0 again", PATIENCE_SECONDS)
    assert max(lake.pods.numbers()) == MAX_PODS
    assert "dead letter:" not in lake.connector.text()


def test_a_bridge_that_does_not_answer_stops_no_function(lake: Lake) -> None:
    """KEDA leaves the number of pods alone while one of its sources fails and none of the others is active.

    The bridge ends while there is still lag: KEDA counts the time to rest from the last lag that it saw.
    """
    lake.rests()
    lake.pods.may_start.clear()
    try:
        lake.put("upload", "three.csv")
        wait_until(lambda: lake.replicas() >= 1, "a pod", PATIENCE_SECONDS)
        lake.bridge.stop()
        wait_until(lambda: lake.ready() == "Unknown", "KEDA's report of one failing source", PATIENCE_SECONDS)
    finally:
        lake.pods.may_start.set()
    wait_until(lambda: lake.is_compressed("three.csv"), "the result", PATIENCE_SECONDS)
    wait_until(lambda: lake.ready() == "False", "KEDA's report that no source is active", PATIENCE_SECONDS)
    time.sleep(2 * STAYS_SECONDS)
    # Kubernetes' autoscaler may still want as many as a minute ago (its stabilization window is 5 minutes).
    assert lake.replicas() >= 1
