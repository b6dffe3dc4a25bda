"""The AMQP connector on a real RabbitMQ: the contract of every queue, redelivery, strangers' messages, TLS."""

from __future__ import annotations

import io
import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pika
import pytest
from penstock.connect.amqp.broker import AmqpBroker
from penstock.connect.amqp.session import AmqpSession
from penstock.connect.queues import Settlement

from tests.components import MinioServer, RabbitServer
from tests.integration.connect_helpers import Penstock, RecordingFunction, dlq, letters
from tests.integration.queue_contract import Queue, QueueContract, check_tls
from tests.waiting import wait_until

QUEUE = "lake.upload"
# As the connector makes it. A broker refuses a declaration that differs from the queue that is there.
QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with RabbitServer(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


class RabbitQueue(Queue):
    """A durable queue; connectors log in as guest."""

    kind = "amqp"
    topic = QUEUE
    frozen_seconds = 20.0
    wrong_login: ClassVar = {"AMQP_USERNAME": "guest", "AMQP_PASSWORD": "hunter2"}
    refused_login = "refused the login; check AMQP_USERNAME and AMQP_PASSWORD"
    server: RabbitServer

    def client(self) -> Any:
        told = self.server.endpoint
        return pika.BlockingConnection(pika.ConnectionParameters(told.host, told.port))

    def make(self, **arguments: Any) -> None:
        """As the connector does, or with other arguments."""
        with closing(self.client()) as connection:
            connection.channel().queue_declare(QUEUE, durable=True, arguments=arguments or QUORUM)

    def spoil(self, topic: str) -> str:
        with closing(self.client()) as connection:
            connection.channel().queue_declare(topic, durable=True, arguments={"x-queue-type": "stream"})
        return f"queue {topic} is a stream"

    def remove(self) -> None:
        with closing(self.client()) as connection:
            connection.channel().queue_delete(QUEUE)

    def publish(self, *payloads: bytes, exchange: str = "") -> None:
        """Publish as MinIO does: to disk, and each confirmed."""
        with closing(self.client()) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for payload in payloads:
                kept = pika.BasicProperties(delivery_mode=2)
                channel.basic_publish(exchange, QUEUE, payload, kept, mandatory=True)

    def left(self) -> int:
        """Messages in the queue; what a connector has is not among them."""
        with closing(self.client()) as connection:
            return int(connection.channel().queue_declare(QUEUE, passive=True).method.message_count)

    def unfinished(self, connector: Penstock) -> int:
        """What waits in the queue, as after a channel that ended, and what the connector's own gauge says."""
        waiting = self.left()
        with urllib.request.urlopen(f"http://{connector.address}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return waiting + int(
            float(next(line.split()[1] for line in lines if line.startswith("penstock_amqp_unacknowledged")))
        )


@pytest.fixture
def queue(node: RabbitServer) -> RabbitQueue:
    """On the one broker of these tests, and not made yet."""
    queue = RabbitQueue(node)
    queue.remove()
    return queue


class TestQueue(QueueContract):
    """The contract of every queue on RabbitMQ."""


def test_unanswered_message_comes_again_however_often_it_came_before(
    queue: RabbitQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    """The connector makes the queue, so that no limit of deliveries drops a message."""
    # Messages about different objects do not wait for each other.
    stuck, fine = (b'{"Key": "upload/%s"}' % name for name in (b"stuck", b"fine"))
    function.answer = lambda path, body: 503 if body == stuck else 200
    first = queue.connect(tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    first.until(first.is_ready, "ready")
    queue.publish(stuck, fine)
    first.until(lambda: set(function.delivered()) == {fine}, "the other delivered")
    first.until(lambda: stuck in [call.body for call in list(function.calls)], "the stuck one refused")
    assert first.end() == 0
    queue.wait_for_left(1)
    for _ in range(30):
        with closing(queue.client()) as connection:
            channel = connection.channel()
            # What a connection that was closed had comes back a moment later.
            wait_until(lambda channel=channel: channel.basic_get(QUEUE)[2] == stuck, "the stuck one again")  # type: ignore[misc]
    function.answer = lambda path, body: 200
    second = queue.connect(tmp_path, "connector", f"{function.url}/")
    second.until(lambda: stuck in function.delivered(), "the stuck one delivered")
    assert second.end() == 0
    queue.wait_for_left(0)
    assert function.calls[0].headers["x-topic"] == QUEUE


def test_strangers_messages_become_dead_letters_that_can_be_replayed(
    queue: RabbitQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    """A function refuses what is not an event; each is kept with the answer, and the events go on."""
    function.answer = lambda path, body: 200 if b'"Records"' in body else 400
    strangers = [b"", b"hello", b"\xff\xfe\x00", b"[]", b'{"Key": {"a": []}}', b"[" * 20_000, b"x" * 200_000]
    events = [b'{"Key": "upload/%d", "Records": []}' % number for number in range(2)]
    connector = queue.connect(tmp_path, "connector", f"{function.url}/strict")
    connector.until(connector.is_ready, "ready")
    queue.publish(*strangers[:3], events[0], *strangers[3:], events[1])
    connector.until(lambda: len(function.calls) >= 9 and queue.unfinished(connector) == 0, "all answered")
    inbox = tmp_path / "connector.db"
    kept = letters(inbox)
    assert sorted(set(function.delivered("/strict"))) == events
    assert len(kept) == len(strangers)
    assert {(letter["code"], letter["target"], letter["data"]) for letter in kept} == {(400, "strict", "answer")}
    function.answer = lambda path, body: 200
    assert dlq(inbox, "replay", kept[0]["id"]) == "1 replayed\n"
    connector.until(lambda: len(function.delivered("/strict")) >= 3, "replayed")
    assert connector.end() == 0
    queue.wait_for_left(0)


def test_a_queue_that_was_removed_is_made_again_and_bound(
    queue: RabbitQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    with closing(queue.client()) as connection:
        connection.channel().exchange_delete("lake")
    words = ("--exchange", "lake", "--exchange-type", "topic")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", *words)
    connector.until(connector.is_ready, "ready")
    queue.publish(b"there", exchange="lake")
    connector.until(lambda: b"there" in function.delivered(), "delivered")
    queue.make()  # the same arguments: another declaration would be refused
    with closing(queue.client()) as connection:
        connection.channel().exchange_declare("lake", "topic", durable=True)
    queue.remove()
    connector.until(lambda: f"queue {QUEUE}: it was removed" in connector.text(), "said")
    connector.until(connector.is_ready, "ready with a new queue")
    queue.publish(b"again", exchange="lake")
    connector.until(lambda: b"again" in function.delivered(), "delivered")
    assert connector.end() == 0


def test_a_queue_that_is_there_is_taken_as_it_is_and_a_stream_is_refused(
    queue: RabbitQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    queue.make(**{"x-queue-type": "stream"})
    queue.publish(b"before")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: f"queue {QUEUE} is a stream" in connector.text(), "said")
    assert not connector.is_ready()
    queue.remove()
    queue.make(**{"x-max-priority": 3})
    queue.publish(b"classic")
    connector.until(lambda: b"classic" in function.delivered(), "delivered")
    connector.until(connector.is_ready, "ready")
    assert connector.end() == 0


def test_tls_is_spoken_with_a_private_authority(
    queue: RabbitQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    url = f"amqps://{queue.server.endpoint.host}:{queue.server.tls_port}"
    check_tls(queue, tmp_path, function, url, queue.server.ca_file)


def test_a_connector_that_was_frozen_past_its_heartbeats_goes_on(
    queue: RabbitQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    """The broker ends its connection, and gives what it had to another one."""
    other = RecordingFunction()
    function.answer = lambda path, body: 503
    frozen = queue.connect(tmp_path, "frozen", f"{function.url}/", "--attempts", "0")
    frozen.until(frozen.is_ready, "ready")
    queue.publish(b"held")
    frozen.until(lambda: len(function.calls) > 0, "tried")
    frozen.signal(signal.SIGSTOP)
    taker = queue.connect(tmp_path, "taker", f"{other.url}/")
    taker.until(lambda: b"held" in other.delivered(), "taken over", timeout_seconds=120)
    assert taker.end() == 0
    function.answer = lambda path, body: 200
    frozen.signal(signal.SIGCONT)
    queue.publish(b"later")
    frozen.until(lambda: b"later" in function.delivered(), "delivered")
    frozen.until(lambda: queue.unfinished(frozen) == 0, "all acknowledged")
    assert frozen.end() == 0
    queue.wait_for_left(0)
    other.stop()


def test_a_channel_that_the_broker_closes_is_noticed(tmp_path: Path, function: RecordingFunction) -> None:
    """The broker closes it when a message is not acknowledged within its consumer_timeout, in milliseconds."""
    function.answer = lambda path, body: 503
    config = "{consumer_timeout, 2000}, {channel_tick_interval, 1000}"
    with RabbitServer(tmp_path / "rabbitmq", config=config) as server:
        queue = RabbitQueue(server)
        connector = queue.connect(tmp_path, "connector", f"{function.url}/", "--attempts", "0")
        connector.until(connector.is_ready, "ready")
        queue.publish(b"long")
        connector.until(lambda: "perhaps by its consumer_timeout" in connector.text(), "said")
        function.answer = lambda path, body: 200
        connector.until(lambda: b"long" in function.delivered(), "delivered")
        connector.until(lambda: queue.unfinished(connector) == 0, "acknowledged")
        assert connector.end() == 0
        queue.wait_for_left(0)


def test_the_queues_change_and_what_is_under_way_is_still_acknowledged(queue: RabbitQueue) -> None:
    """The session alone: one message of the old queue waits while the queues become others; prefetch bounds each."""
    with closing(queue.client()) as connection:
        connection.channel().queue_delete("lake.second")
    taken: dict[str, list[tuple[bytes, Settlement]]] = {QUEUE: [], "lake.second": []}
    broker = AmqpBroker(queue.server.endpoint.host, queue.server.endpoint.port)

    def arrived(topic: str, body: bytes, _origin: str, receipt: Settlement) -> None:
        taken[topic].append((body, receipt))

    session = AmqpSession(broker, 4, arrived, lambda _: None)
    session.start([QUEUE])
    wait_until(lambda: session.joined, "joined")
    queue.publish(*(b"%d" % number for number in range(10)))
    wait_until(lambda: len(taken[QUEUE]) == 4, "as many as the prefetch allows")
    session.subscribe(["lake.second"])
    wait_until(lambda: session.joined, "joined again")
    for _, receipt in taken[QUEUE]:
        receipt.begin(0)
    wait_until(lambda: session.unsettled == 0, "all settled")
    with closing(queue.client()) as connection:
        connection.channel().basic_publish("", "lake.second", b"new")
    wait_until(lambda: len(taken["lake.second"]) == 1, "the new queue's message")
    session.end()
    assert [body for body, _ in taken[QUEUE]] == [b"0", b"1", b"2", b"3"]
    queue.wait_for_left(6)


def test_a_virtual_host_that_is_not_there_is_said(
    queue: RabbitQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    url = f"amqp://{queue.server.endpoint.address}/nowhere"
    expected = "refused the virtual host 'nowhere'; check the path of AMQP_URL"
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", url=url)
    connector.until(lambda: expected in connector.text(), "said")
    assert not connector.is_ready()
    assert connector.end() == 0
    assert connector.text().count(expected) == 1
    assert "Traceback" not in connector.text()


def test_the_first_event_of_a_store_arrives(
    queue: RabbitQueue, minio: MinioServer, tmp_path: Path, function: RecordingFunction, unique_name: str
) -> None:
    told = minio.endpoint
    env = {
        "MINIO_ENDPOINT": told.url, "MINIO_ACCESS_KEY": told.access_key, "MINIO_SECRET_KEY": told.secret_key,
        "MINIO_QUEUE_DIR": str(tmp_path / "queue"), "AMQP_TARGET": f"amqp://guest:guest@{queue.server.endpoint.address}/",
    }  # fmt: skip
    lake = tmp_path / "lake.yml"
    lake.write_text(
        f"name: {unique_name}\nqueue_dir: {tmp_path / 'queue'}\nbuckets:\n  {unique_name}:\ntargets:\n  amqp:\n"
        f"    type: amqp\n    id: {unique_name}\n    url: {{env: AMQP_TARGET}}\n    exchange: {unique_name}\n"
        f"    exchange_type: direct\n    routing_key: {QUEUE}\nrules:\n  - {{bucket: {unique_name}, target: amqp}}\n",
        encoding="utf-8",
    )
    applied = Penstock("lake", tmp_path, "lake", "apply", "--file", str(lake), env=env)
    assert applied.wait(120) == 0, applied.text()
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", "--exchange", unique_name)
    connector.until(connector.is_ready, "ready")
    minio.endpoint.client().put_object(unique_name, "a b+日.csv", io.BytesIO(b"x"), 1)
    connector.until(lambda: len(function.delivered()) >= 1, "delivered")
    assert connector.end() == 0
    call = function.calls[0]
    body = json.loads(call.body)
    assert call.headers["x-topic"] == QUEUE
    assert (body["EventName"], body["Key"]) == ("s3:ObjectCreated:Put", f"{unique_name}/a b+日.csv")
