"""Several notifications in one request: what shares one, and what each is told."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest
from penstock.delivery.batching import BatchTransport
from penstock.delivery.deliverer import Message, TargetAnswer
from penstock.errors import PenstockError, PermanentError, TemporaryError
from penstock.runtime.answers import Failure, failure_document
from penstock.types import ObjectRef

from tests.paths import EVENTS

PUT = (EVENTS / "kafka_value.json").read_text()


class Turn:
    """A batch of three at most, over a transport whose answers the test gives; `end` ends the loop's turn."""

    def __init__(self, transport: Any) -> None:
        self.inner = transport
        self.answers: dict[str, list[TargetAnswer]] = {}
        self._soon: list[Callable[[], None]] = []
        self._batch = BatchTransport(transport, 3, self._soon.append)

    def send(self, key: str, value: bytes | None = None, topic: str = "upload") -> None:
        headers = {"Content-Type": "text/plain", "X-Topic": topic, "X-Kafka-Offset": "1"}
        message = Message(key, notification(key) if value is None else value, headers, key)
        self._batch.send(message, lambda answer: self.answers.setdefault(key, []).append(answer))

    def end(self) -> None:
        waiting, self._soon[:] = list(self._soon), []
        for call in waiting:
            call()

    @property
    def statuses(self) -> dict[str, list[int]]:
        return {key: [answer.status for answer in answers] for key, answers in self.answers.items()}

    @property
    def sizes(self) -> list[int]:
        return [len(json.loads(message.value)["Records"]) for message in self.inner.sent]


@pytest.fixture
def turn(bench: Any) -> Turn:
    return Turn(bench.transport)


def notification(key: str) -> bytes:
    value = json.loads(PUT)
    value["Key"] = f"upload/{key}"
    value["Records"][0]["s3"]["bucket"]["name"] = "upload"
    value["Records"][0]["s3"]["object"]["key"] = quote_plus(key)
    return json.dumps(value).encode()


def result(key: str, error: PenstockError | None = None) -> dict[str, Any]:
    """As a function answers it."""
    if error is None:
        return {"outcome": "processed", "function": "index", "source": {"bucket": "upload", "key": key}}
    return failure_document(Failure(ObjectRef("upload", key), error))


def test_notifications_of_one_turn_share_a_request(turn: Turn) -> None:
    for key in ("a", "b"):
        turn.send(key)
    assert turn.inner.sent == []
    turn.end()
    [message] = turn.inner.sent
    keys = [record["s3"]["object"]["key"] for record in json.loads(message.value)["Records"]]
    assert (keys, message.headers) == (["a", "b"], {"X-Topic": "upload", "Content-Type": "application/json"})
    turn.inner.answer(200)
    assert turn.statuses == {"a": [200], "b": [200]}


def test_batch_is_sent_when_it_is_full(turn: Turn) -> None:
    for key in "abcd":
        turn.send(key)
    assert turn.sizes == [3]
    turn.end()
    assert turn.sizes == [3, 1]


def test_single_notification_is_sent_as_it_is(turn: Turn) -> None:
    turn.send("a")
    turn.end()
    [message] = turn.inner.sent
    assert message.headers["X-Kafka-Offset"] == "1"


@pytest.mark.parametrize("value", [b"", b"hello", b'{"bucket": "b", "key": "k"}', b'{"Records": 1}', b'{"Records": ['])
def test_what_is_no_notification_goes_alone_at_once(turn: Turn, value: bytes) -> None:
    turn.send("a", value)
    turn.send("b", value)
    assert [message.value for message in turn.inner.sent] == [value, value]


def test_topics_do_not_share_a_request(turn: Turn) -> None:
    turn.send("a", topic="upload")
    turn.send("b", topic="images")
    turn.end()
    assert turn.sizes == [1, 1]


def test_each_is_told_its_own_result(turn: Turn) -> None:
    for key in ("fine", "later +%", "never"):
        turn.send(key)
    results = [result("fine"), result("later +%", TemporaryError("busy")), result("never", PermanentError("no"))]
    turn.inner.answer(503, body=json.dumps({"results": results}).encode(), headers={"retry-after": "3"})
    assert turn.statuses == {"fine": [200], "later +%": [503], "never": [422]}
    assert turn.answers["later +%"][0].headers == {"retry-after": "3"}
    assert json.loads(turn.answers["never"][0].body)["error"] == "PermanentError"


def test_one_without_a_result_was_ignored(turn: Turn) -> None:
    for key in ("a", "b"):
        turn.send(key)
    turn.end()
    turn.inner.answer(422, body=json.dumps(result("b", PermanentError("no"))).encode())
    assert turn.statuses == {"a": [200], "b": [422]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"error": "EventError"}',
        b'{"results": [1]}',
        b'{"results": 1}',
        b'{"results": []}',
        b'{"results": [{"source": {"bucket": "upload", "key": "another"}, "status": 503}]}',
        b'{"results": [{"source": {"bucket": "upload", "key": "a"}, "status": 200}]}',
        *(
            b'{"results": [{"source": {"bucket": "upload", "key": "a"}, "status": %b}]}' % status
            for status in (b'"x"', b"null", b"{}", b"4.5")
        ),
    ],
)
def test_refusal_of_the_whole_makes_each_go_alone(turn: Turn, body: bytes) -> None:
    for key in ("a", "b"):
        turn.send(key)
    turn.end()
    turn.inner.answer(400, body=body)
    assert turn.sizes == [2, 1, 1]
    assert turn.answers == {}
    turn.inner.answer(200)
    turn.inner.answer(400)
    assert turn.statuses == {"a": [200], "b": [400]}


def test_no_answer_is_no_answer_for_all(turn: Turn) -> None:
    for key in ("a", "b"):
        turn.send(key)
    turn.end()
    turn.inner.answer(504, error="no answer within 60 seconds")
    assert turn.statuses == {"a": [504], "b": [504]}
    assert turn.sizes == [2]
