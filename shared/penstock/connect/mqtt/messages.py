"""An MQTT message as messages to deliver: with OpenFaaS's headers, or as CloudEvents."""

import hashlib
import json
from urllib.parse import quote

from penstock import events
from penstock.delivery.deliverer import HeldT, Message
from penstock.errors import EventError


def make_messages(
    topic: str, payload: bytes, target: str, origin: str, receipt: HeldT, *, cloudevents: bool
) -> list[Message[HeldT]]:
    """What one target gets: one message, or as CloudEvents one for each record of a notification."""
    key = ordering_key(topic, payload)
    if not cloudevents:
        headers = {"Content-Type": "text/plain", "X-Topic": quote(topic, safe=" /:;,=+-._~!@$&'()*")}
        return [Message(key, payload, headers, origin, target, receipt)]
    try:
        made = events.to_cloudevents(payload)
    except EventError:
        headers = {
            "ce-specversion": "1.0",
            "ce-type": "dev.penstock.mqtt.message",
            "ce-source": f"/penstock/connect/mqtt#{quote(topic)}",
            "ce-id": hashlib.sha256(topic.encode() + b"\0" + payload).hexdigest(),
        }
        return [Message(key, payload, headers, origin, target, receipt)]
    return [Message(key, event.data, event.http_headers(), origin, target, receipt) for event in made]


def ordering_key(topic: str, payload: bytes) -> str:
    """MinIO's messages about one object are delivered in order, and so are other messages of one topic."""
    try:
        found = json.loads(payload).get("Key")
    except (ValueError, AttributeError, RecursionError):
        found = None
    return f"{topic}\0{found}" if isinstance(found, str) else topic
