"""Tell an event's shape and read it: `parse` for requests, `parse_listen_line` for MinIO's listen stream."""

import json
import re
from collections.abc import Mapping
from typing import Any

from penstock.errors import EventError
from penstock.events.cloudevent import Envelope, media_type, open_binary, open_structured
from penstock.events.names import Kind
from penstock.events.record import (
    EXPECTED,
    Notification,
    checked_ref,
    identity,
    kind_name,
    load_json,
    read_record,
    records_of,
    reference,
    required_text,
)
from penstock.events.trace import read_traceparent

_CLOUDEVENTS = "application/cloudevents"
_STRUCTURED = frozenset({_CLOUDEVENTS, f"{_CLOUDEVENTS}+json"})
_BATCH = frozenset({f"{_CLOUDEVENTS}-batch", f"{_CLOUDEVENTS}-batch+json"})
_NOTIFICATION_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:EventName|Key|Records)"\s*:')
_RECORD_MEMBERS = (re.compile(rb'"eventName"\s*:\s*"'), re.compile(rb'"s3"\s*:\s*\{'))


def is_object_request(headers: Mapping[str, str]) -> bool:
    """Whether a request to `/` brings an event: a CloudEvent in any mode, or what an OpenFaaS connector sends."""
    lower = _lower(headers)
    return "ce-specversion" in lower or "x-topic" in lower or media_type(lower).startswith(_CLOUDEVENTS)


def parse(body: bytes, headers: Mapping[str, str]) -> list[Notification]:
    """Read the event in a request: one notification per object it names, in its order.

    The list is empty when the event names no object, such as AWS's test event. Header names are taken in any
    case. Raises `EventError`, and nothing else, when the event is malformed; the text names what is wrong.

    >>> [n.ref.key for n in parse(b'{"bucket": "upload", "key": "a+b.csv"}', {})]
    ['a+b.csv']
    """
    lower = _lower(headers)
    traceparent = _valid_traceparent(lower.get("traceparent"))
    kind = media_type(lower)
    if kind in _BATCH:
        return _read_batch(load_json(body), traceparent)
    if kind in _STRUCTURED:
        return _read_envelope(open_structured(load_json(body), "event"), "event", traceparent)
    if kind.startswith(_CLOUDEVENTS):
        raise EventError(
            f"content type {kind[:80]!r}: of CloudEvents' formats only JSON is read; send {_CLOUDEVENTS}+json"
        )
    if "ce-specversion" in lower:
        return _read_envelope(open_binary(lower, body), "event", traceparent)
    return _read(load_json(body), "event", traceparent)


def parse_listen_line(line: bytes) -> list[Notification]:
    """Read one line of MinIO's listen stream, whose keys are raw; a blank line only keeps the stream open."""
    if not line.strip():
        return []
    body = load_json(line)
    if not isinstance(body, dict) or "Records" not in body:
        raise EventError(f'line: expected {{"Records": [...]}}, got {_members(body)}')
    return _read_records(body, "", None, raw_key=True)


def looks_like_notification(head: bytes) -> bool:
    """Whether a body that came as a file is a MinIO or S3 notification gone astray.

    `head` is the body or its beginning; 64 KiB are enough. A file with more behind the notification, such as a
    log with one per line, is a file. Never raises.
    """
    if not _NOTIFICATION_START.match(head):
        return False
    text = head.decode("utf-8-sig", "replace").lstrip()
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):  # cut off, or broken: its beginning has to do
        return all(member.search(head) for member in _RECORD_MEMBERS)
    records = value.get("Records")
    if records == [] and value.keys() <= {"EventName", "Key", "Records"}:  # refused at /event too
        return not text[end:].strip()
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, dict) and "s3" in first and "eventName" in first and not text[end:].strip()


