"""Reading what a caller sends, within a time: the head of a request as it comes, and its body at a lowest rate."""

import re
import socket
import time

from gunicorn.http.unreader import SocketUnreader

from penstock.errors import RequestTooSlow

# gunicorn refuses a line over 8 KiB. It gets a head that is longer than this as it is, and says which line is too long.
MAX_HEAD_BYTES = 64 * 1024
_PROBE = re.compile(rb"(?:GET|HEAD) (/_/health|/_/ready|/metrics)[ ?]")
_HAS_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)


class Head:
    """What has come of the head of one request, and when it began (seconds of the monotonic clock)."""

    __slots__ = ("data", "started")

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.started = time.monotonic()

    @property
    def is_whole(self) -> bool:
        return b"\r\n\r\n" in self.data or len(self.data) > MAX_HEAD_BYTES

    @property
    def probe(self) -> str:
        """The path of a probe or of the metrics, "" for any other request, and for one that has a body."""
        found = _PROBE.match(self.data)
        return found[1].decode() if found and not _HAS_BODY.search(self.data) else ""


class BoundedUnreader(SocketUnreader):  # type: ignore[misc]
    """Reads the body of a request from its socket; raises `RequestTooSlow` when it comes too slowly.

    A body may take `seconds`, and one second more for each `bytes_per_second` that have come.
    """

    def __init__(self, sock: socket.socket, seconds: float, bytes_per_second: int) -> None:
        super().__init__(sock)
        self._seconds = seconds
        self._bytes_per_second = bytes_per_second
        self.begin()

    def begin(self) -> None:
        """Start the clock. A request that had to wait for a thread starts it when it gets one."""
        self._started = time.monotonic()
        self._bytes = 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        given = self.sock.gettimeout()
        left = self._started + self._seconds + self._bytes / self._bytes_per_second - time.monotonic()
        # A time-out of 0 would mean: do not block.
        self.sock.settimeout(max(0.001, left if given is None else min(left, given)))
        try:
            data: bytes = super().chunk(size_hint)
        except TimeoutError:
            if given is not None and given < left:
                raise
            raise RequestTooSlow(
                f"the request's body came too slowly: {self._bytes} bytes within the time for them; send at least "
                f"{self._bytes_per_second} bytes a second (MIN_BYTES_PER_SECOND), or raise READ_TIMEOUT_SECONDS, "
                f"which is {self._seconds:g}"
            ) from None
        finally:
            self.sock.settimeout(given)
        self._bytes += len(data)
        return data
