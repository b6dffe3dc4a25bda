"""The HTTP/1.1 sender: messages to one target, over connections that are kept alive on one asyncio loop."""

import asyncio
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from penstock import __version__
from penstock.delivery.deliverer import Message, TargetAnswer
from penstock.delivery.http_connection import Connection, Request
from penstock.errors import ConfigError, EventError
from penstock.events.signature import signature_headers
from penstock.settings.plaintext import has_login, without_login

# New replicas behind a load balancer get no traffic from connections that never end.
MAX_CONNECTION_AGE_SECONDS = 60.0
# For the name, the connection and TLS. Some networks drop the packets for a target that sleeps and do not refuse them.
# The next attempt must not wait for the time of a whole answer. Linux sends the first packet again after 1, 3 and 7
# seconds.
CONNECT_SECONDS = 10.0
# The next address of a name is tried beside a silent one after this time (RFC 8305, section 5).
NEXT_ADDRESS_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """Where messages go: a name, an http or https URL, headers for every request, a CA file for https.

    Each request is signed with `keys`, where there are any (`penstock.events.signature`), and carries the bearer token
    that `token_file` holds at that time.

    A header named here must not be named in a message too.
    """

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # a token may be among them
    ca_file: str | None = None
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    token_file: Path | None = None

    def __post_init__(self) -> None:
        shown = without_login(self.url)
        try:
            url = urlsplit(self.url)
            _ = url.port
        except ValueError as exc:
            raise ConfigError(f"target {self.name}: {shown!r}: {exc}") from None
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(f"target {self.name}: {shown!r}: expected http://host[:port]/path or https://...")
        if has_login(self.url):
            raise ConfigError(f"target {self.name}: put the credentials into a header, not into the URL")


class HttpTransport:
    """Sends messages as POST requests over kept-alive connections. Lives on one event loop."""

    def __init__(self, target: HttpTarget, *, timeout_seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        url = urlsplit(target.url)
        tls = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if tls else 80)
        self._tls = ssl.create_default_context(cafile=target.ca_file) if tls else None
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        authority = url.netloc.encode("idna").decode() if not url.netloc.isascii() else url.netloc
        self._prefix = render_head(
            f"POST {path} HTTP/1.1\r\n",
            {"Host": authority, "User-Agent": f"penstock/{__version__}", **target.headers},
        )
        self._keys = target.keys
        self._token = _FileToken(target.token_file) if target.token_file is not None else None
        self._timeout_seconds = timeout_seconds
        self._loop = loop
        self._idle: list[Connection] = []
        self._requests: set[Request] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
        """POST one message; raises `EventError` when a header cannot be written."""
        headers = message.headers
        if self._token is not None:
            try:
                headers = {**headers, "Authorization": self._token.header(self._loop.time())}
            except OSError as exc:
                answer = TargetAnswer(503, error=f"{self._token.path}: cannot be read: {exc.strerror}")
                self._loop.call_soon(done, answer)
                return
        if self._keys:
            # The time is that of this attempt, so that a late one is not taken for one that was sent again.
            headers = {**headers, **signature_headers(self._keys, uuid.uuid4().hex, message.value, time.time())}
        head = self._prefix + render_head("", headers) + b"Content-Length: %d\r\n\r\n" % len(message.value)
        request = Request(head + message.value, done, self._loop.time() + self._timeout_seconds)
        self._requests.add(request)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._tick_seconds, self._expire)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                connection.start(request)
                return
            connection.close()  # a second answer to the last message would be taken for that of this one
        self._connect(request)

    def close(self) -> None:
        """Close every connection; requests under way are answered as failed."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        for request in list(self._requests):
            self._fail(request, 502, "stopped before an answer came")
        for task in self._tasks:
            task.cancel()

    @property
    def _tick_seconds(self) -> float:
        return min(1.0, self._timeout_seconds / 4)

    def _connect(self, request: Request) -> None:
        task = self._loop.create_task(self._open(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, request: Request) -> None:
        seconds = min(CONNECT_SECONDS, self._timeout_seconds)
        try:
            async with asyncio.timeout_at(min(request.deadline, self._loop.time() + seconds)):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    happy_eyeballs_delay=NEXT_ADDRESS_SECONDS,
                )
        except (OSError, ssl.SSLError) as exc:
            why = str(exc) or f"no connection within {seconds:g} seconds"
            self._fail(request, 502, f"cannot connect to {self._host}:{self._port}: {why}")
            return
        if request in self._requests:
            connection.start(request)
        else:
            self._release(connection)

    def _expire(self) -> None:
        """One timer for all requests instead of one each: time-outs are late by a quarter at most."""
        now = self._loop.time()
        for request in [request for request in self._requests if request.deadline <= now]:
            self._fail(request, 504, f"no answer within {self._timeout_seconds:g} seconds")
        self._sweep = self._loop.call_later(self._tick_seconds, self._expire) if self._requests else None

    def _fail(self, request: Request, status: int, error: str) -> None:
        if request.connection is not None:
            request.connection.close()
        self._finish(request, TargetAnswer(status, error=error))

    def _finish(self, request: Request, answer: TargetAnswer) -> None:
        if request in self._requests:
            self._requests.discard(request)
            request.done(answer)

    def answered(self, connection: Connection, request: Request, answer: TargetAnswer, reusable: bool) -> None:
        """A connection has a whole answer."""
        if reusable:
            self._release(connection)
        else:
            connection.close()
        self._finish(request, answer)

    def lost(self, connection: Connection, request: Request | None, error: str, untouched: bool) -> None:
        """A connection ended; `untouched` when it had served before and no byte of this answer had come."""
        if connection in self._idle:
            self._idle.remove(connection)
        if request is None or request not in self._requests:
            return
        request.connection = None
        if untouched and not request.resent and not self._closed:
            # The server closed an idle connection while we wrote: not its answer, so not an attempt.
            request.resent = True
            self._connect(request)
        else:
            self._fail(request, 502, error)

    def _release(self, connection: Connection) -> None:
        if self._closed or self._loop.time() - connection.opened > MAX_CONNECTION_AGE_SECONDS:
            connection.close()
        else:
            self._idle.append(connection)


class _FileToken:
    """A token in a file that another program renews, as Knative does; it is read again after `SECONDS`."""

    SECONDS = 30.0

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header = ""
        self._read_at = 0.0

    def header(self, now: float) -> str:
        """The value of `Authorization`; raises `OSError` when the file cannot be read."""
        if not self._header or now - self._read_at >= self.SECONDS:
            self._header = f"Bearer {self.path.read_text(encoding='ascii', errors='replace').strip()}"
            self._read_at = now
        return self._header


def render_head(start: str, headers: Mapping[str, str]) -> bytes:
    """Write header lines; raises `EventError` when a value would end its line."""
    text = start + "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    lines = len(headers) + (1 if start else 0)
    if text.count("\n") != lines or text.count("\r") != lines or "\0" in text:
        raise EventError("a header holds a line break or a NUL; encode it before sending")
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise EventError("a header holds half of a surrogate pair; encode it before sending") from exc
