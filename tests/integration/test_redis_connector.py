"""The Redis connector on a real server: the contract of every queue, leases, dead letters, strangers' items."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis

from tests.components import RedisServer
from tests.integration.connect_helpers import RecordingFunction, letters
from tests.integration.queue_contract import Queue, QueueContract, check_tls
from tests.paths import EVENTS

LIST = "bucketevents"


class RedisList(Queue):
    """The list that a store appends to; a connector's lease on what it took is short."""

    kind = "redis"
    topic = LIST
    frozen_seconds = 12.0
    wrong_login: ClassVar = {"REDIS_PASSWORD": "hunter2"}
    refused_login = "check REDIS_USERNAME and REDIS_PASSWORD"

    @property
    def login(self) -> Mapping[str, str]:
        return {"REDIS_PASSWORD": self.server.endpoint.password, "REDIS_LEASE_SECONDS": "3"}

    def client(self) -> Any:
        told = self.server.endpoint
        return redis.Redis(told.host, told.port, password=told.password)

    def make(self) -> None:
        """The first item makes it."""

    def spoil(self, topic: str) -> str:
        with self.client() as connection:
            connection.hset(topic, "upload/a.csv", "{}")
        return f"{topic}: the key holds a hash, not a list"

    def publish(self, *payloads: bytes) -> None:
        """Append items as MinIO does."""
        with self.client() as connection:
            for payload in payloads:
                connection.rpush(LIST, payload)

    def left(self) -> int:
        """Items in the list, and those that a connector has taken."""
        with self.client() as connection:
            return int(sum(connection.llen(key) for key in [LIST, *connection.keys(f"{LIST}:penstock:taken:*")]))


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[RedisList]:
    with RedisServer(tmp_path / "redis") as server:
        yield RedisList(server)


class TestQueue(QueueContract):
    """The contract of every queue on Redis."""

    def test_connectors_share_a_queue_and_one_takes_over_what_a_killed_one_had(
        self, queue: Queue, tmp_path: Path, function: RecordingFunction
    ) -> None:
        super().test_connectors_share_a_queue_and_one_takes_over_what_a_killed_one_had(queue, tmp_path, function)
        said = (tmp_path / "survivor.log").read_text(encoding="utf-8")
        assert "items of a connector that ended were put back" in said


def access_item(key: str) -> bytes:
    """What MinIO's access format appends for an object."""
    record = json.loads((EVENTS / "minio_put.json").read_text())["Records"][0]
    record["s3"]["object"]["key"] = key
    return json.dumps([{"Event": [record], "EventTime": record["eventTime"]}]).encode()


