"""Each function sleeps until an object comes, does its work, and sleeps again; by Knative's own autoscaler."""

from __future__ import annotations

import gzip
import io
import time

import pytest
from PIL import Image

from tests.cluster.conftest import Show
from tests.cluster.lake import FUNCTIONS, NAMESPACE, ClusterLake
from tests.cluster.timeline import BridgeWatch, PodWatch, is_processed, metrics, process_started, processed_at, value_of
from tests.functional.test_build_context import photograph

ROWS = b"email, name\nada@example.com,Ada\n" * 1000


def test_platform_and_lake_are_up_in_the_order_of_the_pages(lake: ClusterLake, show: Show) -> None:
    show("set-up, seconds since its begin: " + ", ".join(f"{name} {at:.0f}" for name, at in lake.took.items()))
    revisions = lake.kubectl(
        "-n", NAMESPACE, "get", "controllerrevisions", "-l", "app.kubernetes.io/name=penstock-bridge", "-o", "name"
    )
    assert len(revisions.split()) == 1, "the bridge was changed after its first pod had started"
    restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    found = lake.kubectl("-n", NAMESPACE, "get", "pods", "-l", "app.kubernetes.io/component=bridge", "-o", restarts)
    assert found == "0", "the bridge's first pod did not know where to send"
    assert lake.left_out() == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_goes_to_zero_when_nothing_comes(lake: ClusterLake, name: str) -> None:
    lake.wait_for_zero(name)
    selector = ("-l", f"app.kubernetes.io/name={name}")
    replicas = lake.kubectl(
        "-n", NAMESPACE, "get", "deployments", *selector, "-o", "jsonpath={.items[*].spec.replicas}"
    )
    assert set(replicas.split()) == {"0"}


def test_compress_goes_from_zero_to_one_to_zero(lake: ClusterLake, show: Show) -> None:
    lake.wait_for_zero("compress")
    watch, bridge = PodWatch(lake), BridgeWatch(lake)
    key = "deeper/from zero.csv"
    begun = time.time()
    lake.put("upload", key, ROWS)
    lake.wait_until(lambda: lake.has("processed", f"{key}.gz"), "the result is there")
    result = time.time()
    assert gzip.decompress(lake.get("processed", f"{key}.gz")) == ROWS
    [pod] = [each["metadata"]["name"] for each in lake.pods("compress")]
    done = _processed_at(lake, pod, key)
    work = value_of(metrics(lake, pod), "penstock_request_seconds_sum")
    python = process_started(lake, "python index.py", begun)
    lake.wait_until(lambda: _is_seen(watch, "ready"), "the pod is seen ready")
    bridge.join(30)
    steps = {
        "the store's queue": bridge.took_at - begun,
        "bridge, Broker, activator, autoscaler": watch.first("compress", "made") - bridge.took_at,
        "scheduling": watch.first("compress", "scheduled") - watch.first("compress", "made"),
        "container": python - watch.first("compress", "scheduled"),
        "Python, readiness, request": done - work - python,
        "work": work,
    }
    show(f"compress from zero: event to result {done - begun:.2f} s (seen by a poll after {result - begun:.2f} s)")
    show("of it " + ", ".join(f"{step} {seconds:.2f}" for step, seconds in steps.items()))
    warm, bridge = "deeper/warm.csv", BridgeWatch(lake)
    again = time.time()
    lake.put("upload", warm, ROWS)
    lake.wait_until(lambda: lake.has("processed", f"{warm}.gz"), "the second result is there")
    bridge.join(30)
    took = _processed_at(lake, pod, warm) - again
    show(
        f"compress with its pod up: event to result {took:.2f} s, of it the store's queue {bridge.took_at - again:.2f}"
    )
    lake.wait_for_zero("compress")
    show(f"result to zero {time.time() - result:.0f} s")
    assert watch.most_at_once("compress") == 1
    watch.stop()


def _processed_at(lake: ClusterLake, pod: str, key: str) -> float:
    """When a pod's log says that an object was processed, which is a moment after its result is there."""

    def log() -> str:
        return lake.kubectl("-n", NAMESPACE, "logs", pod, "-c", "function")

    lake.wait_until(lambda: is_processed(log(), key), f"the log says that {key} was processed")
    return processed_at(log(), key)


def _is_seen(watch: PodWatch, what: str) -> bool:
    try:
        return watch.first("compress", what) > 0
    except AssertionError:
        return False


def test_resize_goes_from_zero_to_one_to_zero(lake: ClusterLake) -> None:
    lake.wait_for_zero("resize")
    lake.put("images", "deeper/rose.jpg", photograph())
    lake.wait_until(lambda: lake.has("processed", "deeper/rose.jpg"), "the smaller picture is there")
    with Image.open(io.BytesIO(lake.get("processed", "deeper/rose.jpg"))) as picture:
        assert picture.size == (400, 267)
    lake.wait_for_zero("resize")


def test_index_is_woken_by_results_and_by_questions(lake: ClusterLake) -> None:
    """What compress wrote is an object of `processed`, and so index has an entry for it in the file on its volume."""
    lake.put("upload", "indexed.csv", ROWS)
    lake.wait_until(lambda: lake.has("processed", "indexed.csv.gz"), "the result is there")
    lake.wait_until(
        lambda: "indexed.csv.gz" in lake.ask("index", "/?bucket=processed&key=indexed.csv.gz"), "the entry is there"
    )
    lake.wait_for_zero("index")
    lake.wait_until(
        lambda: "indexed.csv.gz" in lake.ask("index", "/?bucket=processed&key=indexed.csv.gz"),
        "the file outlives the pod",
    )
    lake.wait_for_zero("index")
