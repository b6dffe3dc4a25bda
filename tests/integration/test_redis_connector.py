"""The Redis connector on a real server: kill, restart, freeze, two connectors, dead letters, strangers' items."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.components import RedisServer
from tests.integration.connect_helpers import Penstock, RecordingFunction
from tests.paths import EVENTS

QUICK = ("--min-wait-seconds", "0.05", "--max-wait-seconds", "0.5", "--drain-seconds", "10")
LIST = "bucketevents"
LEASE_SECONDS = 3.0
FROZEN_SECONDS = 12.0


@pytest.fixture
def function() -> Iterator[RecordingFunction]:
    made = RecordingFunction()
    yield made
    made.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def client(server: RedisServer) -> Any:
    told = server.endpoint
    return redis.Redis(told.host, told.port, password=told.password)


def push(server: RedisServer, *items: bytes) -> None:
    """Append items as MinIO does."""
    with client(server) as connection:
        for item in items:
            connection.rpush(LIST, item)


def left(server: RedisServer) -> int:
    """Items that are not finished: in the list, and taken by a connector."""
    with client(server) as connection:
        return int(sum(connection.llen(key) for key in [LIST, *connection.keys(f"{LIST}:penstock:taken:*")]))


def access_item(key: str) -> bytes:
    """What MinIO's access format appends for an object."""
    record = json.loads((EVENTS / "minio_put.json").read_text())["Records"][0]
    record["s3"]["object"]["key"] = key
    return json.dumps([{"Event": [record], "EventTime": record["eventTime"]}]).encode()


def connect(server: RedisServer, folder: Path, name: str, to: str, *more: str, password: str = "") -> Penstock:
    """A connector with an inbox of its own and a short lease."""
    told = server.endpoint
    env = {"REDIS_PASSWORD": password or told.password, "REDIS_LEASE_SECONDS": str(LEASE_SECONDS)}
    return Penstock(
        name, folder, "connect", "redis", "--url", f"redis://{told.address}", "--to", f"{LIST}={to}",
        "--inbox", str(folder / f"{name}.db"), *QUICK, *more, env=env,
    )  # fmt: skip


def dead_letters(folder: Path, inbox: str) -> list[dict[str, Any]]:
    child = Penstock(f"dlq-{time.monotonic_ns()}", folder, "dlq", "list", "--inbox", str(folder / inbox), "--json")
    assert child.wait(30) == 0, child.text()
    return [json.loads(line) for line in child.text().splitlines()]


