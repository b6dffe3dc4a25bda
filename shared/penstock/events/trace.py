"""The `traceparent` header of W3C Trace Context, read in one place for requests, events and the bridge.

Source: https://www.w3.org/TR/trace-context-2/#traceparent-header.
"""

import re
from typing import NamedTuple

_LENGTH_OF_VERSION_00 = 55
_TRACEPARENT = (
    r"(?!ff)(?P<version>[0-9a-f]{2})"
    r"-(?P<trace_id>(?!0{32})[0-9a-f]{32})"
    r"-(?P<parent_id>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})"
    r"(?:-[!-~]*)?"
)


class TraceParent(NamedTuple):
    """One place in a trace: the trace's id (32 hex digits), the caller's span (16) and the flags (2).

    `str()` gives the header to send on, in version 00.
    """

    trace_id: str
    parent_id: str
    flags: str

    @property
    def is_recorded(self) -> bool:
        """Whether the caller records its steps: the flag `sampled`."""
        return bool(int(self.flags, 16) & 1)

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.parent_id}-{self.flags}"


def read_traceparent(text: str | None) -> TraceParent | None:
    """Read a `traceparent` header; None for a missing or malformed one, which the specification says to ignore.

    A version after 00 may have more fields at its end. They are left out, as the specification asks of a reader that
    does not know them.

    >>> str(read_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"))
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    """
    found = re.fullmatch(_TRACEPARENT, text) if text else None
    if found is None or (found["version"] == "00" and len(found[0]) != _LENGTH_OF_VERSION_00):
        return None
    return TraceParent(found["trace_id"], found["parent_id"], found["flags"])
