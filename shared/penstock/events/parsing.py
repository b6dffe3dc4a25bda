"""Tell an event's shape and read it: `parse` for requests, `parse_listen_line` for MinIO's listen stream."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.errors import EventError, InputTooLarge
from penstock.events.cloudevent import media_type, open_binary, open_structured
from penstock.events.envelope import Envelope
from penstock.events.keys import is_versity
from penstock.events.names import Kind
from penstock.events.record import (
    EXPECTED,
    Notification,
    OddRecord,
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
from penstock.events.wrapped import (
    detail_record,
    eventbridge_record,
    is_detail,
    is_eventbridge,
    other_cloud_record,
    text_inside,
)

_CLOUDEVENTS = "application/cloudevents"
_STRUCTURED = frozenset({_CLOUDEVENTS, f"{_CLOUDEVENTS}+json"})
_BATCH = frozenset({f"{_CLOUDEVENTS}-batch", f"{_CLOUDEVENTS}-batch+json"})
_NOTIFICATION_START = rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*"(?:EventName|Key|Records)"|\[\s*\{\s*"eventVersion")\s*:'
# An S3 record has about ten objects and lists in it. JSON with more than this for each is not worth its memory.
_NESTED_VALUES_PER_RECORD = 20
_RECORD_MEMBERS = (rb'"eventName"\s*:\s*"', rb'"s3"\s*:\s*\{')


def is_object_request(headers: Mapping[str, str]) -> bool:
    """Whether a request to `/` brings an event: a CloudEvent in any mode, or what an OpenFaaS connector sends."""
    lower = _lower(headers)
    return "ce-specversion" in lower or "x-topic" in lower or media_type(lower).startswith(_CLOUDEVENTS)


EventsRead = list[Notification | OddRecord]


def parse(body: bytes, headers: Mapping[str, str]) -> list[Notification]:
    """Read the event in a request: one notification per object it names, in its order.

    The list is empty when the event names no object, such as AWS's test event. Header names are taken in any
    case. Raises `EventError`, and nothing else, when anything in the event is malformed; the text names what is wrong.

    >>> [n.ref.key for n in parse(b'{"bucket": "upload", "key": "a+b.csv"}', {})]
    ['a+b.csv']
    """
    return _all_of(_parse(body, headers))


def parse_each(body: bytes, headers: Mapping[str, str], max_objects: int) -> list[Notification | OddRecord]:
    """As `parse`, but a malformed record beside others is returned in its place, and the others are read.

    Raises `EventError` when the event as a whole is malformed, or when nothing but one malformed record is in it, and
    `InputTooLarge` when it names more than `max_objects` objects.
    """
    _check_nested(body, max_objects)
    found = _parse(body, headers, max_objects)
    if len(found) > max_objects:
        raise _too_many(max_objects)
    if len(found) == 1:
        _all_of(found)
    return found


def _check_nested(text: bytes | str, max_objects: int) -> None:
    """Raise `InputTooLarge` for JSON that has more in it than `max_objects` records can have; it is not read."""
    nested = text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")
    if nested > max_objects * _NESTED_VALUES_PER_RECORD:
        raise _too_many(max_objects)


def _too_many(max_objects: int) -> InputTooLarge:
    return InputTooLarge(f"the event names more than {max_objects} objects; send at most {max_objects} at a time")


def _parse(body: bytes, headers: Mapping[str, str], max_objects: int | None = None) -> EventsRead:
    lower = _lower(headers)
    traceparent = _valid_traceparent(lower.get("traceparent"))
    kind = media_type(lower)
    reader = _Reader(traceparent, max_objects)
    if kind in _BATCH:
        return reader.batch(load_json(body))
    if kind in _STRUCTURED:
        return reader.envelope(open_structured(load_json(body), "event"), "event")
    if kind.startswith(_CLOUDEVENTS):
        raise EventError(
            f"content type {kind[:80]!r}: of CloudEvents' formats only JSON is read; send {_CLOUDEVENTS}+json"
        )
    if "ce-specversion" in lower:
        return reader.envelope(open_binary(lower, body), "event")
    return reader.event(load_json(body), "event")


def parse_listen_line(line: bytes) -> list[Notification]:
    """Read one line of MinIO's listen stream, whose keys are raw; a blank line only keeps the stream open."""
    if not line.strip():
        return []
    body = load_json(line)
    if not isinstance(body, dict) or "Records" not in body:
        raise EventError(f'line: expected {{"Records": [...]}}, got {_members(body)}')
    return _all_of(_Reader().records(body, "", raw_key=True))


