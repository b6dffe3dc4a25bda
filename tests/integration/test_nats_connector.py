"""The NATS connector on a real server with JetStream: the contract of every queue, groups, long work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from penstock.connect.nats.consumer import consumer_name

from tests.components import NatsServer
from tests.integration.connect_helpers import RecordingFunction, letters
from tests.integration.queue_contract import Queue, QueueContract, check_tls
from tests.waiting import wait_until

SUBJECT = "lake.processed"
ACK_WAIT_SECONDS = 4.0


class NatsStream(Queue):
    """One subject of a stream."""

    kind = "nats"
    topic = SUBJECT
    frozen_seconds = 20.0
    wrong_login: ClassVar = {"NATS_PASSWORD": "hunter2"}
    refused_login = "check NATS_USERNAME, NATS_PASSWORD and NATS_TOKEN"

    @property
    def login(self) -> Mapping[str, str]:
        told = self.server.endpoint
        return {"NATS_USERNAME": told.username, "NATS_PASSWORD": told.password}

    def spoil(self, topic: str) -> str:
        """No stream has it."""
        return f"no stream has the subject {topic}; make one"

    def make(self) -> None:
        """The stream, and the consumer of the connector's group, which waits less than the connector's own."""

        async def make(stream: JetStreamContext) -> None:
            await stream.add_stream(StreamConfig(name="lake", subjects=["lake.>"]))
            await stream.add_consumer(
                "lake",
                ConsumerConfig(
                    durable_name=consumer_name("penstock", SUBJECT),
                    filter_subject=SUBJECT,
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=ACK_WAIT_SECONDS,
                    max_ack_pending=-1,
                ),
            )

        self.in_stream(make)

    def in_stream(self, act: Callable[[JetStreamContext], Awaitable[Any]]) -> Any:
        """Do something with JetStream, over a connection of its own."""

        async def connected() -> Any:
            told = self.server.endpoint
            client = await nats.connect(f"nats://{told.address}", user=told.username, password=told.password)
            try:
                return await act(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())

    def publish(self, *payloads: bytes) -> None:
        async def all_of_them(stream: JetStreamContext) -> None:
            for payload in payloads:
                await stream.publish(SUBJECT, payload, timeout=30)

        self.in_stream(all_of_them)

    def consumer(self, group: str = "penstock") -> Any:
        """What the server knows of a group's consumer."""
        return self.in_stream(lambda stream: stream.consumer_info("lake", consumer_name(group, SUBJECT)))

    def left(self, group: str = "penstock") -> int:
        """Messages that the server has for the group: not delivered yet, or not acknowledged."""
        info = self.consumer(group)
        return int(info.num_pending) + int(info.num_ack_pending)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[NatsStream]:
    with NatsServer(tmp_path / "nats") as server:
        made = NatsStream(server)
        made.make()
        yield made


class TestQueue(QueueContract):
    """The contract of every queue on NATS."""


