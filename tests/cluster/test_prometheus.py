"""Prometheus scrapes the pods that the monitors name, through NetworkPolicies; the dashboard has data, alerts fire."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest

from tests.cluster.lake import NAMESPACE, ClusterLake
from tests.cluster.large import large_picture
from tests.cluster.monitoring import start_prometheus
from tests.cluster.test_under_load import steady_uploads
from tests.components.prometheus import PrometheusApi
from tests.functional.test_build_context import photograph
from tests.observability import dashboard_queries, unanswered

# These need Kafka, MQTT and a watch: tests/integration/test_prometheus.py puts the queries about them.
ELSEWHERE = ("penstock_kafka", "penstock_dead_letters_total", "penstock_mqtt", "penstock_watch")


@pytest.fixture(scope="module")
def prometheus(lake_with_jobs: ClusterLake) -> PrometheusApi:
    return start_prometheus(lake_with_jobs)


@contextmanager
def all_functions_at_work(lake: ClusterLake, prefix: str) -> Iterator[None]:
    """Tables and pictures come until the block ends; what becomes of tables is indexed."""
    ended = threading.Event()

    def upload_pictures() -> None:
        for number in count():
            if ended.wait(1):
                return
            lake.put("images", f"{prefix}/{number}.jpg", photograph())

    with ThreadPoolExecutor(1) as pool, steady_uploads(lake, prefix):
        pictures = pool.submit(upload_pictures)
        try:
            yield
        finally:
            ended.set()
            pictures.result()


def fires(lake: ClusterLake, prometheus: PrometheusApi, alert: str, **labels: str) -> None:
    def found() -> bool:
        return any(labels.items() <= each.items() for each in prometheus.firing().get(alert, []))

    lake.wait_until(found, f"{alert} fires for {labels}")


def test_every_pod_that_a_monitor_names_is_scraped(lake_with_jobs: ClusterLake, prometheus: PrometheusApi) -> None:
    lake = lake_with_jobs
    wanted = {
        "penstock-functions-knative/0": {"compress", "resize", "index"},
        "penstock-delivery/0": {"penstock-bridge", "penstock-jobs-watcher"},
        "minio/0": {"minio"},
        "kube-state/0": {"kube-state"},
    }

    def scraped() -> bool:
        """Whether each has a pod that is up, and nothing else is found; pods come and go meanwhile."""
        targets = [(labels["job"], labels["pod"], state) for labels, state in prometheus.targets()]
        up = {
            job: {name for name in names for at, pod, state in targets if (at, state) == (job, "up") and name in pod}
            for job, names in wanted.items()
        }
        return up == wanted and {job for job, _, _ in targets} == wanted.keys()

    with all_functions_at_work(lake, "scraped"):
        lake.wait_until(scraped, "all that the monitors name is up, and nothing else")
        # The functions' own metrics, not those of queue-proxy beside them.
        seen = {labels["function"] for labels, _ in prometheus.query("penstock_in_flight")}
    assert seen == {"compress", "resize", "index"}


def test_every_query_of_the_dashboard_has_data(lake_with_jobs: ClusterLake, prometheus: PrometheusApi) -> None:
    queries = dashboard_queries(without=ELSEWHERE)
    assert len(queries) > 15
    lake = lake_with_jobs
    lake.put("images", "large/observed.jpg", large_picture())
    with all_functions_at_work(lake, "observed"):
        lake.wait_until(lambda: not unanswered(prometheus, queries), "every query has data")


def test_refused_event_fires(lake_with_jobs: ClusterLake, prometheus: PrometheusApi) -> None:
    def dead() -> float:
        """Dead letters of the bridge; an answer without the series is one of a moment without a scrape."""
        lake_with_jobs.wait_until(lambda: bool(prometheus.query("penstock_inbox_dead")), "the bridge is scraped")
        return sum(value for _, value in prometheus.query("penstock_inbox_dead"))

    before = dead()
    lake_with_jobs.put("images", "observed/not a picture.jpg", b"this is text")
    lake_with_jobs.wait_until(lambda: dead() > before, "the dead letter is counted")
    fires(lake_with_jobs, prometheus, "PenstockDeadLetters", namespace=NAMESPACE, pod="penstock-bridge-0")


def test_what_reconcile_cannot_mend_fires(lake_with_jobs: ClusterLake, prometheus: PrometheusApi) -> None:
    """A target is missing and the function may not write: its Job fails, and the alert ends with the failed Job."""
    lake, key, name = lake_with_jobs, "drifted.csv", f"compress-reconcile-{time.time_ns()}"
    lake.put("upload", key, b"a,b\n")
    lake.wait_until(lambda: lake.has("processed", f"{key}.gz"), "the result is there")
    lake.wait_for_zero("compress")
    lake.store.remove_object(bucket_name="processed", object_name=f"{key}.gz")
    lake.mc("admin", "policy", "detach", "lake", "functions", "--user", "functions")
    try:
        lake.kubectl("-n", NAMESPACE, "create", "job", name, "--from=cronjob/compress-reconcile")
        fires(lake, prometheus, "PenstockReconcileFailed", namespace=NAMESPACE, job_name=name)
    finally:
        lake.mc("admin", "policy", "attach", "lake", "functions", "--user", "functions")
    lake.kubectl("-n", NAMESPACE, "delete", "job", name)
    lake.wait_until(lambda: "PenstockReconcileFailed" not in prometheus.firing(), "the alert ends with its Job")
    mended = f"{name}-again"
    lake.kubectl("-n", NAMESPACE, "create", "job", mended, "--from=cronjob/compress-reconcile")
    lake.kubectl("-n", NAMESPACE, "wait", f"job/{mended}", "--for=condition=Complete", "--timeout=180s")
    assert lake.has("processed", f"{key}.gz")