def looks_like_notification(head: bytes) -> bool:
    """Whether a body that came as a file is a notification of a store that was sent to the wrong path.

    `head` is the body or its beginning; 64 KiB are enough. A file with more behind the notification, such as a
    log with one per line, is a file. Never raises.
    """
    if not re.match(_NOTIFICATION_START, head):
        return False
    text = head.decode("utf-8-sig", "replace").lstrip()
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):  # cut off, or broken: its beginning decides
        # A list is the one record of Versity's gateway, which is never cut off.
        return text.startswith("{") and all(re.search(member, head) for member in _RECORD_MEMBERS)
    if isinstance(value, list):
        return len(value) == 1 and _is_of_versity(value[0]) and not text[end:].strip()
    records = value.get("Records")
    if records == [] and value.keys() <= {"EventName", "Key", "Records"}:  # refused at /event too
        return not text[end:].strip()
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, dict) and "s3" in first and "eventName" in first and not text[end:].strip()


def _is_of_versity(record: Any) -> bool:
    s3 = record.get("s3") if isinstance(record, dict) else None
    return (
        isinstance(s3, dict)
        and "eventName" in record
        and is_versity(record.get("eventSource"), s3.get("configurationId"))
    )


class _Reader:
    """Reads what is in one request. `traceparent` is the request's own; reading ends above `max_objects` objects."""

    def __init__(self, traceparent: str | None = None, max_objects: int | None = None, depth: int = 0) -> None:
        self._traceparent = traceparent
        self._max_objects = max_objects
        self._depth = depth  # messages of SNS and SQS that are around this

    def event(self, value: Any, where: str, envelope: Envelope | None = None) -> EventsRead:
        """Read one event or a list of them; `envelope` is the CloudEvent around it."""
        if not isinstance(value, list):
            return self._one(value, where, envelope)
        if not value:
            raise EventError(f"{where}: the list is empty; expected {EXPECTED}")
        return self._each(value, where, lambda item, where: self._one(item, where, envelope))

    def batch(self, value: Any) -> EventsRead:
        """Read a batch of CloudEvents. An empty batch is a valid one, says the CloudEvents JSON format."""
        if not isinstance(value, list):
            raise EventError(f"batch: expected a list of CloudEvents, got {_members(value)}")
        return self._each(value, "batch", lambda item, where: self.envelope(open_structured(item, where), where))

    def records(self, body: dict[str, Any], where: str, *, raw_key: bool = False) -> EventsRead:
        """Read the `Records` of a notification."""

        def read(record: Any, where: str) -> EventsRead:
            text = text_inside(record, where, self._depth) if isinstance(record, dict) and "s3" not in record else None
            return self._record(record, where, raw_key=raw_key) if text is None else self._deeper(text, where)

        return self._each(records_of(body, where), f"{where}Records", read)

    def envelope(self, envelope: Envelope, where: str) -> EventsRead:
        """Read what a CloudEvent carries."""
        traceparent = self._traceparent or _valid_traceparent(envelope.traceparent)
        return _Reader(traceparent, self._max_objects, self._depth)._data(envelope, where)

    def _data(self, envelope: Envelope, where: str) -> EventsRead:
        if envelope.type.startswith("penstock."):
            return self._own_answer(envelope)
        if (record := other_cloud_record(envelope, where)) is not None:
            return self._record(record, where)
        data = envelope.data
        if data is None:
            raise EventError(f"{where}: the CloudEvent has no data; expected {EXPECTED}")
        if isinstance(data, bytes | str):
            data = self._load(data)
        return self.event(data, where if where == "event" else f"{where}.data", envelope)

    def _each(self, items: Sequence[Any], where: str, read: Callable[[Any, str], EventsRead]) -> EventsRead:
        """Read each item; one that is malformed is returned in its place."""
        found: EventsRead = []
        for index, item in enumerate(items):
            try:
                found += read(item, f"{where}[{index}]")
            except EventError as exc:
                found.append(OddRecord(exc, item))
            if self._max_objects is not None and len(found) > self._max_objects:
                break
        return found

    def _one(self, value: Any, where: str, envelope: Envelope | None) -> EventsRead:
        if isinstance(value, dict):
            if "Records" in value:
                return self.records(value, "" if where == "event" else f"{where}.")
            if "s3" in value:
                return self._record(value, where)
            if is_eventbridge(value):
                return self._record(eventbridge_record(value, where), where)
            if (text := text_inside(value, where, self._depth)) is not None:
                return self._deeper(text, where)
            if envelope is not None and is_detail(value):
                return self._record(detail_record(value, envelope, where), where)
            # A connector passes a Kafka value on as it is. It may be a CloudEvent; one within another is not read.
            if "specversion" in value and envelope is None:
                return self.envelope(open_structured(value, where), where)
            if "bucket" in value or "key" in value:
                return [self._reference(value, where, envelope)]
            if value.get("Event") == "s3:TestEvent":  # AWS sends it when a rule is made; it names no key
                return []
        raise EventError(f"{where}: expected {EXPECTED}, got {_members(value)}")

    def _record(self, record: Any, where: str, *, raw_key: bool = False) -> EventsRead:
        found = read_record(record, where, raw_key=raw_key, traceparent=self._traceparent)
        return [found] if found else []

    def _deeper(self, text: str, where: str) -> EventsRead:
        """Read what stood in a message of SNS or SQS."""
        return _Reader(self._traceparent, self._max_objects, self._depth + 1).event(self._load(text), where)

    def _load(self, text: bytes | str) -> Any:
        """JSON that an envelope hid: base64 and escapes hide its braces from a count of the whole."""
        if self._max_objects is not None:
            _check_nested(text, self._max_objects)
        return load_json(text)

    def _reference(self, value: dict[str, Any], where: str, envelope: Envelope | None) -> Notification:
        ref = checked_ref(required_text(value, "bucket", where), required_text(value, "key", where), where)
        event_id = identity(envelope.source, envelope.id, ref.bucket, ref.key) if envelope else None
        return reference(ref, event_id=event_id, traceparent=self._traceparent)

    def _own_answer(self, envelope: Envelope) -> EventsRead:
        """A function's answer that a broker fed back, {"outcome", "source": {"bucket", "key"}, ...}.

        There is nothing to act on, so nothing in it is an error either.
        """
        data = envelope.data
        try:
            if isinstance(data, bytes | str):
                data = self._load(data)
            source = data.get("source") if isinstance(data, dict) else None
            found = self._reference(source, "data.source", envelope) if isinstance(source, dict) else None
        except EventError:
            return []
        if found is None:
            return []
        return [Notification(found.ref, Kind.OTHER, envelope.type, found.id, traceparent=self._traceparent)]


def _all_of(found: EventsRead) -> list[Notification]:
    """The notifications; raises the error of the first record that could not be read."""
    read = []
    for each in found:
        if isinstance(each, OddRecord):
            raise each.error
        read.append(each)
    return read


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _valid_traceparent(value: str | None) -> str | None:
    found = read_traceparent(value)
    return str(found) if found else None


def _members(value: Any) -> str:
    if not isinstance(value, dict):
        return kind_name(value)
    return f"an object with {', '.join(repr(name[:40]) for name in list(value)[:8]) or 'nothing in it'}"
