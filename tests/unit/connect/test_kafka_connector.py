"""The connector on librdkafka's own mock brokers, with real HTTP functions."""

import base64
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from penstock import events
from penstock.connect.kafka import group_member as group_member_module
from penstock.connect.kafka import offsets as offsets_module
from penstock.connect.kafka.connector import Connector, Limits
from penstock.connect.kafka.dead_letter_log import DeadLetterLog
from penstock.connect.kafka.records import openfaas
from penstock.connect.subscription_watch import PATIENCE_SECONDS, SubscriptionWatch
from penstock.connect.subscriptions import Finder, from_pairs
from penstock.delivery.deliverer import Policy
from penstock.errors import ConfigError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.clock import Clock
from tests.paths import EVENTS
from tests.unit.connect.mock_kafka import Cluster
from tests.waiting import wait_until

LARGEST_DEAD_LETTER = 4000
KAFKA_VALUE = (EVENTS / "kafka_value.json").read_bytes()


class Running:
    """One connector for all tests here, because joining a group takes the mock three seconds.

    Each test has a topic of its own; topic `x` goes to the function `x`, topic `both` to two functions.
    """

    def __init__(self, server: HTTPServer) -> None:
        self.cluster = Cluster()
        pairs = [
            f"{name}={server.url_for(f'/function/{name}')}"
            for name in ("fine", "poison", "stuck", "seen", "lost", "large", "compacted", "told")
        ]
        # A dead letter names its target, so no broker takes one for this URL.
        pairs.append(f"unstorable={server.url_for('/function/unstorable')}?{'x' * LARGEST_DEAD_LETTER}")
        pairs += [f"both={server.url_for(f'/function/{name}')}" for name in ("one", "other")]
        subscriptions = from_pairs(pairs, None)
        self.cluster.create(*subscriptions.topics)
        self.connector = Connector(
            {
                "bootstrap.servers": self.cluster.servers,
                "statistics.interval.ms": "100",
                "message.max.bytes": str(LARGEST_DEAD_LETTER),
            },
            openfaas("text/plain"),
            Finder(lambda: subscriptions),
            "dead-letters",
            policy=Policy(attempts=0, min_wait_seconds=0.02, max_wait_seconds=0.02, max_in_flight=4),
            limits=Limits(max_uncommitted=10, drain_seconds=5, commit_seconds=0.05),
        )
        self.connector.check()
        self._thread = threading.Thread(target=self.connector.run)
        self._thread.start()

    def stop(self) -> None:
        self.connector.stop()
        self._thread.join()


@pytest.fixture
def unfinished(make_httpserver: HTTPServer) -> Iterator[Running]:
    """A connector of its own, for a record that stays unfinished as long as the connector runs."""
    made = Running(make_httpserver)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def running(make_httpserver: HTTPServer) -> Iterator[Running]:
    made = Running(make_httpserver)
    yield made
    made.stop()


def bodies(httpserver: HTTPServer, path: str = "/") -> list[bytes]:
    return [request.data for request, _ in httpserver.log if request.path == path]


