"""What the bridge makes of a webhook's body: messages, each a CloudEvent for one target."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock import events
from penstock.connect.bridge.filters import Filters, targets_of
from penstock.delivery.deliverer import Message
from penstock.delivery.http import HttpTarget
from penstock.delivery.identity import without_identity
from penstock.errors import EventError


def to_messages(
    body: bytes,
    targets: Sequence[HttpTarget],
    extensions: Mapping[str, str],
    traceparent: str = "",
    filters: Filters | None = None,
    *,
    keep_identity: bool = False,
    on_odd: Callable[[events.OddRecord], None] | None = None,
) -> list[Message]:
    """One message for each record and each target that gets it: a CloudEvent in binary mode, in order per object.

    `extensions` are attributes that each event gets. Unless `keep_identity`, the uploader and the client's address are
    left out. `on_odd` is given each malformed record that came beside good ones.

    Raises `EventError` when the body is not a notification, or its only record is malformed; without `on_odd` when any
    record is malformed.
    """
    found = events.to_cloudevents_each(body, change=_unchanged if keep_identity else without_identity)
    made = []
    parent = events.read_traceparent(traceparent)
    trace = {"traceparent": str(parent)} if parent else {}
    for event in found:
        if isinstance(event, events.OddRecord):
            if on_odd is None or len(found) == 1:
                raise event.error
            on_odd(event)
            continue
        attributes = {**event.attributes, **trace, **extensions}
        headers = events.CloudEventFields(attributes, event.data).http_headers() | trace
        key = f"{event.attributes['source']} {event.attributes['subject']}"
        origin = f"webhook {event.attributes['type']} {event.attributes['id']}"
        chosen = targets_of(event.data, targets, filters) if filters else targets
        made += [Message(key, event.data, headers, origin, target.name) for target in chosen]
    return made


def object_of(message: Message[object]) -> str:
    """The object that a message is about, as `bucket/key`; "" for none."""
    try:
        found = [each for each in events.parse(message.value, dict(message.headers)) if each.ref.key]
    except EventError:
        return ""
    return f"{found[0].ref.bucket}/{found[0].ref.key}" if found else ""


def _unchanged(record: Any) -> Any:
    return record
