"""One connection to the store that is kept, and the answers to GET and HEAD that come over it.

The standard library reads the head of an answer with the parser of e-mails, which costs more CPU time than the rest of
a small object's GET. The common form is read here: HTTP/1.1, headers of one line each, one Content-Length (RFC 9112).
The standard library reads every other form from the same bytes.
"""

import io
import re
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from http.client import HTTPResponse

Method = Literal["GET", "HEAD"]

_MOST_HEAD_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 256 * 1024
# RFC 9112, section 4: the status line. Section 5: a header of one line. RFC 9110, section 5.6.2: a name is a token.
_HEAD: Final = re.compile(r"HTTP/1\.1 ([2-5][0-9]{2})(?: [^\r\n]*)?(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*)*")
_FIELD: Final = re.compile(r"\r\n([^:]+):([^\r\n]*)")
_SIZE: Final = "content-length"
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_WITHOUT_BODY: Final = (204, 304)


class BrokenAnswer(OSError):
    """An answer ended early, or is none of HTTP/1."""


class StoreAnswer:
    """The answer to one request: `status`, `headers` with names in lower case, and the body."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers

    @property
    def is_reusable(self) -> bool:
        """Whether the connection can take the next request: the answer was read to its end, and it stays open."""
        raise NotImplementedError

    def read(self, most_bytes: int) -> bytes:
        """What has come of the body, b"" at its end; raises `OSError`, and `BrokenAnswer` when it ends early."""
        raise NotImplementedError


class _CommonAnswer(StoreAnswer):
    def __init__(self, connection: "StoreConnection", method: Method, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status, headers)
        self._connection = connection
        self._left = 0 if method == "HEAD" else int(headers[_SIZE])

    @property
    def is_reusable(self) -> bool:
        is_read = self._left == 0 and not self._connection.has_more
        return is_read and "close" not in self.headers.get("connection", "").lower()

    def read(self, most_bytes: int) -> bytes:
        if self._left == 0:
            return b""
        data = self._connection.received(min(most_bytes, self._left))
        if not data:
            raise BrokenAnswer("the connection was closed within an answer")
        self._left -= len(data)
        return data


class _OtherAnswer(StoreAnswer):
    """Of a form that the standard library reads."""

    def __init__(self, response: "HTTPResponse") -> None:
        super().__init__(response.status, {name.lower(): value.strip(" \t") for name, value in response.getheaders()})
        self._response = response

    @property
    def is_reusable(self) -> bool:
        return self._response.isclosed() and not self._response.will_close

    def read(self, most_bytes: int) -> bytes:
        from http.client import HTTPException

        try:
            data = self._response.read1(most_bytes)
        except HTTPException as exc:
            raise BrokenAnswer(str(exc)) from exc
        if not data:
            self._response.close()  # `read1` leaves it open at the end
        return data


class StoreConnection:
    """A connection to `host` and `port`, with TLS where a context is given. For one thread at a time.

    Raises `OSError` when the store cannot be reached within `connect_seconds`. `read_seconds` is for each read.
    """

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, *, connect_seconds: float, read_seconds: float
    ) -> None:
        plain = socket.create_connection((host, port), timeout=connect_seconds)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
            self._socket.settimeout(read_seconds)
        except BaseException:
            plain.close()
            raise
        self._data = b""  # what came after what was asked for

    @property
    def has_more(self) -> bool:
        """Whether bytes came that were not asked for yet."""
        return bool(self._data)

    def close(self) -> None:
        self._socket.close()

    def ask(self, method: Method, target: str, headers: Mapping[str, str]) -> StoreAnswer:
        """Send a request without a body and read the answer's head.

        Raises `OSError`, also for what is no answer, and closes the connection then. Raises `ValueError` for a header
        with a line break, before anything is sent.
        """
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if fields.count("\n") != len(headers):
            raise ValueError(f"{target}: a header has a line break")
        try:
            self._socket.sendall(f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))
            return self._answer(method)
        except BaseException:
            self.close()
            raise

    def _answer(self, method: Method) -> StoreAnswer:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            data = self._socket.recv(_READ_BYTES)
            received += data
            if not data or len(received) > _MOST_HEAD_BYTES or b"\n\n" in received:
                break
        if end >= 0 and (headers_of := _common(method, received[:end].decode("latin-1"))):
            self._data = received[end + 4 :]
            return _CommonAnswer(self, method, *headers_of)
        return self._other(method, received)

    def received(self, most_bytes: int) -> bytes:
        """What has come, at most so much; b"" at the connection's end."""
        if self._data:
            data, self._data = self._data[:most_bytes], self._data[most_bytes:]
            return data
        return self._socket.recv(most_bytes)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What the standard library's response asks of a socket."""
        return io.BufferedReader(_Rest(self))

    def _other(self, method: Method, received: bytes) -> StoreAnswer:
        from http.client import HTTPException, HTTPResponse

        self._data = received
        response = HTTPResponse(self, method=method)  # type: ignore[arg-type]
        try:
            response.begin()
        except HTTPException as exc:
            raise BrokenAnswer(str(exc)) from exc
        return _OtherAnswer(response)


class _Rest(io.RawIOBase):
    """What a connection has still to give, as a file."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._connection.received(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _common(method: Method, head: str) -> tuple[int, dict[str, str]] | None:
    """Status and headers of a head in the common form, else None. Of headers with one name the last one counts."""
    if not (found := _HEAD.fullmatch(head)):
        return None
    fields = _FIELD.findall(head, found.end(1))
    headers = {name.lower(): value.strip(" \t") for name, value in fields}
    status = int(found[1])
    if method == "HEAD":
        return status, headers
    if status in _WITHOUT_BODY or "transfer-encoding" in headers or not _LENGTH.fullmatch(headers.get(_SIZE, "")):
        return None
    if len(headers) < len(fields) and [name.lower() for name, _ in fields].count(_SIZE) > 1:
        return None
    return status, headers
