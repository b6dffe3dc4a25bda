"""The NATS connector on a real server with JetStream: kill, restart, freeze, groups, long work, dead letters."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from penstock.connect.nats.consumer import consumer_name

from tests.components import NatsServer
from tests.integration.connect_helpers import QUICK, Penstock, RecordingFunction, dlq, letters

SUBJECT = "lake.processed"
ACK_WAIT_SECONDS = 2.0
FROZEN_SECONDS = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server with a stream, and the consumer of the connector's group, which waits less than the connector's own."""
    with NatsServer(tmp_path / "nats") as server:
        in_stream(server, make_stream)
        yield server


async def make_stream(stream: JetStreamContext) -> None:
    await stream.add_stream(StreamConfig(name="lake", subjects=["lake.>"]))
    name = consumer_name("penstock", SUBJECT)
    await stream.add_consumer(
        "lake",
        ConsumerConfig(
            durable_name=name,
            filter_subject=SUBJECT,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            max_ack_pending=-1,
        ),
    )


def in_stream(server: NatsServer, act: Callable[[JetStreamContext], Awaitable[Any]]) -> Any:
    """Do something with JetStream, over a connection of its own."""

    async def connected() -> Any:
        told = server.endpoint
        client = await nats.connect(f"nats://{told.address}", user=told.username, password=told.password)
        try:
            return await act(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(connected())


def publish(server: NatsServer, *payloads: bytes, subject: str = SUBJECT) -> None:
    async def all_of_them(stream: JetStreamContext) -> None:
        for payload in payloads:
            await stream.publish(subject, payload, timeout=30)

    in_stream(server, all_of_them)


def unfinished(server: NatsServer, group: str = "penstock") -> int:
    """Messages that the server has for the group: not delivered yet, or not acknowledged."""
    info = in_stream(server, lambda stream: stream.consumer_info("lake", consumer_name(group, SUBJECT)))
    return int(info.num_pending) + int(info.num_ack_pending)


def connect(server: NatsServer, folder: Path, name: str, to: str, *more: str, password: str = "") -> Penstock:
    """A connector with an inbox of its own."""
    told = server.endpoint
    env = {"NATS_USERNAME": told.username, "NATS_PASSWORD": password or told.password}
    return Penstock(
        name, folder, "connect", "nats", "--url", f"nats://{told.address}", "--to", f"{SUBJECT}={to}",
        "--inbox", str(folder / f"{name}.db"), *QUICK, *more, env=env,
    )  # fmt: skip


def test_messages_are_delivered_while_connector_and_server_are_killed(
    server: NatsServer, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(0.01)
        return 200

    function.answer = answer
    wanted = [b"%d" % number for number in range(300)]
    publish(server, *wanted[:100])
    first = connect(server, tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
    first.until(lambda: len(function.delivered()) > 20, "20 delivered")
    first.kill()
    publish(server, *wanted[100:200])
    second = connect(server, tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
    second.until(lambda: len(set(function.delivered())) > 120, "more delivered")
    server.kill()
    server.restart()
    publish(server, *wanted[200:])
    second.until(lambda: len(set(function.delivered())) == 300, "all delivered", timeout_seconds=120)
    second.until(lambda: unfinished(server) == 0, "all acknowledged", timeout_seconds=120)
    assert second.is_ready()
    assert second.end() == 0
    assert set(function.delivered()) == set(wanted)


def test_connector_goes_on_after_the_server_was_frozen(
    server: NatsServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """A frozen server keeps its connections open and answers nothing."""
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    publish(server, b"before")
    connector.until(lambda: function.delivered() == [b"before"], "delivered")
    connector.until(connector.is_ready, "ready")
    server.children[-1].signal(signal.SIGSTOP)
    try:
        time.sleep(FROZEN_SECONDS)
        connector.until(lambda: not connector.is_ready(), "not ready any more")
    finally:
        server.children[-1].signal(signal.SIGCONT)
    publish(server, b"after")
    connector.until(lambda: b"after" in function.delivered(), "delivered", timeout_seconds=120)
    connector.until(lambda: unfinished(server) == 0, "all acknowledged")
    connector.until(connector.is_ready, "ready again")
    assert connector.end() == 0


def test_unanswered_message_comes_again_after_a_restart(
    server: NatsServer, tmp_path: Path, function: RecordingFunction
) -> None:
    # Messages about different objects do not wait for each other.
    stuck, fine = (b'{"Key": "upload/%s"}' % name for name in (b"stuck", b"fine"))
    function.answer = lambda path, body: 503 if body == stuck else 200
    publish(server, stuck, fine)
    first = connect(server, tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    first.until(lambda: function.delivered() == [fine], "the other delivered")
    assert first.end() == 0
    assert unfinished(server) == 1
    function.answer = lambda path, body: 200
    second = connect(server, tmp_path, "connector", f"{function.url}/")
    second.until(lambda: stuck in function.delivered(), "the stuck one delivered")
    second.until(lambda: unfinished(server) == 0, "acknowledged")
    assert second.end() == 0
    assert function.calls[0].headers["x-topic"] == SUBJECT


def test_work_that_takes_longer_than_the_server_waits_is_done_once(
    server: NatsServer, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(4 * ACK_WAIT_SECONDS)
        return 200

    function.answer = answer
    publish(server, b"long")
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: function.delivered() == [b"long"], "delivered")
    connector.until(lambda: unfinished(server) == 0, "acknowledged")
    assert connector.end() == 0
    info = in_stream(server, lambda stream: stream.consumer_info("lake", consumer_name("penstock", SUBJECT)))
    assert info.delivered.consumer_seq == 1  # the server never gave it out again
    assert [call.body for call in function.calls] == [b"long"]


def test_connectors_of_a_group_share_the_messages_and_another_group_gets_all(
    server: NatsServer, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(0.02)
        return 200

    others = [RecordingFunction(answer) for _ in range(2)]
    function.answer = answer
    wanted = [b'{"Key": "upload/%d"}' % number for number in range(40)]
    replicas = [
        connect(server, tmp_path, f"replica{number}", f"{each.url}/", *more, "--max-in-flight", "4")
        for number, (each, more) in enumerate(((function, ()), (others[0], ()), (others[1], ("--group", "audit"))))
    ]
    for replica in replicas:
        replica.until(replica.is_ready, "ready")
    publish(server, *wanted)
    replicas[0].until(lambda: unfinished(server) + unfinished(server, "audit") == 0, "all acknowledged")
    assert [replica.end() for replica in replicas] == [0, 0, 0]
    for each in others:
        each.stop()
    assert sorted([*function.delivered(), *others[0].delivered()]) == sorted(wanted)
    assert function.delivered()
    assert others[0].delivered()
    assert sorted(others[1].delivered()) == sorted(wanted)


def test_refused_message_is_kept_and_can_be_replayed(
    server: NatsServer, tmp_path: Path, function: RecordingFunction
) -> None:
    function.answer = lambda path, body: 422
    connector = connect(server, tmp_path, "connector", f"{function.url}/strict")
    publish(server, b"poison")
    inbox = tmp_path / "connector.db"
    connector.until(lambda: inbox.exists() and "poison" in dlq(inbox, "list", "--json"), "kept")
    [letter] = letters(inbox)
    assert (letter["code"], letter["target"], letter["data"]) == (422, "strict", "answer")
    connector.until(lambda: unfinished(server) == 0, "acknowledged")
    function.answer = lambda path, body: 200
    assert dlq(inbox, "replay", letter["id"]) == "1 replayed\n"
    connector.until(lambda: function.delivered("/strict") == [b"poison"], "replayed")
    assert connector.end() == 0


def test_a_subject_without_a_stream_is_said_until_there_is_one(tmp_path: Path, function: RecordingFunction) -> None:
    with NatsServer(tmp_path / "nats") as server:
        connector = connect(server, tmp_path, "connector", f"{function.url}/")
        connector.until(lambda: f"no stream has the subject {SUBJECT}; make one" in connector.text(), "said")
        assert not connector.is_ready()
        in_stream(server, make_stream)
        publish(server, b"there")
        connector.until(lambda: function.delivered() == [b"there"], "delivered")
        connector.until(connector.is_ready, "ready")
        assert connector.end() == 0


def test_a_wrong_password_is_said(server: NatsServer, tmp_path: Path, function: RecordingFunction) -> None:
    connector = connect(server, tmp_path, "connector", f"{function.url}/", password="wrong")
    connector.until(lambda: "check NATS_USERNAME, NATS_PASSWORD and NATS_TOKEN" in connector.text(), "said")
    assert not connector.is_ready()
    assert connector.end() == 0
    assert "wrong" not in connector.text()
