"""What callbacks are told: one CloudEvent for each end of a delivery that is known, and nothing for any other."""

import json
from typing import Any

import pytest
from penstock.connect.bridge.messages import to_messages
from penstock.connect.bridge.outcomes import outcome_of
from penstock.delivery.deliverer import Message
from penstock.delivery.http import HttpTarget
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.events import parse

from tests.paths import EVENTS

PUT = (EVENTS / "minio_put.json").read_bytes()
ANSWER: dict[str, Any] = {
    "outcome": "processed",
    "function": "compress",
    "source": {"bucket": "upload", "key": "a b.csv", "etag": "e1", "size": 3},
    "targets": [{"address": "s3://processed/a b.csv.gz", "size": 9, "notes": ["a note"]}],
}


def message(target: str = "compress") -> Message:
    [made] = to_messages(PUT, [HttpTarget(target, "http://127.0.0.1:9/")], {})
    return made


def delivered(answer: object, status: int = 200) -> Verdict:
    return Verdict(DeliveryOutcome.DELIVERED, status, data=json.dumps(answer).encode())


@pytest.mark.parametrize("kind", ["processed", "removed", "refused"])
def test_the_answer_of_a_function_is_told_as_it_is(kind: str) -> None:
    answer = {**ANSWER, "outcome": kind}
    event = outcome_of(message(), delivered(answer))
    assert event is not None
    assert json.loads(event.data) == answer
    told = {name: event.attributes[name] for name in ("type", "source", "subject", "status")}
    assert told == {
        "type": f"penstock.object.{kind}",
        "source": "/penstock/functions/compress",
        "subject": "upload/a b.csv",
        "status": "200",
    }


def test_a_recorded_refusal_is_told_in_the_function_s_words_although_the_event_is_a_dead_letter() -> None:
    refused = {**ANSWER, "outcome": "refused", "reason": "expected JPEG, got text"}
    verdict = Verdict(DeliveryOutcome.DEAD, 415, "answered 415: expected JPEG", json.dumps(refused).encode())
    event = outcome_of(message(), verdict)
    assert event is not None
    assert (event.attributes["type"], event.attributes["status"]) == ("penstock.object.refused", "415")
    assert json.loads(event.data) == refused


def test_a_dead_letter_is_told_with_its_reason_and_the_class_of_the_error() -> None:
    answer = {"outcome": "failed", "status": 415, "error": "UnsupportedInput", "reason": "no picture"}
    verdict = Verdict(DeliveryOutcome.DEAD, 415, "answered 415: no picture", json.dumps(answer).encode())
    event = outcome_of(message("resize"), verdict)
    assert event is not None
    assert event.attributes["type"] == "penstock.object.failed"
    [ref] = [each.ref for each in parse(PUT, {})]
    assert json.loads(event.data) == {
        "outcome": "failed",
        "function": "resize",
        "source": {"bucket": ref.bucket, "key": ref.key},
        "status": 415,
        "error": "UnsupportedInput",
        "reason": "answered 415: no picture",
    }


@pytest.mark.parametrize("data", [b"", b"<html>", b"[" * 50_000, b"[1]", b'{"error": 5}'])
def test_a_dead_letter_is_told_whatever_the_answer_was(data: bytes) -> None:
    event = outcome_of(message(), Verdict(DeliveryOutcome.DEAD, 502, "cannot connect", data))
    assert event is not None
    assert "error" not in json.loads(event.data)


@pytest.mark.parametrize(
    "answer",
    [
        "stored\n",  # a Broker
        [],
        {**ANSWER, "outcome": "ignored"},
        {**ANSWER, "outcome": "offloaded"},  # a Job has it
        {**ANSWER, "outcome": ["processed"]},
        {**ANSWER, "function": ""},
        {**ANSWER, "function": 5},
        {**ANSWER, "source": "upload/a"},
        {**ANSWER, "source": {"bucket": "upload"}},
        {**ANSWER, "source": {"bucket": "upload", "key": ""}},
        {"results": [ANSWER, ANSWER]},
    ],
)
def test_an_answer_without_an_outcome_tells_nothing(answer: object) -> None:
    assert outcome_of(message(), delivered(answer)) is None
    assert outcome_of(message(), Verdict(DeliveryOutcome.DELIVERED, 204)) is None


def test_a_dead_letter_about_no_object_tells_nothing() -> None:
    strange = Message("", b"no event", {"content-type": "application/json"}, "webhook", "compress")
    assert outcome_of(strange, Verdict(DeliveryOutcome.DEAD, 400, "malformed")) is None


def test_the_same_end_has_the_same_id_and_another_one_has_not() -> None:
    first, again = outcome_of(message(), delivered(ANSWER)), outcome_of(message(), delivered({**ANSWER, "targets": []}))
    assert first is not None
    assert again is not None
    assert first.attributes["id"] == again.attributes["id"]  # notes are told by the first attempt only
    others = [
        outcome_of(message("other"), delivered(ANSWER)),
        outcome_of(message(), delivered({**ANSWER, "outcome": "refused"})),
        outcome_of(message(), delivered({**ANSWER, "source": {**ANSWER["source"], "etag": "e2"}})),
        outcome_of(message(), Verdict(DeliveryOutcome.DEAD, 415, "no")),
    ]
    ids = {first.attributes["id"], *(each.attributes["id"] for each in others if each is not None)}
    assert len(ids) == 5


@pytest.mark.parametrize("key", ["a\nb", 'q"', "日本", "a\ud800b", "100%", "a+b", "x" * 1024])
def test_every_key_makes_headers_that_can_be_sent(key: str) -> None:
    event = outcome_of(message(), delivered({**ANSWER, "source": {"bucket": "upload", "key": key}}))
    assert event is not None
    headers = event.http_headers()
    assert all(text.isascii() and text.isprintable() for text in headers.values())
