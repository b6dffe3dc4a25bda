"""The Kafka connector on a real broker: replicas, a kill, a restart, rebalancing, dead letters."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from functools import partial
from itertools import groupby
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from penstock.connect.kafka.connector import Connector
from penstock.connect.kafka.records import openfaas
from penstock.connect.kafka.topics import brokers_answer
from penstock.connect.subscription_watch import PATIENCE_SECONDS, SubscriptionWatch
from penstock.connect.subscriptions import Finder, from_pairs

from tests.clock import Clock
from tests.components import KafkaServer
from tests.integration.connect_helpers import QUICK, Penstock, RecordingFunction
from tests.paths import EVENTS
from tests.waiting import wait_until

FROZEN_SECONDS = 40.0
# For a test that counts deliveries: a busy machine may give a member no time to say for 6 s that it lives.
LONG_SESSION = ("--set", "session.timeout.ms=45000")


def create_topics(kafka: KafkaServer, partitions: dict[str, int]) -> None:
    """Create topics and wait until the broker's metadata shows them, which may be a moment later."""
    admin = kafka.endpoint.admin()
    for future in admin.create_topics([NewTopic(name, count, 1) for name, count in partitions.items()]).values():
        future.result(timeout=30)
    for name in partitions:
        shown = partial(_is_shown, admin, name)
        wait_until(shown, f"topic {name} in the metadata")


def _is_shown(admin: AdminClient, topic: str) -> bool:
    return admin.list_topics(topic, timeout=30).topics[topic].error is None


class Topic:
    """A topic with its topic for dead letters and a consumer group of its own."""

    def __init__(self, kafka: KafkaServer, name: str, partitions: int = 1) -> None:
        self.name = name
        self.dead = f"{name}-dead"
        self._servers = kafka.endpoint.bootstrap_servers
        create_topics(kafka, {name: partitions, self.dead: 1})
        self._partitions = partitions
        # Idempotent: a batch that is sent again, as while a topic is new, must not fall behind a later one.
        settings = {"bootstrap.servers": self._servers, "log_level": 0, "enable.idempotence": True}
        self._producer = Producer(settings)

    def produce(self, *pairs: tuple[str, bytes]) -> None:
        for key, value in pairs:
            self._producer.produce(self.name, key=key, value=value)
        assert self._producer.flush(30) == 0

    def lag(self, group: str = "") -> int:
        """Records after the group's committed offsets; all of them while the brokers cannot say."""
        consumer = Consumer({"bootstrap.servers": self._servers, "group.id": group or self.name, "log_level": 0})
        places = [TopicPartition(self.name, number) for number in range(self._partitions)]
        try:
            committed = consumer.committed(places, timeout=30)
            ends = [consumer.get_watermark_offsets(place, timeout=30)[1] for place in places]
        except KafkaException:  # not coordinator, after a restart
            return sys.maxsize
        finally:
            consumer.close()
        return sum(end - max(0, place.offset) for end, place in zip(ends, committed, strict=True))

    def connect(self, folder: Path, name: str, *more: str, to: str | None = None) -> Penstock:
        where = ["--to", f"{self.name}={to}"] if to else []
        settings = {"bootstrap.servers": self._servers, "group.id": self.name, "session.timeout.ms": "6000"}
        flags = [part for pair in settings.items() for part in ("--set", "=".join(pair))]
        return Penstock(
            name, folder, "connect", "kafka", "--dead-letter-topic", self.dead, *flags, *where, *QUICK, *more
        )

    def dlq(self, folder: Path, action: str, *more: str) -> str:
        """What `penstock dlq` prints."""
        flags = ["--dead-letter-topic", self.dead, "--set", f"bootstrap.servers={self._servers}"]
        child = Penstock(f"dlq-{action}-{time.monotonic_ns()}", folder, "dlq", action, *flags, *more)
        assert child.wait(120) == 0, child.text()
        return child.text()


def first_deliveries(bodies: list[bytes]) -> dict[str, list[int]]:
    """Sequence numbers by key, each at its first delivery; a body is `key number`."""
    found: dict[str, list[int]] = {}
    for body in dict.fromkeys(bodies):
        key, number = body.decode().split()
        found.setdefault(key, []).append(int(number))
    return found


def test_thousand_records_survive_a_killed_replica_and_a_restarted_broker(
    tmp_path: Path, function: RecordingFunction
) -> None:
    refused_once: set[bytes] = set()
    lock = threading.Lock()

    def answer(path: str, body: bytes) -> int:
        time.sleep(0.01)
        with lock:
            if body.endswith(b"7") and body not in refused_once:
                refused_once.add(body)
                return 503
        return 200

    function.answer = answer
    records = [(f"key{key}", f"key{key} {number}".encode()) for number in range(25) for key in range(40)]
    with KafkaServer(tmp_path / "kafka") as kafka:
        topic = Topic(kafka, "upload", partitions=6)
        replicas = [topic.connect(tmp_path, f"replica{number}", to=f"{function.url}/") for number in range(3)]
        try:
            topic.produce(*records[:500])
            replicas[1].until(lambda: len(function.delivered()) > 200, "200 delivered")
            replicas[0].kill()
            topic.produce(*records[500:])
            kafka.restart()
            replicas[1].until(lambda: topic.lag() == 0, "everything committed", timeout_seconds=120)
            assert [replica.end() for replica in replicas[1:]] == [0, 0]
        finally:
            for replica in replicas:
                replica.kill()
    delivered = function.delivered()
    assert first_deliveries(delivered) == {f"key{key}": list(range(25)) for key in range(40)}
    last = {body.split()[0]: body for body in delivered}
    assert set(last.values()) == {b"key%d 24" % key for key in range(40)}