def test_what_was_taken_by_a_command_whose_answer_was_lost_is_delivered(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(connector.is_ready, "ready")
    with queue.client() as connection:
        [member] = connection.smembers(f"{LIST}:penstock:members")
        connection.rpush(f"{LIST}:penstock:taken:{member.decode()}", b"unheard")
    connector.until(lambda: b"unheard" in function.delivered(), "delivered")
    connector.until(lambda: queue.left() == 0, "finished")
    assert connector.end() == 0


def test_unanswered_item_is_put_back_at_the_end(queue: RedisList, tmp_path: Path, function: RecordingFunction) -> None:
    stuck, fine = access_item("stuck"), access_item("fine")
    function.answer = lambda path, body: 503 if b"stuck" in body else 200
    queue.publish(stuck, fine)
    first = queue.connect(tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    first.until(lambda: len(function.delivered()) >= 1, "the other delivered")
    assert first.end() == 0
    with queue.client() as connection:
        assert connection.lrange(LIST, 0, -1) == [stuck]
        assert connection.keys(f"{LIST}:penstock:*") == []
    function.answer = lambda path, body: 200
    second = queue.connect(tmp_path, "connector", f"{function.url}/")
    second.until(lambda: any(b"stuck" in body for body in function.delivered()), "the stuck one delivered")
    second.until(lambda: queue.left() == 0, "finished")
    assert second.end() == 0


def test_minios_access_format_comes_as_its_notification(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    queue.publish(access_item("a+b%2B%E6%97%A5.csv"))
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: len(function.delivered()) >= 1, "delivered")
    assert connector.end() == 0
    call = function.calls[0]
    body = json.loads(call.body)
    assert call.headers["x-topic"] == LIST
    assert (body["EventName"], body["Key"]) == ("s3:ObjectCreated:Put", "upload/a b+日.csv")
    assert body["Records"][0]["s3"]["object"]["key"] == "a+b%2B%E6%97%A5.csv"


def test_a_connector_that_was_frozen_past_its_lease_joins_again(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    frozen = queue.connect(tmp_path, "frozen", f"{function.url}/")
    frozen.until(frozen.is_ready, "ready")
    frozen.signal(signal.SIGSTOP)
    with queue.client() as connection:
        frozen.until(lambda: not connection.keys(f"{LIST}:penstock:lease:*"), "the lease is over")
    queue.publish(b"meanwhile")
    frozen.signal(signal.SIGCONT)
    frozen.until(lambda: b"meanwhile" in function.delivered(), "delivered")
    frozen.until(lambda: queue.left() == 0, "finished")
    assert frozen.end() == 0


def test_strangers_items_become_dead_letters_and_nothing_else_is_lost(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    """A function refuses what is not an event; each such item is kept with the answer, and the events go on."""
    function.answer = lambda path, body: 200 if b'"Records"' in body else 400
    strangers = [b"hello", b"\xff\xfe\x00", b"[]", b'[{"Event": 7}]', b'{"a": {"b": []}}', b"x" * 200_000]
    queue.publish(*strangers[:3], access_item("one"), *strangers[3:], access_item("two"))
    connector = queue.connect(tmp_path, "connector", f"{function.url}/strict")
    connector.until(lambda: len(function.calls) >= 8 and queue.left() == 0, "all finished")
    assert connector.end() == 0
    kept = letters(tmp_path / "connector.db")
    assert len(kept) == len(strangers)
    assert {letter["code"] for letter in kept} == {400}
    assert len(set(function.delivered("/strict"))) == 2


def test_a_member_whose_name_is_not_text_is_taken_over_like_any_other(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    """Another program can write into the set of members; what lies in its list comes back, and the rest goes on."""
    member = b"\xff\xfe strange"
    with queue.client() as connection:
        connection.sadd(f"{LIST}:penstock:members", member)
        connection.rpush(f"{LIST}:penstock:taken:".encode() + member, b"left behind")
    queue.publish(b"first")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: set(function.delivered()) == {b"first", b"left behind"}, "both delivered")
    with queue.client() as connection:
        connector.until(lambda: member not in connection.smembers(f"{LIST}:penstock:members"), "the member removed")
    connector.until(connector.is_ready, "ready")
    assert connector.end() == 0


def test_an_event_whose_names_are_not_unicode_becomes_a_dead_letter(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    function.answer = lambda path, body: 200 if body == b"good" else 400
    odd = [
        b'{"EventName": "s3:\\ud800", "Key": "upload/\\udfff", "Records": []}',
        access_item("one").replace(b"s3:ObjectCreated:Put", b"s3:\\ud800"),
        access_item("two").replace(b"s3:ObjectCreated:Put", b"s3:\xe9"),
    ]
    queue.publish(*odd, b"good")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: len(function.calls) >= 4 and queue.left() == 0, "all finished")
    connector.until(connector.is_ready, "ready")
    assert connector.end() == 0
    assert len(letters(tmp_path / "connector.db")) == 3


def test_a_key_that_is_not_a_list_is_said_until_it_is_one(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    with queue.client() as connection:
        connection.hset(LIST, "upload/a.csv", "{}")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: f"{LIST}: the key holds a hash, not a list" in connector.text(), "said")
    assert not connector.is_ready()
    with queue.client() as connection:
        connection.delete(LIST)
    queue.publish(b"there")
    connector.until(lambda: b"there" in function.delivered(), "delivered")
    connector.until(connector.is_ready, "ready")
    assert connector.end() == 0


def test_tls_is_spoken_with_a_private_authority(tmp_path: Path, function: RecordingFunction) -> None:
    with RedisServer(tmp_path / "redis", tls=True) as server:
        url = f"rediss://{server.endpoint.host}:{server.tls_port}"
        check_tls(RedisList(server), tmp_path, function, url, server.ca_file)


def test_a_user_without_the_right_to_the_list_is_told(
    queue: RedisList, tmp_path: Path, function: RecordingFunction
) -> None:
    """A user of Redis's access control list, at first with a right to other keys only."""
    with queue.client() as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">reader secret", "~elsewhere*", "+@all")
    login = {"REDIS_USERNAME": "reader", "REDIS_PASSWORD": "reader secret"}
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", env=login)
    connector.until(lambda: "let the user read and write the list" in connector.text(), "said")
    assert not connector.is_ready()
    with queue.client() as client:
        client.execute_command("ACL", "SETUSER", "reader", f"~{LIST}", "~LIST:penstock:*", f"~{LIST}:penstock:*")
    queue.publish(b"at last")
    connector.until(lambda: function.delivered() == [b"at last"], "delivered")
    assert connector.end() == 0
