"""The watcher's probe and metrics."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from penstock.jobs.job import Job
from penstock.jobs.measures import ILL_AFTER_SECONDS, JobMeasures
from penstock.process.status_server import StatusServer
from penstock.runtime.outcome import Offload

from tests.clock import Clock
from tests.unit.jobs.cluster import MemoryCluster
from tests.unit.jobs.conftest import large


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def measures(clock: Clock) -> JobMeasures:
    return JobMeasures(clock)


@pytest.fixture
def url(measures: JobMeasures) -> Iterator[str]:
    server = StatusServer(("127.0.0.1", 0), measures, ill=measures.problem, unready=str)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_is_ill_when_no_list_came_for_long(url: str, measures: JobMeasures, clock: Clock) -> None:
    assert get(f"{url}/_/health") == (200, "ok\n")
    clock.now = ILL_AFTER_SECONDS + 1
    assert get(f"{url}/_/health") == (503, "no list of Jobs for 181 seconds\n")
    measures.listed()
    assert get(f"{url}/_/health") == (200, "ok\n")


def test_it_counts_jobs_by_state_and_by_how_they_ended(
    url: str, measures: JobMeasures, cluster: MemoryCluster, offload: Offload
) -> None:
    offload(large("a.csv"))
    offload(large("b.csv"))
    done, _ = cluster.stored
    cluster.end(done)
    jobs = [Job.read(document) for document in cluster.stored.values()]
    measures.seen(jobs)
    measures.settled(jobs[0])
    measures.dead_letter_failed()
    _, text = get(f"{url}/metrics")
    assert 'penstock_jobs{function="upper",state="waiting"} 1.0' in text
    assert 'penstock_jobs{function="upper",state="running"} 0.0' in text
    assert 'penstock_jobs_settled_total{end="succeeded",function="upper"} 1.0' in text
    assert "penstock_jobs_dead_letter_failures_total 1.0" in text


def test_there_is_nothing_else(url: str) -> None:
    assert get(f"{url}/")[0] == 404
