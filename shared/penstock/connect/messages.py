"""What is delivered of one message of a queue: the message with OpenFaaS's headers, or CloudEvents."""

import hashlib
import json
from typing import Any
from urllib.parse import quote

from penstock import events
from penstock.delivery.deliverer import HeldT, Message
from penstock.errors import EventError
from penstock.events.record import read_record
from penstock.events.wrapped import records_in

# A topic of MQTT may have 64 KiB. An HTTP server refuses a request with such a header (431).
MAX_TOPIC_BYTES = 4000


def make_messages(
    topic: str, payload: bytes, target: str, origin: str, receipt: HeldT, *, kind: str, cloudevents: bool
) -> list[Message[HeldT]]:
    """What one target gets: one message, or as CloudEvents one for each record of a notification.

    `kind` is the kind of the queue, such as `mqtt`. A message that is not a notification gets a type with it.
    """
    key = ordering_key(topic, payload)
    if not cloudevents:
        headers = {"Content-Type": "text/plain"}
        name = quote(topic, safe=" /:;,=+-._~!@$&'()*")
        if len(name) <= MAX_TOPIC_BYTES:
            headers["X-Topic"] = name
        return [Message(key, payload, headers, origin, target, receipt)]
    try:
        made = events.to_cloudevents(payload)
    except EventError:
        headers = {
            "ce-specversion": "1.0",
            "ce-type": f"dev.penstock.{kind}.message",
            "ce-source": f"/penstock/connect/{kind}#{_short(quote(topic))}",
            "ce-id": hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest(),
        }
        return [Message(key, payload, headers, origin, target, receipt)]
    return [Message(key, event.data, event.http_headers(), origin, target, receipt) for event in made]


def ordering_key(topic: str, payload: bytes) -> str:
    """Messages about one object are delivered in order, and so are other messages of one topic."""
    found = _object_of(payload)
    return topic if found is None else f"{topic}\0{found}"


def _object_of(payload: bytes) -> str | None:
    """The object of a notification with one record; None for anything else."""
    try:
        document = json.loads(payload)
        if isinstance(document, dict) and isinstance(document.get("Key"), str):
            return str(document["Key"])  # MinIO's own messages
        [(record, where)] = records_in(document)
        return _name_read(record, where) or f"{record['s3']['bucket']['name']}/{record['s3']['object']['key']}"
    except (ValueError, TypeError, LookupError, RecursionError, EventError):
        return None


def _name_read(record: Any, where: str) -> str | None:
    """The object as its function reads it, because one store may write a name in several ways (events/keys.py)."""
    try:
        found = read_record(record, where)
    except EventError:
        return None  # the function refuses the record
    return f"{found.ref.bucket}/{found.ref.key}" if found else None


def _short(name: str) -> str:
    """A topic as a header may carry it: of one that is too long, its SHA-256."""
    return name if len(name) <= MAX_TOPIC_BYTES else f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