def test_unanswered_message_comes_again_after_a_restart(
    queue: NatsStream, tmp_path: Path, function: RecordingFunction
) -> None:
    # Messages about different objects do not wait for each other.
    stuck, fine = (b'{"Key": "upload/%s"}' % name for name in (b"stuck", b"fine"))
    function.answer = lambda path, body: 503 if body == stuck else 200
    queue.publish(stuck, fine)
    first = queue.connect(tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    first.until(lambda: set(function.delivered()) == {fine}, "the other delivered")
    assert first.end() == 0
    # Given back by a client that leaves, a message makes NATS 2.9.10 forget at times that it delivered the next one. It
    # counts that one as left too then, and delivers it again.
    wait_until(lambda: queue.left() in (1, 2), "the stuck one left")
    function.answer = lambda path, body: 200
    second = queue.connect(tmp_path, "connector", f"{function.url}/")
    second.until(lambda: stuck in function.delivered(), "the stuck one delivered")
    second.until(lambda: queue.left() == 0, "acknowledged")
    assert second.end() == 0
    assert function.calls[0].headers["x-topic"] == SUBJECT


def test_strangers_messages_become_dead_letters_and_nothing_else_is_lost(
    queue: NatsStream, tmp_path: Path, function: RecordingFunction
) -> None:
    """A function refuses what is not an event; each is kept with the answer, and the events go on."""
    function.answer = lambda path, body: 200 if b'"Records"' in body else 400
    strangers = [b"", b"hello", b"\xff\xfe\x00", b"[]", b'{"Key": {"a": []}}', b"[" * 20_000, b"x" * 200_000]
    events = [b'{"Key": "upload/%d", "Records": []}' % number for number in range(2)]
    queue.publish(*strangers[:3], events[0], *strangers[3:], events[1])
    connector = queue.connect(tmp_path, "connector", f"{function.url}/strict")
    connector.until(lambda: len(function.calls) >= 9 and queue.left() == 0, "all acknowledged")
    assert connector.end() == 0
    kept = letters(tmp_path / "connector.db")
    assert sorted(set(function.delivered("/strict"))) == events
    assert [(letter["code"], letter["target"]) for letter in kept] == [(400, "strict")] * len(strangers)


def test_work_that_takes_longer_than_the_server_waits_is_done_once(
    queue: NatsStream, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(2.5 * ACK_WAIT_SECONDS)
        return 200

    function.answer = answer
    queue.publish(b"long")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: function.delivered() == [b"long"], "delivered")
    connector.until(lambda: queue.left() == 0, "acknowledged")
    assert connector.end() == 0
    assert queue.consumer().delivered.consumer_seq == 1  # the server never gave it out again
    assert [call.body for call in function.calls] == [b"long"]


def test_connectors_of_a_group_share_the_messages_and_another_group_gets_all(
    queue: NatsStream, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(0.02)
        return 200

    others = [RecordingFunction(answer) for _ in range(2)]
    function.answer = answer
    wanted = [b'{"Key": "upload/%d"}' % number for number in range(40)]
    replicas = [
        queue.connect(tmp_path, f"replica{number}", f"{each.url}/", *more, "--max-in-flight", "4")
        for number, (each, more) in enumerate(((function, ()), (others[0], ()), (others[1], ("--group", "audit"))))
    ]
    for replica in replicas:
        replica.until(replica.is_ready, "ready")
    queue.publish(*wanted)
    replicas[0].until(lambda: queue.left() + queue.left("audit") == 0, "all acknowledged")
    assert [replica.end() for replica in replicas] == [0, 0, 0]
    for each in others:
        each.stop()
    shared = [*function.delivered(), *others[0].delivered()]
    assert set(shared) == set(wanted)
    assert len(shared) < 2 * len(wanted), "each of the two had all"
    assert function.delivered()
    assert others[0].delivered()
    assert set(others[1].delivered()) == set(wanted)


def test_a_subject_without_a_stream_is_said_until_there_is_one(tmp_path: Path, function: RecordingFunction) -> None:
    with NatsServer(tmp_path / "nats") as server:
        queue = NatsStream(server)
        connector = queue.connect(tmp_path, "connector", f"{function.url}/")
        connector.until(lambda: f"no stream has the subject {SUBJECT}; make one" in connector.text(), "said")
        assert not connector.is_ready()
        queue.make()
        queue.publish(b"there")
        connector.until(lambda: b"there" in function.delivered(), "delivered")
        connector.until(connector.is_ready, "ready")
        assert connector.end() == 0


def test_tls_is_spoken_with_a_private_authority(tmp_path: Path, function: RecordingFunction) -> None:
    with NatsServer(tmp_path / "nats", tls=True) as server:
        queue = NatsStream(server)
        queue.make()
        check_tls(queue, tmp_path, function, f"tls://{server.endpoint.address}", server.ca_file)