def test_records_are_delivered_in_order_and_their_offsets_committed(running: Running, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/function/fine").respond_with_data("ok")
    running.cluster.produce("fine", *(("k", b"%d" % number) for number in range(20)))
    wait_until(lambda: running.cluster.committed("fine") == 20)
    assert bodies(httpserver, "/function/fine") == [b"%d" % number for number in range(20)]
    request = httpserver.log[7][0]
    assert {name: request.headers[name] for name in ("X-Topic", "X-Kafka-Offset", "X-Kafka-Key", "X-Kafka-Team")} == {
        "X-Topic": "fine",
        "X-Kafka-Offset": "7",
        "X-Kafka-Key": "k",
        "X-Kafka-Team": "lake",
    }


def test_refused_record_becomes_a_dead_letter_with_the_reason_and_its_offset_moves(
    running: Running, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/function/poison").respond_with_data("not an image", 422)
    running.cluster.produce("poison", ("k", b"poison"))
    [(value, headers)] = running.cluster.dead_letters("poison", 1)
    assert value == b"poison"
    assert headers["team"] == b"lake"
    assert headers["knativeerrordest"].decode() == httpserver.url_for("/function/poison")
    assert headers["knativeerrorcode"] == b"422"
    assert base64.b64decode(headers["knativeerrordata"]) == b"not an image"
    assert headers["penstock-offset"] == b"0"
    wait_until(lambda: running.cluster.committed("poison") == 1)


def test_refused_record_is_not_finished_before_its_dead_letter_is_stored(
    unfinished: Running, httpserver: HTTPServer
) -> None:
    def answer(request: Request) -> Response:
        return Response(status=200 if request.data == b"fine" else 422)

    def place() -> tuple[int, str | None]:
        found = unfinished.cluster.committed_place("unstorable")
        return found.offset, found.metadata

    httpserver.expect_request("/function/unstorable").respond_with_handler(answer)
    unfinished.cluster.produce("unstorable", ("k", b"poison"), ("other", b"fine"))
    wait_until(lambda: "dead letter topic" in unfinished.connector.unready())
    wait_until(lambda: place() == (0, "finished:1"))
    assert b"penstock_dead_letters_pending 1.0" in unfinished.connector.measures.render()[0]

    # Another dead letter that is stored does not hide it.
    httpserver.expect_request("/function/poison").respond_with_data("not an image", 422)
    unfinished.cluster.produce("poison", ("k", b"poison"))
    wait_until(lambda: unfinished.cluster.committed("poison") == 1)
    assert "dead letter topic" in unfinished.connector.unready()


def test_dead_letter_that_is_too_large_says_where_its_record_is_and_can_be_replayed(
    running: Running, httpserver: HTTPServer
) -> None:
    value, mended = b"x" * (LARGEST_DEAD_LETTER - 100), threading.Event()  # the brokers took it, without more headers

    def answer(request: Request) -> Response:
        return Response("n" * 2000, 200 if mended.is_set() else 422)

    httpserver.expect_request("/function/large").respond_with_handler(answer)
    running.cluster.produce("large", ("k", value))
    wait_until(lambda: running.cluster.committed("large") == 1)
    [(stored, headers)] = running.cluster.dead_letters("large", 1)
    assert (stored, headers["penstock-left-out"]) == (b"", str(len(value)).encode())
    assert (headers["penstock-topic"], headers["penstock-offset"]) == (b"large", b"0")
    letters = DeadLetterLog("dead-letters", {"bootstrap.servers": running.cluster.servers})
    [letter] = [each for each in letters.read() if each.message.target == "large"]
    assert f"too large to be kept: its {len(value)} bytes are in large/0@0" in letter.reason
    mended.set()
    assert letters.replay([letter.id]) == 1
    wait_until(lambda: bodies(httpserver, "/function/large") == [value, value])
    assert [each for each in letters.read() if each.message.target == "large"] == []


def test_dead_letter_is_without_the_uploader(running: Running, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/function/told").respond_with_data("no", 422)
    running.cluster.produce("told", ("k", KAFKA_VALUE))
    [(stored, _)] = running.cluster.dead_letters("told", 1)
    for text in (b"principalId", b"userIdentity", b"ownerIdentity", b"sourceIPAddress"):
        assert text in KAFKA_VALUE
        assert text not in stored
    assert events.parse(stored, {}) == events.parse(KAFKA_VALUE, {})
    assert bodies(httpserver, "/function/told") == [KAFKA_VALUE]


def test_tombstone_is_counted_and_committed_and_nothing_is_delivered(running: Running, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/function/compacted").respond_with_data("ok")
    running.cluster.produce("compacted", ("gone", None), ("there", b"1"), ("gone too", None))
    wait_until(lambda: running.cluster.committed("compacted") == 3)
    assert bodies(httpserver, "/function/compacted") == [b"1"]
    assert b"penstock_kafka_tombstones_total 2.0" in running.connector.measures.render()[0]


def test_offset_stays_before_a_failing_record_and_its_partition_pauses_until_it_is_mended(
    running: Running, httpserver: HTTPServer
) -> None:
    mended = threading.Event()

    def answer(request: Request) -> Response:
        return Response(status=503 if request.data == b"1" and not mended.is_set() else 200)

    def paused() -> bool:
        return b"penstock_kafka_paused 1.0" in running.connector.measures.render()[0]

    httpserver.expect_request("/function/stuck").respond_with_handler(answer)
    running.cluster.produce("stuck", *((f"k{number}", b"%d" % number) for number in range(40)))
    wait_until(paused)
    wait_until(lambda: running.cluster.committed("stuck") == 1)
    assert len(set(bodies(httpserver, "/function/stuck"))) < 20
    mended.set()
    wait_until(lambda: running.cluster.committed("stuck") == 40)
    assert len(set(bodies(httpserver, "/function/stuck"))) == 40
    assert not paused()


def test_every_function_that_wants_a_topic_gets_every_record(running: Running, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/function/one").respond_with_data("ok")
    httpserver.expect_request("/function/other").respond_with_data("no", 422)
    running.cluster.produce("both", ("a", b"1"), ("b", b"2"))
    letters = running.cluster.dead_letters("both", 2)
    wait_until(lambda: running.cluster.committed("both") == 2)
    assert sorted(bodies(httpserver, "/function/one")) == [b"1", b"2"]
    assert {headers["penstock-target"] for _, headers in letters} == {b"other"}


def test_readiness_lag_and_attempts_can_be_read(running: Running, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/function/seen").respond_with_data("ok")
    running.cluster.produce("seen", ("a", b"1"))
    wait_until(lambda: running.cluster.committed("seen") == 1)
    wait_until(lambda: running.connector.unready() == "")
    assert running.connector.ill() == ""
    lag = 'penstock_kafka_lag{partition="0",topic="seen"} 0.0'
    wait_until(lambda: lag in running.connector.measures.render()[0].decode())
    assert 'outcome="delivered",target="seen"} 1.0' in running.connector.measures.render()[0].decode()


def test_commit_that_nobody_confirmed_is_said_again(
    running: Running, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[str] = []

    def commit(consumer: Any, offsets: Iterable[tuple[str, int, int, str]], *, wait: bool) -> bool:
        asked = list(offsets)
        # Not any commit: before the record is finished its own offset, 0, may be committed.
        if ("lost", 1) in {(topic, offset) for topic, _, offset, _ in asked} and not lost:
            lost.append("lost")  # the broker went down with it, and no answer ever comes
            return True
        return offsets_module.commit(consumer, asked, wait=wait)

    monkeypatch.setattr(group_member_module, "commit", commit)
    httpserver.expect_request("/function/lost").respond_with_data("ok")
    running.cluster.produce("lost", ("k", b"x"))
    wait_until(lambda: running.cluster.committed("lost") == 1)
    assert lost == ["lost"]


def test_consumer_that_is_not_joined_is_replaced_and_then_the_connector_is_ill(
    running: Running, httpserver: HTTPServer
) -> None:
    """Statistics that never come say what they say of a consumer that cannot reach its coordinator: not joined.

    That the next one goes on delivering is tested with a real broker: a group of the mock takes no second member.
    """
    cluster, clock = running.cluster, Clock()
    cluster.create("again")
    httpserver.expect_request("/function/again").respond_with_data("ok")
    subscriptions = from_pairs([f"again={httpserver.url_for('/function/again')}"], None)
    connector = Connector(
        {"bootstrap.servers": cluster.servers, "group.id": "again", "statistics.interval.ms": "3600000"},
        openfaas("text/plain"),
        Finder(lambda: subscriptions),
        "dead-letters",
        limits=Limits(commit_seconds=0.05, drain_seconds=5),
        watch=SubscriptionWatch("kafka", lambda: True, clock=clock),
    )
    thread = threading.Thread(target=connector.run)
    thread.start()
    try:
        cluster.produce("again", ("k", b"1"))
        wait_until(lambda: cluster.committed("again", "again") == 1)
        wait_until(lambda: connector.unready() != "no function wants a topic yet")
        clock.now = PATIENCE_SECONDS
        wait_until(lambda: "although the brokers answer" in connector.unready())
        wait_until(lambda: b"penstock_kafka_new_consumers_total 1.0" in connector.measures.render()[0])
        assert connector.ill() == ""
        clock.now = 2 * PATIENCE_SECONDS
        wait_until(lambda: "new clients did not help" in connector.ill())
        assert b'penstock_subscription{state="stalled"} 1.0' in connector.measures.render()[0]
    finally:
        connector.stop()
        thread.join()


def test_missing_brokers_are_named_at_the_start() -> None:
    subscriptions = from_pairs(["upload=http://127.0.0.1:9/"], None)
    settings = {"bootstrap.servers": "127.0.0.1:9", "log_level": "0"}
    connector = Connector(settings, openfaas("text/plain"), Finder(lambda: subscriptions), "dead")
    assert connector.unready()
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9: no broker answers: .*check KAFKA_BOOTSTRAP_SERVERS"):
        connector.check(timeout_seconds=0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_wait_for_a_broker(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        servers = f"127.0.0.1:{silent.getsockname()[1]}"
        command = ["connect", "kafka", "--to", "upload=http://127.0.0.1:9/", "--set", f"bootstrap.servers={servers}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock.cli", *command, "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stderr is not None
            assert f"asking the brokers at {servers}" in process.stderr.readline()
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "kafka: ending" in said
    assert "Traceback" not in said


def test_control_c_ends_the_wait_of_the_list_of_dead_letters() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        servers = f"127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "penstock.cli", "dlq", "list", "--set", f"bootstrap.servers={servers}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            silent.accept()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=15)
    assert (process.returncode, said) == (130, "")
