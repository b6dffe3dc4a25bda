"""Many objects at once, killed pods, and a new version in the middle of the work: nothing is lost."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import urllib3

from tests.cluster.conftest import Show
from tests.cluster.lake import COMPRESS_PODS, NAMESPACE, NEXT_TAG, ClusterLake, image
from tests.cluster.timeline import PodWatch, metrics, value_of
from tests.components.errors import ComponentError
from tests.components.http import HttpError

CONCURRENCY = 4  # THREADS of stack.yml, and so containerConcurrency of the Service
BURST = 200
KILLS = 2
WAITING = 40  # objects without a result, in a steady load
_ROWS = b"some,columns,of,a,table\n"


def upload(lake: ClusterLake, prefix: str, objects: int, size_bytes: int = 100_000) -> set[str]:
    """Upload objects that are all different, eight at a time; returns the keys of their results."""
    keys = [f"{prefix}/{number:04}.csv" for number in range(objects)]
    random = os.urandom(size_bytes // 2).hex().encode()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: lake.put("upload", key, key.encode() + _ROWS + random), keys))
    return {f"{key}.gz" for key in keys}


@contextmanager
def steady_uploads(lake: ClusterLake, prefix: str, size_bytes: int = 100_000) -> Iterator[set[str]]:
    """Upload ten objects after ten others until the block ends; yields the keys of their results, which grow.

    The next ten wait until fewer than `WAITING` results are missing: there is always work, and no more than that.
    """
    ended = threading.Event()
    wanted: set[str] = set()

    def upload_all() -> None:
        for number in count():
            while len(wanted - lake.keys("processed", f"{prefix}/")) >= WAITING:
                if ended.wait(0.1):
                    return
            if ended.is_set():
                return
            wanted.update(upload(lake, f"{prefix}/{number:03}", 10, size_bytes))

    with ThreadPoolExecutor(1) as pool:
        uploads = pool.submit(upload_all)
        try:
            yield wanted
        finally:
            ended.set()
            uploads.result()


def dead_letters(lake: ClusterLake) -> str:
    return lake.kubectl(
        "-n", NAMESPACE, "exec", "penstock-bridge-0", "--", "penstock", "dlq", "list", "--inbox", "/data/inbox.db"
    )


def running(lake: ClusterLake) -> list[str]:
    """The names of the pods of compress that have started."""
    return [
        each["metadata"]["name"]
        for each in lake.pods("compress")
        if any(status.get("started") for status in each["status"].get("containerStatuses", []))
    ]


class Sampler(threading.Thread):
    """Looks at every pod of compress again and again: requests in flight, and whether the probes are answered."""

    def __init__(self, lake: ClusterLake) -> None:
        super().__init__(daemon=True)
        self._lake = lake
        self.in_flight: list[float] = []
        self.health: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        request = self._lake.server.endpoint.request
        while not self.stopped.is_set():
            try:
                pods = running(self._lake)
            except ComponentError:  # a busy API server
                continue
            for pod in pods:
                try:
                    self.in_flight.append(value_of(metrics(self._lake, pod), "penstock_in_flight"))
                    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/_/health"
                    self.health.append(str(request("GET", path)).strip())
                except (HttpError, ComponentError, urllib3.exceptions.HTTPError):  # the pod has just gone
                    continue
            time.sleep(0.2)


def test_burst_is_worked_off_within_the_limits(lake: ClusterLake, show: Show) -> None:
    """200 objects at once: no more pods than max-scale, no more requests in a pod than it takes, probes answered."""
    lake.wait_for_zero("compress")
    watch, sampler = PodWatch(lake), Sampler(lake)
    sampler.start()
    begun = time.monotonic()
    wanted = upload(lake, "burst", BURST)
    uploaded = time.monotonic() - begun
    lake.wait_until(lambda: wanted <= lake.keys("processed", "burst/"), "every result is there", 400)
    took = time.monotonic() - begun
    sampler.stopped.set()
    sampler.join()
    restarts = watch.restarts("compress")  # as the stream tells: a pod may be gone by now
    most = watch.most_at_once("compress")
    watch.stop()
    show(
        f"burst of {BURST} objects of 100 KB from zero: uploaded in {uploaded:.1f} s, all results after {took:.1f} s; "
        f"at most {most} pods of {COMPRESS_PODS}, {max(sampler.in_flight):.0f} requests in one of {CONCURRENCY}"
    )
    assert 1 < most <= COMPRESS_PODS
    # Reading the metrics and the probe of this test are requests too.
    assert 1 < max(sampler.in_flight) <= CONCURRENCY + 2
    assert set(sampler.health) == {"ok"}
    assert set(restarts) == {0}
    assert "burst/" not in dead_letters(lake)


def test_pods_that_are_killed_in_their_work_lose_nothing(lake: ClusterLake, show: Show) -> None:
    killed: set[str] = set()

    def kill_one_at_work() -> bool:
        for pod in running(lake):
            if pod not in killed and value_of(_metrics_or_none(lake, pod), "penstock_in_flight") > 1:
                lake.kubectl("-n", NAMESPACE, "delete", "pod", pod, "--force", "--grace-period=0")
                killed.add(pod)
                break
        return len(killed) >= KILLS

    with steady_uploads(lake, "killed", 5_000_000) as wanted:
        lake.wait_until(kill_one_at_work, f"{KILLS} pods were found at work", 400)
    lake.wait_until(lambda: wanted <= lake.keys("processed", "killed/"), "every result is there", 400)
    show(f"{len(wanted)} objects of 5 MB with {len(killed)} pods killed in their work: every result is there")
    assert "killed/" not in dead_letters(lake)


def _metrics_or_none(lake: ClusterLake, pod: str) -> dict[str, float]:
    try:
        return dict(metrics(lake, pod))
    except HttpError:
        return {}


def test_new_version_under_load_loses_nothing(lake: ClusterLake, show: Show) -> None:
    """Objects come all the time while a revision with another image takes over."""
    before = _revision(lake)
    with steady_uploads(lake, "rollout") as wanted:
        lake.wait_until(lambda: bool(lake.keys("processed", "rollout/")), "the first results are there", 180)
        begun = time.monotonic()
        newer = image("compress", NEXT_TAG)
        change = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": newer}]
        lake.kubectl("-n", NAMESPACE, "patch", "ksvc", "compress", "--type=json", "-p", json.dumps(change))
        lake.wait_until(lambda: _revision(lake) not in ("", before), "the new revision is ready", 180)
        took = time.monotonic() - begun
        seen = len(lake.keys("processed", "rollout/"))
        lake.wait_until(lambda: len(lake.keys("processed", "rollout/")) > seen + 10, "the new one works", 180)
    lake.wait_until(lambda: wanted <= lake.keys("processed", "rollout/"), "every result is there", 300)
    show(f"roll-out under load: the new revision took over after {took:.0f} s; {len(wanted)} of {len(wanted)} results")
    assert "rollout/" not in dead_letters(lake)


def _revision(lake: ClusterLake) -> str:
    """The revision that is ready and gets the requests."""
    path = "jsonpath={.status.latestReadyRevisionName}"
    return lake.kubectl("-n", NAMESPACE, "get", "ksvc", "compress", "-o", path)
