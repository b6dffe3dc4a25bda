"""One trace from an event to the requests to the object store, received as a collector would."""

from __future__ import annotations

import io
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.components import KafkaServer, MinioServer
from tests.components.process import Child, free_ports
from tests.integration.connect_helpers import QUICK, Penstock
from tests.integration.flow import put_event, serve
from tests.integration.processes import store_settings, wait_until
from tests.otlp import OtlpReceiver, way
from tests.paths import ROOT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def collector() -> Iterator[OtlpReceiver]:
    made = OtlpReceiver()
    yield made
    made.stop()


@pytest.fixture
def traced(collector: OtlpReceiver) -> dict[str, str]:
    """The settings with which a program sends its traces here, and soon."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
def function(tmp_path: Path, minio: MinioServer, unique_name: str, traced: dict[str, str]) -> Iterator[Penstock]:
    client = minio.endpoint.client()
    for bucket in (f"{unique_name}-in", f"{unique_name}-out"):
        client.make_bucket(bucket)
    body = b"donor,amount\nx,1\n" * 100
    client.put_object(f"{unique_name}-in", "one.csv", io.BytesIO(body), len(body))
    settings = {"SOURCE": f"s3://{unique_name}-in/*.csv", "SINK": f"s3://{unique_name}-out/{{key}}.gz"}
    child = serve("compress", tmp_path, {**settings, **store_settings(minio), **traced})
    yield child
    child.stop()


def test_a_record_of_kafka_leads_to_the_store_in_the_trace_of_its_header(
    tmp_path: Path,
    kafka: KafkaServer,
    unique_name: str,
    collector: OtlpReceiver,
    traced: dict[str, str],
    function: Penstock,
) -> None:
    for topic in (unique_name, "dead-letters-of-traces"):
        kafka.endpoint.create_topic(topic)
    words = ["--to", f"{unique_name}=compress=http://{function.address}/event", *QUICK]
    words += ["--set", f"bootstrap.servers={kafka.endpoint.bootstrap_servers}", "--set", f"group.id={unique_name}"]
    words += ["--dead-letter-topic", "dead-letters-of-traces"]
    connector = Penstock("connector", tmp_path, "connect", "kafka", *words, env=traced)
    try:
        producer = Producer({"bootstrap.servers": kafka.endpoint.bootstrap_servers})
        headers: list[tuple[str, str | bytes | None]] = [("traceparent", TRACEPARENT)]
        producer.produce(unique_name, put_event(f"{unique_name}-in", "one.csv"), headers=headers)
        producer.flush()
        wait_until(lambda: "store put" in {span.name for span in collector.spans(TRACE)}, "the request that writes")
        expected = [
            ("penstock-connect-kafka", "take compress"),
            ("penstock-connect-kafka", "deliver compress"),
            ("compress", "POST /event"),
            ("compress", "store put"),
        ]
        wait_until(lambda: way(collector.spans(TRACE), "store put") == expected, "the whole way")
    finally:
        connector.stop()
    [first] = [span for span in collector.spans(TRACE) if span.name == "take compress"]
    assert first.parent == CALLER
    [put] = [span for span in collector.spans(TRACE) if span.name == "store put"]
    assert (put.attributes["bucket"], put.attributes["key"]) == (f"{unique_name}-out", "one.csv.gz")
    assert not any(span.failed for span in collector.spans(TRACE))


def test_a_webhook_without_a_trace_begins_one_and_each_attempt_is_a_step_of_it(
    tmp_path: Path, unique_name: str, collector: OtlpReceiver, traced: dict[str, str], function: Penstock
) -> None:
    """The first attempts find nothing that listens; the event's CloudEvent then carries the trace to the function."""
    [port] = free_ports(1)
    # It never gives up: how long the relay takes to start is not known.
    words = ["--to", f"compress=http://127.0.0.1:{port}/event", "--allow-anonymous", "--attempts", "0", *QUICK]
    bridge = Penstock("bridge", tmp_path, "bridge", "--inbox", str(tmp_path / "inbox.db"), *words, env=traced)
    try:
        bridge.until(bridge.is_ready, "ready")
        body = put_event(f"{unique_name}-in", "one.csv")
        with urllib.request.urlopen(f"http://{bridge.address}/", body, timeout=30) as answer:
            assert answer.status == 202
        wait_until(lambda: any(span.failed for span in collector.spans()), "an attempt that failed")
        # From here on something listens: the function's own port, passed on.
        pair = f"{port}={function.address}"
        relay = Child(
            "relay", [sys.executable, "-m", "tests.components.relay", pair], tmp_path, {"PYTHONPATH": str(ROOT)}
        )
        relay.start()
        try:
            wait_until(lambda: "store put" in {span.name for span in collector.spans()}, "the request that writes")
            expected = [
                ("penstock-bridge", "POST"),
                ("penstock-bridge", "take compress"),
                ("penstock-bridge", "deliver compress"),
                ("compress", "POST /event"),
                ("compress", "store put"),
            ]
            wait_until(lambda: way(collector.spans(), "store put") == expected, "the whole way")
        finally:
            relay.stop()
    finally:
        bridge.stop()
    assert len({span.trace for span in collector.spans()}) == 1
    attempts = [span for span in collector.spans() if span.name == "deliver compress"]
    assert [span.failed for span in attempts] == [True] * (len(attempts) - 1) + [False]
    assert len({span.parent for span in attempts}) == 1
