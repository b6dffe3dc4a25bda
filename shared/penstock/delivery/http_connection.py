"""One HTTP/1.1 connection and the request on it, parsed by httptools (Node's llhttp).

A general client spends about 100 microseconds of CPU on a small request, this one about 25; at ten thousand records a
second, only the second one fits on one core.
"""

import asyncio
import select
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from penstock.delivery.deliverer import TargetAnswer

KEPT_BODY_BYTES = 64 * 1024
MAX_HEADERS = 256
_KEPT_HEADERS = frozenset({"retry-after", "location", "content-type"})


class Request:
    """One request as bytes, and `done`, which gets its answer; `deadline` is in the loop's time."""

    __slots__ = ("connection", "data", "deadline", "done", "resent")

    def __init__(self, data: bytes, done: Callable[[TargetAnswer], None], deadline: float) -> None:
        self.data = data
        self.done = done
        self.deadline = deadline
        self.resent = False
        self.connection: Connection | None = None


class Owner(Protocol):
    """What a connection tells of: whole answers, and its own end."""

    def answered(self, connection: "Connection", request: Request, answer: TargetAnswer, reusable: bool) -> None:
        """A connection has a whole answer."""

    def lost(self, connection: "Connection", request: Request | None, error: str, untouched: bool) -> None:
        """A connection ended; `untouched` when it had served before and no byte of this answer had come."""


class Connection(asyncio.Protocol):
    """One connection, one request at a time. The methods without underscore are asyncio's and httptools'."""

    _wire: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._request: Request | None = None
        self._served = 0
        self.opened = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast("asyncio.Transport", transport)
        self.opened = asyncio.get_running_loop().time()

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer: no end, and no bytes that answer nothing."""
        poll = select.poll()
        poll.register(self._wire.get_extra_info("socket"), select.POLLIN)
        return not poll.poll(0)

    def start(self, request: Request) -> None:
        """Write a request; its owner hears of the answer, or of the connection's end."""
        self._request = request
        request.connection = self
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._header_count = 0
        self._body = b""
        self._status = 0
        self._framed = self._touched = self._headed = self._complete = False
        self._wire.write(request.data)

    def close(self) -> None:
        """End the connection at once; its owner hears nothing of the request on it."""
        self._request = None
        self._wire.abort()  # nothing of ours is left to be flushed

    def data_received(self, data: bytes) -> None:
        request = self._request
        if request is None:  # bytes that answer no request
            self._wire.abort()
            return
        self._touched = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self._complete:
                self._wire.abort()
                self._end(request, f"the answer is not HTTP/1.1: {exc}")
                return
            self._reusable = False  # what stands behind the answer answers nothing
        if self._complete:
            self._done(request, reusable=self._reusable)

    def connection_lost(self, exc: Exception | None) -> None:
        request = self._request
        if request is None:
            self._owner.lost(self, None, "", False)
        elif self._headed and not self._framed and exc is None:
            self._done(request, reusable=False)  # a body that ends with the connection
        else:
            cut = "the answer was cut off" if self._touched else "the connection was closed before an answer"
            self._end(request, f"{cut}: {exc}" if exc else cut)

    def _done(self, request: Request, reusable: bool) -> None:
        self._request = request.connection = None
        self._served += 1
        answer = TargetAnswer(self._status, self._headers, self._body)
        self._owner.answered(self, request, answer, reusable)

    def _end(self, request: Request, error: str) -> None:
        self._request = None
        self._owner.lost(self, request, error, untouched=self._served > 0 and not self._touched)

    def on_message_begin(self) -> None:
        if self._complete:  # its status, headers and body would take the place of the answer's
            raise ValueError("bytes behind the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count > MAX_HEADERS:
            raise ValueError(f"more than {MAX_HEADERS} headers")
        key = name.decode("latin-1").lower()
        if key in ("content-length", "transfer-encoding"):
            self._framed = True
        if key in _KEPT_HEADERS:
            self._headers[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._headed = self._status >= 200  # 1xx comes before the answer

    def on_body(self, body: bytes) -> None:
        if len(self._body) < KEPT_BODY_BYTES:  # the rest is read and let go
            self._body = (self._body + body)[:KEPT_BODY_BYTES]

    def on_message_complete(self) -> None:
        self._complete = self._headed
        self._reusable = self._parser.should_keep_alive()  # the parser forgets it once this returns
