"""What the bridge makes of a webhook's body: messages, each a CloudEvent for one target."""

from collections.abc import Mapping, Sequence

from penstock import events
from penstock.connect.bridge.filters import Filters, targets_of
from penstock.delivery.deliverer import Message
from penstock.delivery.http import Target


def to_messages(
    body: bytes,
    targets: Sequence[Target],
    extensions: Mapping[str, str],
    traceparent: str = "",
    filters: Filters | None = None,
) -> list[Message]:
    """One message for each record and each target that gets it: a CloudEvent in binary mode, in order per object.

    `extensions` are attributes that each event gets. Raises `EventError` when the body is not a notification.
    """
    made = []
    found = events.read_traceparent(traceparent)
    trace = {"traceparent": str(found)} if found else {}
    for event in events.to_cloudevents(body):
        attributes = {**event.attributes, **trace, **extensions}
        headers = events.CloudEventFields(attributes, event.data).http_headers() | trace
        key = f"{event.attributes['source']} {event.attributes['subject']}"
        origin = f"webhook {event.attributes['type']} {event.attributes['id']}"
        chosen = targets_of(event.data, targets, filters) if filters else targets
        made += [Message(key, event.data, headers, origin, target.name) for target in chosen]
    return made
