"""A real Prometheus scrapes a function, the bridge, connectors and a watch: the dashboard has data, and alerts fire.

What is about Jobs and reconcile needs a cluster: tests/cluster/test_prometheus.py.
"""

from __future__ import annotations

import io
import itertools
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.components import KafkaServer, MinioServer, MosquittoServer, PrometheusApi, PrometheusServer
from tests.integration.connect_helpers import QUICK, Penstock, RecordingFunction
from tests.integration.flow import kafka_connector, put_event, serve
from tests.integration.processes import store_settings, wait_until
from tests.observability import dashboard_queries, rule_groups, unanswered

SOURCE, TARGET, LISTED, TOPIC, SLOW = "observed-in", "observed-out", "observed-listed", "observed", "observed-slow"
DEAD = "observed-dead"
KEYS = [f"donors-{number}.csv" for number in range(5)]
ON_A_CLUSTER = ("kube_", "penstock_jobs")
GONE = {"alertname": "PenstockWatchStopped", "namespace": "penstock", "severity": "warning"}  # and no pod
LAG = 10_001  # one more than PenstockLag lets pass


class Lake:
    """The processes that are scraped, and the Prometheus that scrapes them."""

    def __init__(self, folder: Path, minio: MinioServer, kafka: KafkaServer, mosquitto: MosquittoServer) -> None:
        self.minio = minio
        self.kafka = kafka
        self._stack = ExitStack()
        self.scraped: dict[str, str] = {}
        client = minio.endpoint.client()
        for bucket in (SOURCE, TARGET, LISTED):
            client.make_bucket(bucket)
        for key in KEYS:
            client.put_object(SOURCE, key, io.BytesIO(b"donor,amount\nx,1\n"), 17)
        for topic in (TOPIC, SLOW, DEAD):
            kafka.endpoint.create_topic(topic)
        settings = {"SOURCE": f"s3://{SOURCE}/*.csv", "SINK": f"s3://{TARGET}/{{key}}.gz", **store_settings(minio)}
        self.function = self._started("compress-0", serve("compress", folder, settings))
        self.never = RecordingFunction(lambda path, body: 503)
        self._stack.callback(self.never.stop)
        event = f"http://{self.function.address}/event"
        words = ["--to", f"compress={event}", "--allow-anonymous", *QUICK]
        self.bridge = self._started(
            "bridge-0", Penstock("bridge", folder, "bridge", "--inbox", str(folder / "bridge.db"), *words)
        )
        url = f"mqtt://{mosquitto.endpoint.host}:{mosquitto.endpoint.port}"
        words = ["--url", url, "--client-id", TOPIC, "--inbox", str(folder / "mqtt.db"), "--to", f"{TOPIC}={event}"]
        self._started("mqtt-0", Penstock("mqtt", folder, "connect", "mqtt", *words, *QUICK))
        words = ["watch", f"s3://{LISTED}/", "--to", f"{self.never.url}/", "--every", "1s"]
        words += ["--state", str(folder / "watch.db")]
        self.watch = self._started("watch-0", Penstock("watch", folder, *words, env=store_settings(minio)))
        connector = kafka_connector(
            kafka, folder, "kafka", {TOPIC: event, SLOW: f"{self.never.url}/"}, "--dead-letter-topic", DEAD
        )
        self.scraped["kafka-0"] = self._stack.enter_context(connector).address
        scrapes: list[dict[str, Any]] = [
            {
                "job_name": pod,
                "static_configs": [{"targets": [address], "labels": {"namespace": "penstock", "pod": pod}}],
            }
            for pod, address in self.scraped.items()
        ]
        # The alerts about a watch look back for an hour, which a test cannot wait for.
        groups = rule_groups({"1h": "10s"})
        server = PrometheusServer(folder / "prometheus", scrapes=scrapes, groups=groups)
        self.prometheus = self._stack.enter_context(server).endpoint.api()

    def _started(self, pod: str, process: Penstock) -> Penstock:
        self._stack.callback(process.stop)
        self.scraped[pod] = process.address
        return process

    def post(self, bucket: str, key: str) -> None:
        """Send the bridge an event, as MinIO does."""
        with urllib.request.urlopen(f"http://{self.bridge.address}/", put_event(bucket, key), timeout=30) as answer:
            assert answer.status == 202

    def produce(self, topic: str, *values: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.kafka.endpoint.bootstrap_servers, "linger.ms": 20})
        for value in values:
            producer.produce(topic, value)
        producer.flush(60)

    def stop(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def lake(
    tmp_path_factory: pytest.TempPathFactory, minio: MinioServer, kafka: KafkaServer, mosquitto: MosquittoServer
) -> Iterator[Lake]:
    made = Lake(tmp_path_factory.mktemp("observed"), minio, kafka, mosquitto)
    ended = threading.Event()

    def keep_busy() -> None:
        for key in itertools.cycle(KEYS):
            if ended.wait(0.3):
                return
            made.produce(TOPIC, put_event(SOURCE, key))
            with suppress(OSError):  # a bridge that takes long on a busy machine is asked again
                made.post(SOURCE, key)

    thread = threading.Thread(target=keep_busy)
    thread.start()
    yield made
    ended.set()
    thread.join()
    made.stop()


def fires(prometheus: PrometheusApi, alert: str, **labels: str) -> None:
    def found() -> bool:
        return any(labels.items() <= each.items() for each in prometheus.firing().get(alert, []))

    wait_until(found, f"{alert} fires for {labels}")


def test_every_process_is_scraped(lake: Lake) -> None:
    def states() -> dict[str, str]:
        return {labels["pod"]: state for labels, state in lake.prometheus.targets()}

    wait_until(lambda: states() == dict.fromkeys(lake.scraped, "up"), "all are up")


def test_every_query_of_the_dashboard_has_data(lake: Lake) -> None:
    queries = dashboard_queries(without=ON_A_CLUSTER)
    assert len(queries) > 20
    wait_until(lambda: not unanswered(lake.prometheus, queries), "every query has data", 300)


def test_query_of_what_nothing_exposes_has_no_data(lake: Lake) -> None:
    assert unanswered(lake.prometheus, [("x", "sum(penstock_event_total)")])


def test_lake_at_work_fires_no_alert(lake: Lake) -> None:
    busy = 'sum(rate(penstock_events_total{outcome="processed"}[1m])) > 0'
    wait_until(lambda: bool(lake.prometheus.query(busy)), "events are worked on")
    # A scrape that came too late on a busy machine looks like a watch that is gone, until the next one.
    wait_until(lambda: lake.prometheus.firing() == {}, "no alert fires")


def test_dead_letters_of_bridge_and_connector_fire(lake: Lake) -> None:
    lake.post("of-another-lake", "x.csv")
    fires(lake.prometheus, "PenstockDeadLetters")
    lake.produce(TOPIC, put_event("of-another-lake", "x.csv"))
    fires(lake.prometheus, "PenstockDeadLettersInKafka")


def test_lag_fires(lake: Lake) -> None:
    lake.produce(SLOW, *(b"%d" % number for number in range(LAG + 1)))
    fires(lake.prometheus, "PenstockLag", topic=SLOW)


def test_watch_whose_hints_are_not_taken_fires(lake: Lake) -> None:
    lake.minio.endpoint.client().put_object(LISTED, "x.csv", io.BytesIO(b"x"), 1)
    fires(lake.prometheus, "PenstockWatchTargetFails")
    lake.never.answer = lambda path, body: 200 if b"x.csv" in body else 503


def test_watch_whose_listings_fail_and_watch_that_is_gone_fire(lake: Lake) -> None:
    def quiet() -> bool:
        return "PenstockWatchStopped" not in lake.prometheus.firing()

    rounds = 'penstock_watch_rounds_total{outcome="whole"} > 2'
    wait_until(lambda: bool(lake.prometheus.query(rounds)) and quiet(), "listings end, and nothing fires")
    lake.minio.endpoint.client().remove_object(LISTED, "x.csv")
    lake.minio.endpoint.client().remove_bucket(LISTED)
    fires(lake.prometheus, "PenstockWatchStopped", pod="watch-0")
    lake.minio.endpoint.client().make_bucket(LISTED)
    wait_until(quiet, "it ends with a listing that ends")
    lake.watch.kill()
    wait_until(
        lambda: lake.prometheus.firing().get("PenstockWatchStopped") == [GONE], "it fires for a watch that is gone"
    )
