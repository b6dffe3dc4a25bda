"""What /metrics and the probes of a connector answer."""

import socket
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack

from penstock.delivery.deliverer import DeliveryOutcome, Message, Verdict
from penstock.delivery.measures import DeliveryMeasures
from penstock.process.metric_table import Measure
from penstock.process.status_server import StatusServer

from tests.waiting import wait_until


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


def test_probes_say_what_is_wrong_and_metrics_count_attempts() -> None:
    measures = DeliveryMeasures()
    message = Message("k", b"", {}, "test", "compress")
    measures.observe(message, Verdict(DeliveryOutcome.RETRY, 503), 0.01)
    measures.observe(message, Verdict(DeliveryOutcome.DELIVERED, 200), 0.2)
    measures.gauge(
        Measure("penstock_example", "gauge", ("topic",), "Example.", "other"),
        lambda: [({"topic": "a"}, 1), ({"topic": "b"}, 2)],
    )
    server = StatusServer(("127.0.0.1", 0), measures, ill=str, unready=lambda: "no broker")
    server.start()
    try:
        assert get(server.port, "/_/health") == (200, "ok\n")
        assert get(server.port, "/_/ready") == (503, "no broker\n")
        assert get(server.port, "/elsewhere")[0] == 404
        status, text = get(server.port, "/metrics")
    finally:
        server.stop()
    assert status == 200
    for line in (
        'penstock_delivery_attempts_total{outcome="retry",target="compress"} 1.0',
        'penstock_delivery_seconds_bucket{le="0.025",target="compress"} 1.0',
        'penstock_delivery_seconds_count{target="compress"} 2.0',
        'penstock_example{topic="b"} 2.0',
    ):
        assert line in text


def test_callers_that_never_end_their_request_lose_their_connection_and_keep_no_thread() -> None:
    server = StatusServer(("127.0.0.1", 0), DeliveryMeasures(), ill=str, unready=str, connection_seconds=0.5)
    server.start()
    before = set(threading.enumerate())
    try:
        with ExitStack() as held:
            slow = [held.enter_context(socket.create_connection(("127.0.0.1", server.port), 60)) for _ in range(8)]
            for number, connection in enumerate(slow):
                connection.sendall(b"GET /_/health HTTP/1.1\r\nHost: a"[: 4 * number])
            assert get(server.port, "/_/health") == (200, "ok\n")
            assert [connection.recv(1) for connection in slow] == [b""] * 8
        wait_until(lambda: set(threading.enumerate()) <= before)
    finally:
        server.stop()
