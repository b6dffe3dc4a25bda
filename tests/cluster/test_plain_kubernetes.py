"""docs/deploying-kubernetes.md on a real kubelet: KEDA's operator starts pods by Kafka's lag and by the bridge."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.cluster.conftest import Show
from tests.cluster.lake import FUNCTIONS
from tests.cluster.plain import PlainLake
from tests.cluster.test_networks_and_rights import call
from tests.cluster.timeline import PodWatch, is_processed, metrics, process_started, processed_at, value_of
from tests.components.cluster import ClusterServer
from tests.components.process import LOOPBACK, free_ports
from tests.integration.flow import put_event

ROWS = b"email, name\nada@example.com,Ada\n" * 1000


@pytest.fixture(scope="module")
def plain(server: ClusterServer) -> Iterator[PlainLake]:
    with tempfile.TemporaryDirectory(prefix="penstock-plain-lake-") as folder:
        made = PlainLake(server, Path(folder))
        made.deploy()
        yield made
        made.remove()


def test_every_command_of_the_page_was_run_and_its_pods_are_up(plain: PlainLake, show: Show) -> None:
    show("set-up, seconds since its begin: " + ", ".join(f"{name} {at:.0f}" for name, at in plain.took.items()))
    assert plain.left_out() == []
    kubectl = ("-n", plain.namespace)
    plain.kubectl(*kubectl, "rollout", "status", "deployment/kafka-connector", "--timeout=180s")
    plain.kubectl(*kubectl, "rollout", "status", "statefulset/penstock-bridge", "--timeout=180s")
    restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    assert set(plain.kubectl(*kubectl, "get", "pods", "-o", restarts).split()) == {"0"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_keda_takes_away_the_pod_that_a_new_deployment_has(plain: PlainLake, name: str) -> None:
    plain.wait_for_zero(name)
    assert replicas(plain, name) == 0


def test_an_upload_wakes_compress_by_lag_and_its_result_wakes_index(plain: PlainLake, show: Show) -> None:
    watch = PodWatch(plain)
    key = "deeper/from zero.csv"
    before = last_offset(plain, "upload")
    begun = time.time()
    plain.put("upload", key, ROWS)
    plain.wait_until(lambda: plain.has("processed", f"{key}.gz"), "the result is there", 300)
    assert gzip.decompress(plain.get("processed", f"{key}.gz")) == ROWS
    pod = processed_in(plain, "compress", key)
    done = processed_at(log(plain, pod), key)
    work = value_of(metrics(plain, pod), "penstock_request_seconds_sum")
    python = process_started(plain, "python index.py", begun)
    sent = record_time(plain, "upload", before)
    made, scheduled = watch.first("compress", "made"), watch.first("compress", "scheduled")
    steps = {
        "the store's queue": sent - begun,
        "KEDA's next look at Kafka": made - sent,
        "scheduling": scheduled - made,
        "container": python - scheduled,
        "Python, readiness, the connector's next attempt": done - work - python,
        "work": work,
    }
    show(f"compress from zero by Kafka's lag: event to result {done - begun:.2f} s")
    show("of it " + ", ".join(f"{step} {seconds:.2f}" for step, seconds in steps.items()))
    processed_in(plain, "index", f"{key}.gz")
    plain.wait_for_zero("compress")
    show(f"result to zero {time.time() - done:.0f} s")
    plain.wait_for_zero("index")
    assert replicas(plain, "compress") == replicas(plain, "index") == 0
    assert watch.most_at_once("compress") == 1
    assert set(watch.restarts("compress")) == {0}
    watch.stop()


def test_what_waits_at_the_bridge_wakes_compress(plain: PlainLake) -> None:
    """The result is taken away first, so that what makes it again is the event at the bridge alone."""
    key = "deeper/from zero.csv"
    plain.store.remove_object(bucket_name="processed", object_name=f"{key}.gz")
    (port,) = free_ports(1)
    address = plain.kubectl(
        "-n", plain.namespace, "get", "service", "penstock-bridge", "-o", "jsonpath={.spec.clusterIP}"
    )
    plain.server.relay(port, f"{address}:80")
    headers = {"Authorization": f"Bearer {plain.secret('bridge-token')}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{LOOPBACK}:{port}/", put_event("upload", key), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202
    plain.wait_until(lambda: plain.has("processed", f"{key}.gz"), "the result of the event is there", 300)
    plain.wait_for_zero("compress")


def test_only_who_is_named_reaches_the_bridge(plain: PlainLake) -> None:
    [bridge] = plain.pods("penstock-bridge", "bridge")
    address = bridge["status"]["podIP"]
    assert "connected" in call(plain, "keda", address, 8080)
    assert "TimeoutError" in call(plain, "default", address, 8080)


def replicas(lake: PlainLake, name: str) -> int:
    told = lake.kubectl("-n", lake.namespace, "get", "deployment", name, "-o", "json")
    return int(json.loads(told)["spec"]["replicas"])


def log(lake: PlainLake, pod: str) -> str:
    return lake.kubectl("-n", lake.namespace, "logs", pod, "-c", "function", check=False)


def processed_in(lake: PlainLake, function: str, key: str) -> str:
    """The pod whose log says that it processed an object, once one does."""
    found: list[str] = []

    def said() -> bool:
        names = [each["metadata"]["name"] for each in lake.pods(function)]
        found[:] = [name for name in names if is_processed(log(lake, name), key)]
        return bool(found)

    lake.wait_until(said, f"a pod of {function} says that {key} was processed", 300)
    return found[0]


def last_offset(lake: PlainLake, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": lake.kafka.bootstrap_servers, "group.id": "tests"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1])
    finally:
        consumer.close()


def record_time(lake: PlainLake, topic: str, offset: int) -> float:
    """When MinIO sent a record, by the record; seconds since 1970."""
    consumer = Consumer({"bootstrap.servers": lake.kafka.bootstrap_servers, "group.id": "tests"})
    try:
        consumer.assign([TopicPartition(topic, 0, offset)])
        record = consumer.poll(60)
        assert record is not None
        assert record.error() is None
        return float(record.timestamp()[1]) / 1000
    finally:
        consumer.close()
