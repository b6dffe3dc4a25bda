"""CloudEvents in and out, through their SDK, which is imported when the first one comes: it takes 40 ms.

In: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md and the JSON
format beside it. The SDK checks the attributes; data is read by the same strict reader as any other event.
Out: https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/aws-s3.md, with MinIO's differences.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.errors import EventError
from penstock.events.envelope import Envelope
from penstock.events.record import (
    OddRecord,
    kind_name,
    load_json,
    optional_text,
    read_record,
    required_text,
)
from penstock.events.wrapped import records_in

if TYPE_CHECKING:
    from cloudevents.core.base import BaseCloudEvent

JSON_MEDIA_TYPE = "application/json"
TYPE_PREFIX = "com.amazonaws.s3."

_ATTRIBUTE_HEADER = r"ce-[a-z0-9]+"
_RFC3339 = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"


class CloudEventFields(NamedTuple):
    """A CloudEvent to send: attributes as the specification names them, and data as JSON."""

    attributes: dict[str, str]
    data: bytes

    def http_headers(self) -> dict[str, str]:
        """The headers of binary mode; `data` is then the request's body.

        Values are percent-encoded where the HTTP binding asks for it. Knative's brokers (Go SDK) do not decode
        them, so there a Trigger filter on `subject` sees `%20` for a space; plain keys are as they are.
        """
        from cloudevents.core.bindings.http import to_binary_event
        from cloudevents.core.v1.event import CloudEvent

        attributes: dict[str, Any] = dict(self.attributes)  # the SDK changes the dict it is given
        if "time" in attributes:
            attributes["time"] = datetime.fromisoformat(attributes["time"])
        headers = to_binary_event(CloudEvent(attributes, self.data)).headers
        if "time" not in self.attributes:  # the SDK puts in the present; the same event must give the same bytes
            del headers["ce-time"]
        return headers


def source_of(bucket: str, *, region: str = "", origin: str = "minio:s3") -> str:
    """The CloudEvents source of a bucket's events, for Trigger filters too; `origin` is the records' eventSource.

    >>> source_of("upload")
    'minio:s3..upload'
    """
    return f"{origin}.{region}.{bucket}"


_MAX_ORIGIN_CHARS = 256


def to_cloudevents(body: bytes) -> list[CloudEventFields]:
    """Make one CloudEvent of each record in a notification of MinIO, S3 or another store (events/wrapped.py).

    `subject` is the raw key. `id` comes from the record alone, so a repeated notification gives the same one;
    the request id of the mapping is not used, because MinIO's bulk delete gives it to many records. Records
    about buckets are left out. Raises `EventError` when anything in the notification is malformed.
    """
    made = []
    for each in to_cloudevents_each(body):
        if isinstance(each, OddRecord):
            raise each.error
        made.append(each)
    return made


def to_cloudevents_each(
    body: bytes, change: Callable[[Any], Any] = lambda record: record
) -> list[CloudEventFields | OddRecord]:
    """As `to_cloudevents`, but a malformed record is returned in its place, and the others are made.

    `change` is applied to each record that an event carries on. Raises `EventError` when the notification as a whole
    is malformed.
    """
    made: list[CloudEventFields | OddRecord] = []
    for record, where in records_in(load_json(body)):
        if isinstance(record, OddRecord):
            made.append(record)
            continue
        try:
            event = _to_cloudevent(record, where, change)
        except EventError as exc:
            made.append(OddRecord(exc, record))
            continue
        if event is not None:
            made.append(event)
    return made


def _to_cloudevent(record: Any, where: str, change: Callable[[Any], Any]) -> CloudEventFields | None:
    notification = read_record(record, where)
    if notification is None:
        return None
    ref = notification.ref
    origin = required_text(record, "eventSource", where)
    region = optional_text(record, "awsRegion", where) or ""
    for name, text in (("eventSource", origin), ("awsRegion", region)):
        if len(text) > _MAX_ORIGIN_CHARS:  # both become part of a header
            raise EventError(f"{where}.{name}: has {len(text)} characters; at most {_MAX_ORIGIN_CHARS}")
    attributes = {
        "specversion": "1.0",
        "id": notification.id,
        "source": source_of(ref.bucket, region=region, origin=origin),
        "type": TYPE_PREFIX + notification.name.removeprefix("s3:"),
        "subject": ref.key,
        "datacontenttype": JSON_MEDIA_TYPE,
    }
    if notification.time and _is_rfc3339(notification.time):
        attributes["time"] = notification.time
    data = {"EventName": notification.name, "Key": f"{ref.bucket}/{ref.key}", "Records": [change(record)]}
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise EventError(f"{where}: cannot be passed on as JSON: a number out of range, or nested too deeply") from exc
    return CloudEventFields(attributes, text.encode())


def media_type(lower_headers: Mapping[str, str]) -> str:
    """The media type of a request, without parameters; header names are in lower case."""
    return lower_headers.get("content-type", "").partition(";")[0].strip().lower()


def open_binary(lower_headers: Mapping[str, str], body: bytes) -> Envelope:
    """Open a binary-mode CloudEvent; header names are in lower case. The content type is not needed.

    Raises `EventError` when an attribute is missing or wrong.
    """
    from cloudevents.core.bindings.http import HTTPMessage, from_binary_event

    # A header that cannot be an attribute, such as `ce-my-thing`, belongs to another program: it is left out.
    headers = {name: value for name, value in lower_headers.items() if re.fullmatch(_ATTRIBUTE_HEADER, name)}
    try:
        event = from_binary_event(HTTPMessage(headers, b""))
    except _sdk_errors() as exc:
        raise EventError(f"event: not a CloudEvent: {_reason(exc)}") from exc
    return _envelope(event, body or None, "event")


def open_structured(value: Any, where: str) -> Envelope:
    """Open a CloudEvent in JSON format; raises `EventError` when it is not one."""
    if not isinstance(value, dict):
        raise EventError(f"{where}: expected a CloudEvent in JSON, got {kind_name(value)}")
    data = value.get("data")
    # The format lets unset attributes be null, the SDK does not; data needs no second reading, so it stays here.
    attributes = {name: member for name, member in value.items() if member is not None and name != "data"}
    if data is not None and "data_base64" in attributes:
        raise EventError(f"{where}: has both data and data_base64; a CloudEvent has one")
    if attributes.get("specversion") == "0.3" and isinstance(data, str):
        attributes["data"] = data  # version 0.3 says with an attribute whether this is base64
    try:
        event = _checked(attributes)
    except _sdk_errors() as exc:
        raise EventError(f"{where}: not a CloudEvent: {_reason(exc)}") from exc
    decoded = event.get_data()
    return _envelope(event, decoded if decoded is not None else data, where)


def _checked(attributes: dict[str, Any]) -> "BaseCloudEvent":
    """The SDK's event with these attributes, which it checks; raises `_sdk_errors()`."""
    time = attributes.get("time")
    is_timed = "time" not in attributes or (isinstance(time, str) and _is_rfc3339(time))
    if attributes.get("specversion") == "1.0" and "data_base64" not in attributes and is_timed:
        from cloudevents.core.v1.event import CloudEvent

        # Nothing is left that the format's reader would convert, and its way over text costs 20 µs an event.
        attributes.pop("time", None)
        return CloudEvent(attributes)
    from cloudevents.core.formats.json import JSONFormat

    return JSONFormat().read(None, json.dumps(attributes))


def _envelope(event: "BaseCloudEvent", data: Any, where: str) -> Envelope:
    required = {"type": event.get_type(), "source": event.get_source(), "id": event.get_id()}
    for name in required:
        required_text(required, name, where)
    traceparent = event.get_extension("traceparent")
    subject = event.get_subject()
    return Envelope(
        **required,
        traceparent=traceparent if isinstance(traceparent, str) else None,
        data=data,
        subject=subject if isinstance(subject, str) else "",
    )


def _sdk_errors() -> tuple[type[Exception], ...]:
    """What SDK 2.2 raises for wrong attributes: its own errors, and those of the parsers beneath it."""
    from cloudevents.core.exceptions import BaseCloudEventException

    return (BaseCloudEventException, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


def _reason(exc: Exception) -> str:
    from cloudevents.core.exceptions import CloudEventValidationError

    if isinstance(exc, CloudEventValidationError):
        reason = "; ".join(str(errors[0]) for errors in exc.errors.values())
    else:
        reason = f"its time or data_base64 does not parse: {exc}"
    return reason[:400].encode("utf-8", "backslashreplace").decode()


def _is_rfc3339(text: str) -> bool:
    if not re.fullmatch(_RFC3339, text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
