"""What is left of a Job that failed."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest
from penstock import events
from penstock.connect.bridge.broker_dead_letters import read_broker_dead_letter
from penstock.connect.bridge.messages import to_messages
from penstock.delivery.http import HttpTarget
from penstock.jobs.dead_letter import dead_letter
from penstock.jobs.job import Job, JobState
from penstock.types import ObjectRef

URL = "https://kubernetes.test/apis/batch/v1/namespaces/lake/jobs/compress-1"
FAILED = Job(
    name="compress-1",
    uid="6f6c5d3e",
    version="7",
    function="compress",
    ref=ObjectRef("upload", "dir/日本 x+y.csv"),
    state=JobState.FAILED,
    order=("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001+00:00", "compress-1"),
    etag="e1",
    size=1 << 40,
    since="",
    reason="PodFailurePolicy",
    message="Container main failed with exit code 65",
    event_id="event-1",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def test_a_dead_letter_can_be_sent_to_a_function_as_it_is() -> None:
    letter = dead_letter(FAILED, URL, "log")
    (notification,) = events.parse(letter.data, letter.http_headers())
    assert (notification.ref, notification.kind) == (FAILED.ref, events.Kind.CREATED)
    assert (notification.etag, notification.size) == ("e1", 1 << 40)
    assert notification.traceparent == FAILED.traceparent


def test_a_dead_letter_that_the_bridge_keeps_is_delivered_again_when_it_is_replayed() -> None:
    letter = dead_letter(FAILED, URL, "log")
    kept = read_broker_dead_letter(letter.http_headers(), letter.data, "bridge", authenticated=False)
    assert kept.code == 422
    assert kept.reason == f"{URL}: PodFailurePolicy: Container main failed with exit code 65\nlog"
    (message,) = to_messages(kept.message.value, (HttpTarget("compress", "http://gateway/function/compress"),), {})
    assert message.headers["ce-type"] == "com.amazonaws.s3.ObjectCreated:Put"
    (notification,) = events.parse(message.value, dict(message.headers))
    assert (notification.ref, notification.kind) == (FAILED.ref, events.Kind.CREATED)


def test_a_dead_letter_says_what_happened_to_people_and_to_knatives_tools() -> None:
    letter = dead_letter(FAILED, URL, "the log\n")
    assert letter.attributes["id"] == FAILED.uid
    assert letter.attributes["eventid"] == "event-1"
    assert letter.attributes["subject"] == "upload/dir/日本 x+y.csv"
    assert letter.attributes["knativeerrordest"] == URL
    assert letter.attributes["knativeerrorcode"] == "422"
    error = base64.b64decode(letter.attributes["knativeerrordata"]).decode()
    assert error == "PodFailurePolicy: Container main failed with exit code 65\nthe log\n"
    data = json.loads(letter.data)["Job"]
    assert (data["function"], data["name"], data["log"]) == ("compress", "compress-1", "the log\n")


@pytest.mark.parametrize(
    ("reason", "code"), [("PodFailurePolicy", "422"), ("DeadlineExceeded", "504"), ("BackoffLimitExceeded", "500")]
)
def test_the_code_is_what_a_function_would_have_answered(reason: str, code: str) -> None:
    letter = dead_letter(dataclasses.replace(FAILED, reason=reason), URL, "")
    assert letter.attributes["knativeerrorcode"] == code


def test_error_data_stay_short_and_keep_the_reason_and_the_end_of_the_log() -> None:
    letter = dead_letter(FAILED, URL, "early " * 1000 + "ünd the end")
    error = base64.b64decode(letter.attributes["knativeerrordata"])
    assert len(error) <= 1024
    assert error.startswith(b"PodFailurePolicy: ")
    assert error.decode().endswith("ünd the end")