def _read(value: Any, where: str, traceparent: str | None, envelope: Envelope | None = None) -> list[Notification]:
    """Read one event or a list of them; `envelope` is the CloudEvent around it."""
    if not isinstance(value, list):
        return _read_one(value, where, traceparent, envelope)
    if not value:
        raise EventError(f"{where}: the list is empty; expected {EXPECTED}")
    return [
        found
        for index, item in enumerate(value)
        for found in _read_one(item, f"{where}[{index}]", traceparent, envelope)
    ]


def _read_one(value: Any, where: str, traceparent: str | None, envelope: Envelope | None) -> list[Notification]:
    if isinstance(value, dict):
        if "Records" in value:
            return _read_records(value, "" if where == "event" else f"{where}.", traceparent)
        if "s3" in value:
            found = read_record(value, where, traceparent=traceparent)
            return [found] if found else []
        # A connector passes a Kafka value on as it is, and that may be a CloudEvent; one within another is not read.
        if "specversion" in value and envelope is None:
            return _read_envelope(open_structured(value, where), where, traceparent)
        if "bucket" in value or "key" in value:
            return [_read_reference(value, where, traceparent, envelope)]
        if value.get("Event") == "s3:TestEvent":  # AWS sends it when a rule is made; it names no key
            return []
    raise EventError(f"{where}: expected {EXPECTED}, got {_members(value)}")


def _read_records(
    body: dict[str, Any], where: str, traceparent: str | None, *, raw_key: bool = False
) -> list[Notification]:
    found = (
        read_record(record, f"{where}Records[{index}]", raw_key=raw_key, traceparent=traceparent)
        for index, record in enumerate(records_of(body, where))
    )
    return [notification for notification in found if notification]


def _read_reference(
    value: dict[str, Any], where: str, traceparent: str | None, envelope: Envelope | None
) -> Notification:
    ref = checked_ref(required_text(value, "bucket", where), required_text(value, "key", where), where)
    event_id = identity(envelope.source, envelope.id, ref.bucket, ref.key) if envelope else None
    return reference(ref, event_id=event_id, traceparent=traceparent)


def _read_batch(value: Any, traceparent: str | None) -> list[Notification]:
    if not isinstance(value, list):
        raise EventError(f"batch: expected a list of CloudEvents, got {_members(value)}")
    found: list[Notification] = []  # an empty batch is a valid one, says the CloudEvents JSON format
    for index, item in enumerate(value):
        where = f"batch[{index}]"
        found += _read_envelope(open_structured(item, where), where, traceparent)
    return found


def _read_envelope(envelope: Envelope, where: str, traceparent: str | None) -> list[Notification]:
    traceparent = traceparent or _valid_traceparent(envelope.traceparent)
    if envelope.type.startswith("penstock."):
        return _read_own_answer(envelope, traceparent)
    data = envelope.data
    if data is None:
        raise EventError(f"{where}: the CloudEvent has no data; expected {EXPECTED}")
    if isinstance(data, bytes | str):
        data = load_json(data)
    return _read(data, where if where == "event" else f"{where}.data", traceparent, envelope)


def _read_own_answer(envelope: Envelope, traceparent: str | None) -> list[Notification]:
    """A function's answer that a broker fed back, {"outcome", "source": {"bucket", "key"}, ...}.

    There is nothing to act on, so nothing in it is an error either.
    """
    data = envelope.data
    try:
        if isinstance(data, bytes | str):
            data = load_json(data)
        source = data.get("source") if isinstance(data, dict) else None
        found = _read_reference(source, "data.source", traceparent, envelope) if isinstance(source, dict) else None
    except EventError:
        return []
    if found is None:
        return []
    return [Notification(found.ref, Kind.OTHER, envelope.type, found.id, traceparent=traceparent)]


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _valid_traceparent(value: str | None) -> str | None:
    found = read_traceparent(value)
    return str(found) if found else None


def _members(value: Any) -> str:
    if not isinstance(value, dict):
        return kind_name(value)
    return f"an object with {', '.join(repr(name[:40]) for name in list(value)[:8]) or 'nothing in it'}"