def test_items_are_delivered_while_connector_and_server_are_killed(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(0.01)
        return 200

    function.answer = answer
    wanted = [b"%d" % number for number in range(300)]
    push(server, *wanted[:100])
    first = connect(server, tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
    first.until(lambda: len(function.delivered()) > 20, "20 delivered")
    first.kill()
    assert left(server) > 0
    push(server, *wanted[100:200])
    second = connect(server, tmp_path, "connector", f"{function.url}/", "--max-in-flight", "20")
    second.until(lambda: len(set(function.delivered())) > 120, "more delivered")
    server.kill()
    server.restart()
    push(server, *wanted[200:])
    second.until(lambda: len(set(function.delivered())) == 300, "all delivered", timeout_seconds=120)
    second.until(lambda: left(server) == 0, "all finished", timeout_seconds=120)
    assert second.is_ready()
    assert second.end() == 0
    assert set(function.delivered()) == set(wanted)


def test_connector_goes_on_after_the_server_was_frozen(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """A frozen server keeps its connections open, answers nothing, and then does what it was asked meanwhile."""
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    push(server, b"before")
    connector.until(lambda: function.delivered() == [b"before"], "delivered")
    connector.until(connector.is_ready, "ready")
    server.children[-1].signal(signal.SIGSTOP)
    try:
        time.sleep(FROZEN_SECONDS)
        connector.until(lambda: not connector.is_ready(), "not ready any more")
    finally:
        server.children[-1].signal(signal.SIGCONT)
    push(server, b"after")
    connector.until(lambda: b"after" in function.delivered(), "delivered", timeout_seconds=120)
    connector.until(lambda: left(server) == 0, "all finished")
    connector.until(connector.is_ready, "ready again")
    assert connector.end() == 0


def test_what_was_taken_by_a_command_whose_answer_was_lost_is_delivered(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(connector.is_ready, "ready")
    with client(server) as connection:
        [member] = connection.smembers(f"{LIST}:penstock:members")
        connection.rpush(f"{LIST}:penstock:taken:{member.decode()}", b"unheard")
    connector.until(lambda: function.delivered() == [b"unheard"], "delivered")
    connector.until(lambda: left(server) == 0, "finished")
    assert connector.end() == 0


def test_unanswered_item_is_put_back_at_the_end(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    stuck, fine = access_item("stuck"), access_item("fine")
    function.answer = lambda path, body: 503 if b"stuck" in body else 200
    push(server, stuck, fine)
    first = connect(server, tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    first.until(lambda: len(function.delivered()) == 1, "the other delivered")
    assert first.end() == 0
    with client(server) as connection:
        assert connection.lrange(LIST, 0, -1) == [stuck]
        assert connection.keys(f"{LIST}:penstock:*") == []
    function.answer = lambda path, body: 200
    second = connect(server, tmp_path, "connector", f"{function.url}/")
    second.until(lambda: any(b"stuck" in body for body in function.delivered()), "the stuck one delivered")
    second.until(lambda: left(server) == 0, "finished")
    assert second.end() == 0


def test_minios_access_format_comes_as_its_notification(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    push(server, access_item("a+b%2B%E6%97%A5.csv"))
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: len(function.delivered()) == 1, "delivered")
    assert connector.end() == 0
    [call] = function.calls
    body = json.loads(call.body)
    assert call.headers["x-topic"] == LIST
    assert (body["EventName"], body["Key"]) == ("s3:ObjectCreated:Put", "upload/a b+日.csv")
    assert body["Records"][0]["s3"]["object"]["key"] == "a+b%2B%E6%97%A5.csv"


def test_connectors_share_a_list_and_one_takes_over_what_a_killed_one_had(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    other = RecordingFunction()
    function.answer = lambda path, body: 503
    killed = connect(server, tmp_path, "killed", f"{function.url}/", "--attempts", "0", "--max-in-flight", "5")
    wanted = [access_item(f"{number}") for number in range(5)]
    push(server, *wanted)
    killed.until(lambda: len({call.body for call in list(function.calls)}) == 5, "all five taken")
    survivor = connect(server, tmp_path, "survivor", f"{other.url}/")
    survivor.until(survivor.is_ready, "ready")
    push(server, b"later")
    survivor.until(lambda: other.delivered() == [b"later"], "the later one delivered, and nothing of the other's")
    killed.kill()
    survivor.until(lambda: len(set(other.delivered())) == 6, "all delivered")
    survivor.until(lambda: left(server) == 0, "all finished")
    assert "items of a connector that ended were put back" in survivor.text()
    assert survivor.end() == 0
    other.stop()


def test_a_connector_that_was_frozen_past_its_lease_joins_again(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    frozen = connect(server, tmp_path, "frozen", f"{function.url}/")
    frozen.until(frozen.is_ready, "ready")
    frozen.signal(signal.SIGSTOP)
    with client(server) as connection:
        frozen.until(lambda: not connection.keys(f"{LIST}:penstock:lease:*"), "the lease is over")
    push(server, b"meanwhile")
    frozen.signal(signal.SIGCONT)
    frozen.until(lambda: function.delivered() == [b"meanwhile"], "delivered")
    frozen.until(lambda: left(server) == 0, "finished")
    assert frozen.end() == 0


def test_strangers_items_become_dead_letters_and_nothing_else_is_lost(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """A function refuses what is not an event; each such item is kept with the answer, and the events go on."""
    function.answer = lambda path, body: 200 if b'"Records"' in body else 400
    strangers = [b"hello", b"\xff\xfe\x00", b"[]", b'[{"Event": 7}]', b'{"a": {"b": []}}', b"x" * 200_000]
    push(server, *strangers[:3], access_item("one"), *strangers[3:], access_item("two"))
    connector = connect(server, tmp_path, "connector", f"{function.url}/strict")
    connector.until(lambda: len(function.calls) == 8 and left(server) == 0, "all finished")
    assert connector.end() == 0
    letters = dead_letters(tmp_path, "connector.db")
    assert len(letters) == len(strangers)
    assert {letter["code"] for letter in letters} == {400}
    assert len(function.delivered("/strict")) == 2


def test_a_member_whose_name_is_not_text_is_taken_over_like_any_other(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    """Another program can write into the set of members; what lies in its list comes back, and the rest goes on."""
    member = b"\xff\xfe strange"
    with client(server) as connection:
        connection.sadd(f"{LIST}:penstock:members", member)
        connection.rpush(f"{LIST}:penstock:taken:".encode() + member, b"left behind")
    push(server, b"first")
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: sorted(function.delivered()) == [b"first", b"left behind"], "both delivered")
    with client(server) as connection:
        assert member not in connection.smembers(f"{LIST}:penstock:members")
    assert connector.is_ready()
    assert connector.end() == 0


def test_an_event_whose_names_are_not_unicode_becomes_a_dead_letter(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    function.answer = lambda path, body: 200 if body == b"good" else 400
    odd = [
        b'{"EventName": "s3:\\ud800", "Key": "upload/\\udfff", "Records": []}',
        access_item("one").replace(b"s3:ObjectCreated:Put", b"s3:\\ud800"),
        access_item("two").replace(b"s3:ObjectCreated:Put", b"s3:\xe9"),
    ]
    push(server, *odd, b"good")
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: len(function.calls) == 4 and left(server) == 0, "all finished")
    connector.until(connector.is_ready, "ready")
    assert connector.end() == 0
    assert len(dead_letters(tmp_path, "connector.db")) == 3


def test_a_key_that_is_not_a_list_is_said_until_it_is_one(
    server: RedisServer, tmp_path: Path, function: RecordingFunction
) -> None:
    with client(server) as connection:
        connection.hset(LIST, "upload/a.csv", "{}")
    connector = connect(server, tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: f"{LIST}: the key holds a hash, not a list" in connector.text(), "said")
    assert not connector.is_ready()
    with client(server) as connection:
        connection.delete(LIST)
    push(server, b"there")
    connector.until(lambda: function.delivered() == [b"there"], "delivered")
    connector.until(connector.is_ready, "ready")
    assert connector.end() == 0


def test_a_wrong_password_is_said(server: RedisServer, tmp_path: Path, function: RecordingFunction) -> None:
    connector = connect(server, tmp_path, "connector", f"{function.url}/", password="wrong")
    connector.until(lambda: "check REDIS_USERNAME and REDIS_PASSWORD" in connector.text(), "said")
    assert not connector.is_ready()
    assert connector.end() == 0
    assert "wrong" not in connector.text()
