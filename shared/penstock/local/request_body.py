"""Where the body of a request to the local servers ends, read as strictly as gunicorn reads it for functions.

Werkzeug's server takes the first of two lengths, and any coding for `chunked`. A chunk that breaks off goes on there
without an end. https://www.rfc-editor.org/rfc/rfc9112#section-6
"""

import io
import re
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from email.message import Message
from typing import Any, Final

from penstock.errors import EventError, TemporaryError

_LENGTH: Final = re.compile("[0-9]{1,18}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\r\n]*)?\r\n")
# What follows such a line was not read. Other defects concern a body in parts, which is none of the head.
_DEFECTS: Final = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
_LINE_BYTES: Final = 4096
_TRAILERS: Final = 100


def framing_problem(headers: Message, version: str) -> str:
    """What is wrong with the head of a request where its body's end is concerned, "" when nothing is.

    `version` is that of the request's first line, for example `HTTP/1.1`. Without this check a length that is not a
    number would mean an empty body, and an empty object would be stored.
    """
    if any(isinstance(defect, _DEFECTS) for defect in headers.defects):
        return "a header is malformed: write NAME: VALUE"
    if any("\r" in value or "\n" in value for value in headers.values()):
        return "a header goes on in a second line; write it in one"
    lengths, codings = headers.get_all("Content-Length", []), headers.get_all("Transfer-Encoding", [])
    if len(lengths) + len(codings) > 1:
        return "the request has more than one length: send one Content-Length, or Transfer-Encoding: chunked"
    if lengths and not _LENGTH.fullmatch(lengths[0].strip(" \t")):
        return f"Content-Length {lengths[0][:40]!r} is not a number of bytes"
    if codings and (codings[0].strip(" \t").lower() != "chunked" or version != "HTTP/1.1"):
        return f"Transfer-Encoding {codings[0][:40]!r} of {version}: only chunked of HTTP/1.1 is read"
    return ""


class ChunkedBody(io.RawIOBase):
    """The bytes of a body that comes in chunks from `stream`; trailers are read and dropped.

    Raises `TemporaryError` when it breaks off, and `EventError` when it is malformed.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._left = 0
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._is_over:
            self._begin()
        if self._is_over:
            return 0
        data = self._stream.read1(min(len(buffer), self._left))
        if not data:
            raise _broken_off()
        buffer[: len(data)] = data
        self._left -= len(data)
        if not self._left and self._line() != b"\r\n":
            raise EventError("the request's body is malformed: a chunk is longer than it said")
        return len(data)

    def _begin(self) -> None:
        """Read the line before a chunk; the last one is of no bytes."""
        line = self._line()
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise EventError(f"the request's body is malformed: {line[:40]!r} is not the length of a chunk")
        self._left = int(found[1], 16)
        if self._left:
            return
        for _ in range(_TRAILERS):
            if self._line() == b"\r\n":
                self._is_over = True
                return
        raise EventError(f"the request's body is malformed: more than {_TRAILERS} trailers")

    def _line(self) -> bytes:
        line = self._stream.readline(_LINE_BYTES)
        if len(line) == _LINE_BYTES:
            raise EventError(f"the request's body is malformed: a line of {_LINE_BYTES} bytes between its chunks")
        if not line.endswith(b"\n"):
            raise _broken_off()
        return line


def _broken_off() -> TemporaryError:
    return TemporaryError("the request broke off before its end")
