"""What is read of a CloudEvent, of binary mode or structured."""

from typing import Any, NamedTuple


class Envelope(NamedTuple):
    """What is read of a CloudEvent: `data` is bytes or text as it came, or JSON already read, or None."""

    type: str
    source: str
    id: str
    traceparent: str | None
    data: Any
    subject: str = ""
