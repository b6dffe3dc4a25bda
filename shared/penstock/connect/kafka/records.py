"""Kafka records as messages: the requests of OpenFaaS's connector, or CloudEvents in binary mode.

OpenFaaS: https://docs.openfaas.com/openfaas-pro/kafka-events: X-Topic, X-Kafka-Partition, X-Kafka-Offset,
X-Kafka-Key (a binary key in base64, with X-Kafka-Key-Enc: b64) and X-Kafka-<header>. CloudEvents: a record that
is one already passes unchanged, a notification of MinIO or Versity follows the S3 mapping, anything else is wrapped
as Knative's KafkaSource does it.

An HTTP server refuses a request with many or long headers (431). It also refuses a header whose name HTTP does not
have (400). A function needs none of a record's own headers. So these are left out: a key longer than `MAX_KEY_BYTES`;
an attribute of a CloudEvent with such a name; a header whose name and value take more than `MAX_HEADER_BYTES` as they
are written into the request; and of a record's headers those after the first `MAX_HEADERS`, or after
`MAX_HEADERS_BYTES` together. Attributes that make no CloudEvent are left out altogether where the value is a
notification: it becomes a CloudEvent of its own. Of a CloudEvent, `id`, `source`, `specversion` and `type` are never
left out: of a value that is too long its SHA-256 is sent.

A record without a value is a tombstone: it says that a key is gone from a compacted topic. It is not an event.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar
from urllib.parse import quote

from penstock import events
from penstock.delivery.deliverer import Message
from penstock.errors import EventError

# gunicorn takes 100 headers of 8190 bytes, nginx 8 KiB in one line and 32 KiB in all; gateways add their own.
MAX_HEADERS = 50
MAX_HEADER_BYTES = 4096
MAX_HEADERS_BYTES = 16 * 1024
MAX_KEY_BYTES = 2048  # at most three times that in a request, where each byte is written as %XX
_REQUIRED = frozenset({"ce-id", "ce-source", "ce-specversion", "ce-type"})
_NOT_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")
# What this connector says itself; a record's header of that name must not contradict it.
_RESERVED = frozenset({"x-kafka-partition", "x-kafka-offset", "x-kafka-key", "x-kafka-key-enc"})
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")


class Record(Protocol):
    """The part of confluent_kafka.Message that is read."""

    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Sequence[tuple[str, bytes | None]] | None: ...


T = TypeVar("T")


class Make(Protocol):
    """How a record becomes messages."""

    def __call__(self, record: Record, target: str, receipt: T, /) -> list[Message[T]]:
        """The messages to send to the target of this name; each carries the receipt. The record has a value."""


def is_tombstone(record: Record) -> bool:
    """Whether a record only says that its key is gone."""
    return record.value() is None


def ordering_key(record: Record) -> bytes:
    """Records of one topic with one key are delivered in order; those without a key in any order."""
    key = record.key()
    if key is None:
        return b"%s/%d/%d" % (record.topic().encode(), record.partition(), record.offset())
    return b"%s\0%s" % (record.topic().encode(), key)


def origin(record: Record) -> str:
    return f"{record.topic()}/{record.partition()}@{record.offset()}"


def openfaas(content_type: str) -> Make:
    """Requests as OpenFaaS's connector makes them."""

    def make(record: Record, target: str, receipt: T, /) -> list[Message[T]]:
        headers = {
            "Content-Type": content_type,
            "X-Topic": record.topic(),
            "X-Kafka-Partition": str(record.partition()),
            "X-Kafka-Offset": str(record.offset()),
        }
        key = record.key()
        if key is not None and len(key) <= MAX_KEY_BYTES:
            if _PRINTABLE.fullmatch(key):
                headers["X-Kafka-Key"] = key.decode("ascii")
            else:
                headers["X-Kafka-Key"] = base64.b64encode(key).decode("ascii")
                headers["X-Kafka-Key-Enc"] = "b64"
        if given := headers_of(record):
            headers |= _first_that_fit(
                (line, _as_it_is(value))
                for name, value in given
                if (line := f"X-Kafka-{_NOT_TOKEN.sub('-', name)}").lower() not in _RESERVED
            )
        return [Message(ordering_key(record), record.value() or b"", headers, origin(record), target, receipt)]

    return make


