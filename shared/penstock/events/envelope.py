"""What is read of a CloudEvent, of binary mode or structured."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is read of a CloudEvent: `data` is bytes or text as it came, or JSON already read, or None."""

    type: str
    source: str
    id: str
    traceparent: str | None
    data: Any
    subject: str = ""
