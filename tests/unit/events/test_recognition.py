"""Which requests bring an event, and which files are notifications gone astray."""

import json

import pytest
from penstock.events import is_object_request, looks_like_notification

from tests.paths import EVENTS

STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=UTF-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def event(name: str) -> bytes:
    return (EVENTS / f"{name}.json").read_bytes()


def short(value: object) -> str:
    """A test's name from its input, which may have 100,000 bytes."""
    return repr(value)[:40]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Ce-SpecVersion": "1.0"}, True),
        ({"X-TOPIC": "upload"}, True),
        (STRUCTURED, True),
        (BATCH, True),
        ({"content-type": "Application/CloudEvents+JSON"}, True),
        ({"content-type": "application/json"}, False),
        ({"content-type": "image/jpeg"}, False),
        ({}, False),
    ],
)
def test_object_request_is_told_by_its_headers(headers: dict[str, str], expected: bool) -> None:
    assert is_object_request(headers) is expected


@pytest.mark.parametrize(
    "name", ["minio_put", "kafka_value", "elasticsearch_document", "aws_put", "several_records", "minio_delete"]
)
def test_stray_notification_is_recognised(name: str) -> None:
    body = event(name)
    compact = json.dumps(json.loads(body), separators=(",", ":")).encode()
    assert looks_like_notification(body)
    assert looks_like_notification(compact)
    assert looks_like_notification(b"\xef\xbb\xbf\n" + body)
    assert looks_like_notification(compact[:-200])  # cut off


def test_stray_notification_of_versity_is_recognised_and_a_list_of_records_is_a_file() -> None:
    body = event("versity_put")
    assert looks_like_notification(body)
    assert looks_like_notification(b"\xef\xbb\xbf\n" + body)
    assert not looks_like_notification(json.dumps(json.loads(body) * 2).encode())
    assert not looks_like_notification(body.replace(b"webhook-global", b"mine"))
    assert not looks_like_notification(body[:-200])
    assert not looks_like_notification(body + body)
    for odd in (b'[{"eventVersion": 1}]', b'[{"eventVersion": 1, "eventName": 1, "s3": 1}]'):
        assert not looks_like_notification(odd)


@pytest.mark.parametrize("body", [b'{"Records": []}', b'{"EventName": "", "Key": "", "Records": [ ]}\n'], ids=short)
def test_stray_notification_without_a_record_is_recognised(body: bytes) -> None:
    assert looks_like_notification(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"email, name\n",
        b'{"Records": [], "Artists": ["Nina Simone"]}',
        b'{"Records": []}\n{"Records": []}',
        b'{"Records": [{"artist": "Nina Simone", "s3": 3}]}',
        b'{"Key": "value"}',
        b'{"Records": 3}',
        b'{"rows": [{"eventName": "s3:ObjectCreated:Put", "s3": {}}]}',
        b'\x1f\x8b{"Records":',
        event("minio_put") + event("minio_put"),
        event("reference"),
        b'{"Records":' + b"[" * 60_000,
    ],
    ids=short,
)
def test_other_files_are_not_taken_for_notifications(body: bytes) -> None:
    assert not looks_like_notification(body)