def test_replicas_that_come_and_go_deliver_nothing_twice(
    kafka: KafkaServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(0.02)
        return 200

    function.answer = answer
    topic = Topic(kafka, unique_name, partitions=4)
    records = [(f"key{key}", f"key{key} {number}".encode()) for number in range(20) for key in range(30)]
    topic.produce(*records)
    options = ("--concurrency", "4", *LONG_SESSION)
    first = topic.connect(tmp_path, "first", *options, to=f"{function.url}/")
    try:
        first.until(lambda: len(function.delivered()) > 50, "50 delivered")
        second = topic.connect(tmp_path, "second", *options, to=f"{function.url}/")
        second.until(lambda: "kafka: assigned" in second.text(), "partitions assigned")
        assert first.end() == 0
        second.until(lambda: len(function.delivered()) >= 600, "all delivered")
        assert second.end() == 0
    finally:
        first.kill()
    assert sorted(function.delivered()) == sorted(body for _, body in records)
    assert first_deliveries(function.delivered()) == {f"key{key}": list(range(20)) for key in range(30)}
    assert topic.lag() == 0


def test_unanswered_record_is_delivered_again_after_a_restart(
    kafka: KafkaServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    function.answer = lambda path, body: 503 if body == b"stuck" else 200
    topic = Topic(kafka, unique_name)
    topic.produce(("a", b"0"), ("b", b"stuck"), ("c", b"2"))
    first = topic.connect(tmp_path, "first", "--attempts", "0", to=f"{function.url}/")
    first.until(lambda: set(function.delivered()) == {b"0", b"2"}, "the others delivered")
    assert first.end() == 0
    assert topic.lag() == 2
    function.answer = lambda path, body: 200
    second = topic.connect(tmp_path, "second", to=f"{function.url}/")
    second.until(lambda: b"stuck" in function.delivered(), "the stuck one delivered")
    assert second.end() == 0
    assert topic.lag() == 0


def test_new_consumer_goes_on_where_the_one_stopped_that_did_not_join(
    kafka: KafkaServer, unique_name: str, function: RecordingFunction
) -> None:
    topic, clock = Topic(kafka, unique_name, partitions=3), Clock()
    subscriptions = from_pairs([f"{topic.name}={function.url}/"], None)
    settings = {
        "bootstrap.servers": kafka.endpoint.bootstrap_servers,
        "group.id": topic.name,
        # Statistics that never come say what they say of a consumer that cannot reach its coordinator: not joined.
        "statistics.interval.ms": "3600000",
    }
    connector = Connector(
        settings,
        openfaas("text/plain"),
        Finder(lambda: subscriptions),
        topic.dead,
        watch=SubscriptionWatch("kafka", lambda: brokers_answer(settings), clock=clock),
    )

    def made(count: int) -> bool:
        return f"penstock_kafka_new_consumers_total {count}.0" in connector.measures.render()[0].decode()

    thread = threading.Thread(target=connector.run)
    thread.start()
    try:
        for turn in range(3):
            topic.produce(*((f"key{key}", f"key{key} {turn}".encode()) for key in range(50)))
            wait_until(lambda: topic.lag() == 0, "everything committed")
            clock.now += PATIENCE_SECONDS
            wait_until(partial(made, turn + 1), "a new consumer")
    finally:
        connector.stop()
        thread.join()
    assert first_deliveries(function.delivered()) == {f"key{key}": [0, 1, 2] for key in range(50)}


def test_connector_goes_on_after_a_broker_was_frozen(tmp_path: Path, function: RecordingFunction) -> None:
    """A frozen broker keeps its connections open and answers nothing, longer than the group's session lasts."""
    with KafkaServer(tmp_path / "kafka") as kafka:
        topics = [Topic(kafka, name, partitions=2) for name in ("images", "donors", "texts")]
        group = "frozen"
        flags = [flag for topic in topics[1:] for flag in ("--to", f"{topic.name}={function.url}/")]
        connector = topics[0].connect(
            tmp_path, "connector", "--set", f"group.id={group}", *flags, to=f"{function.url}/"
        )
        try:
            for topic in topics:
                topic.produce(*((f"key{number}", f"{topic.name} {number}".encode()) for number in range(100)))
            connector.until(lambda: len(set(function.delivered())) == 300, "all delivered")
            server = kafka.children[-1]
            server.signal(signal.SIGSTOP)
            time.sleep(FROZEN_SECONDS)
            server.signal(signal.SIGCONT)
            for topic in topics:
                topic.produce(*((f"key{number}", f"{topic.name} {number}".encode()) for number in range(100, 200)))
            connector.until(lambda: len(set(function.delivered())) == 600, "all delivered", timeout_seconds=240)
            connector.until(lambda: sum(topic.lag(group) for topic in topics) == 0, "all committed")
            assert connector.end() == 0
        finally:
            connector.kill()


def test_functions_are_found_behind_a_gateway_as_they_are_deployed(
    kafka: KafkaServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    topic = Topic(kafka, unique_name)
    topic.produce(("a", b"0"))
    function.pages["/system/functions"] = b"[]"
    connector = topic.connect(tmp_path, "gateway", "--gateway", function.url, "--rediscover-seconds", "0.1")
    deployed = [{"name": "compress", "annotations": {"topic": f"other, {topic.name}"}}]
    function.pages["/system/functions"] = json.dumps(deployed).encode()
    connector.until(lambda: function.delivered("/function/compress") == [b"0"], "delivered")
    assert connector.end() == 0


def test_dead_letters_are_listed_shown_replayed_to_the_one_that_refused_and_dropped(
    kafka: KafkaServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        if path == "/fine":
            return 200
        if body == b"slow":
            time.sleep(6)
        return 422 if body == b"poison" else 503 if body == b"broken" else 200

    function.answer = answer
    topic = Topic(kafka, unique_name)
    topic.produce(("a", b"poison"), ("b", b"broken"), ("c", b"slow"), ("d", b"good"))
    connector = topic.connect(
        tmp_path, "connector", "--attempts", "3", "--timeout-seconds", "2", *LONG_SESSION,
        "--to", f"{topic.name}={function.url}/fine", to=f"{function.url}/strict",
    )  # fmt: skip
    connector.until(lambda: topic.lag() == 0, "everything settled")
    letters = [json.loads(line) for line in topic.dlq(tmp_path, "list", "--json").splitlines()]
    assert {letter["value"]: (letter["code"], letter["target"]) for letter in letters} == {
        "poison": (422, "strict"),
        "broken": (503, "strict"),
        "slow": (504, "strict"),
    }
    by_value = {letter["value"]: letter["id"] for letter in letters}
    assert "last answer, 6 bytes:\nanswer" in topic.dlq(tmp_path, "show", by_value["poison"])
    function.answer = lambda path, body: 200
    assert topic.dlq(tmp_path, "replay", by_value["poison"], by_value["slow"]) == "2 replayed\n"
    connector.until(lambda: {b"poison", b"slow"} <= set(function.delivered("/strict")), "replayed")
    assert topic.dlq(tmp_path, "drop", "--all", "--code", "503") == "1 dropped\n"
    assert topic.dlq(tmp_path, "list", "--json") == ""
    assert connector.end() == 0
    counts = {body: len(list(group)) for body, group in groupby(sorted(function.delivered("/fine")))}
    assert counts == {b"poison": 1, b"broken": 1, b"slow": 1, b"good": 1}


def test_missing_topic_for_dead_letters_is_a_configuration_error(
    kafka: KafkaServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    topic = Topic(kafka, unique_name)
    connector = topic.connect(tmp_path, "connector", "--dead-letter-topic", "missing", to=f"{function.url}/")
    assert connector.wait(60) == 78
    assert "--dead-letter-topic" in connector.text()


def test_notifications_of_a_topic_are_listened_to_until_interrupted(
    kafka: KafkaServer, unique_name: str, tmp_path: Path
) -> None:
    topic = Topic(kafka, unique_name)
    value = (EVENTS / "kafka_value.json").read_bytes()
    topic.produce(("a", value), ("b", b"hello"))
    servers = kafka.endpoint.bootstrap_servers
    listener = Penstock(
        "listen", tmp_path, "listen", "kafka", topic.name, "--from-beginning", "--set", f"bootstrap.servers={servers}"
    )
    listener.until(lambda: len(listener.text().splitlines()) == 3, "both printed")
    assert listener.end() == 0
    assert "s3:ObjectCreated:" in listener.text()
    assert "not a notification, 5 bytes" in listener.text()


def test_topic_that_is_not_there_or_none_of_kafka_stops_no_other(
    kafka: KafkaServer, unique_name: str, tmp_path: Path, function: RecordingFunction
) -> None:
    """Functions of one gateway may have topics of other kinds of brokers in their annotations."""
    topic = Topic(kafka, unique_name)
    names = (f"{unique_name}-missing", "sensors/+/a/#", "two words..", "x" * 300, "^([a-z", "^.*", "..")
    more = [part for name in names for part in ("--to", f"{name}={function.url}/x")]
    connector = topic.connect(tmp_path, "connector", *more, to=f"{function.url}/")
    connector.until(lambda: "^.*: Kafka cannot have a topic of this name" in connector.ready_text(), "said")
    topic.produce(("key", b"event"))
    connector.until(lambda: function.delivered() == [b"event"], "delivered")
    assert connector.end() == 0