def cloudevents(group: str) -> Make:
    """CloudEvents for Knative; `group` is part of the source of a record that is wrapped."""

    def make(record: Record, target: str, receipt: T, /) -> list[Message[T]]:
        value, key, where = record.value() or b"", ordering_key(record), origin(record)
        given = {name.lower(): text or b"" for name, text in headers_of(record)}
        is_notification = events.looks_like_notification(value)
        if "ce_specversion" in given or given.get("content-type", b"").startswith(b"application/cloudevents"):
            headers = _first_that_fit(
                (f"ce-{name[3:]}", header_text(text)) if name != "content-type" else (name, _as_it_is(text))
                for name, text in given.items()
                if name == "content-type" or _is_attribute(name)
            )
            # What is no notification goes to the receiver, which says what is wrong with it.
            if not is_notification or _can_be_read(headers, value):
                return [Message(key, value, headers, where, target, receipt)]
        if is_notification:
            try:
                return [
                    Message(key, event.data, event.http_headers(), where, target, receipt)
                    for event in events.to_cloudevents(value)
                ]
            except EventError:
                pass  # wrapped below: the receiver says what is wrong with it
        return [Message(key, value, _wrapped(record, group), where, target, receipt)]

    return make


def _can_be_read(headers: Mapping[str, str], value: bytes) -> bool:
    """Whether a notification can be read with the headers of the CloudEvent that it came in. It does not need them."""
    try:
        events.parse(value, headers)
    except EventError:
        return False
    return True


def _wrapped(record: Record, group: str) -> dict[str, str]:
    headers = {
        "ce-specversion": "1.0",
        "ce-type": "dev.knative.kafka.event",
        "ce-source": quote(f"/penstock/connect/{group}#{record.topic()}", safe="/#:"),
        "ce-id": f"partition:{record.partition()}/offset:{record.offset()}",
        "ce-subject": f"partition:{record.partition()}#{record.offset()}",
    }
    key = record.key()
    if key is not None and len(key) <= MAX_KEY_BYTES:
        headers["ce-key"] = header_text(key)
    return headers


def _first_that_fit(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that a request may carry, in their order; those that do not fit are left out."""
    found: dict[str, str] = {}
    total = 0
    for name, value in headers:
        size = len(name) + len(value)
        if name in _REQUIRED and size > MAX_HEADER_BYTES:
            # The same for the same event, so it still tells doubles.
            value = f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
        elif name not in _REQUIRED and (name != "content-type" or size > MAX_HEADER_BYTES):
            if size > MAX_HEADER_BYTES or total + size > MAX_HEADERS_BYTES or len(found) >= MAX_HEADERS:
                continue
            total += size
        found[name] = value
    return found


def _is_attribute(name: str) -> bool:
    """Whether a header of a record holds an attribute of a CloudEvent, under a name that a header of HTTP can have."""
    return name.startswith("ce_") and name != "ce_" and not _NOT_TOKEN.search(name)


def _as_it_is(value: bytes | None) -> str:
    """Printable ASCII unchanged, as most headers of HTTP have it; any other value as `header_text`."""
    return value.decode("ascii") if value and _PRINTABLE.fullmatch(value) else header_text(value)


def header_text(value: bytes | None) -> str:
    """Bytes as a header's value: percent-encoded where CloudEvents' HTTP binding (3.1.3.2) asks for it.

    >>> header_text("a b é".encode())
    'a%20b%20%C3%A9'
    """
    if not value:
        return ""
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte not in b'"%' else f"%{byte:02X}" for byte in value)


def replay_target(record: Record) -> tuple[str, ...]:
    """The one target that a replayed dead letter is for; if that is gone, it becomes a dead letter again."""
    return tuple(
        (value or b"").decode("utf-8", "replace") for name, value in headers_of(record) if name == "penstock-target"
    )


def headers_of(record: Record) -> Sequence[tuple[str, bytes | None]]:
    """A record's headers; none when a name is not UTF-8, because such a record must not stop its partition."""
    try:
        return record.headers() or ()
    except UnicodeDecodeError:
        return ()
