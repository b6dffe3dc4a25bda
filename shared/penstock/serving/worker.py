"""gunicorn's threaded worker, with bounds on callers and on waiting requests, and with probes that do not wait.

gunicorn gives each new connection to its pool of threads. So as many callers as there are threads, each with half a
head, stop a worker for good, and a probe waits behind the objects under way until the platform kills the pod. Here the
main thread reads the heads of requests as they come. The path of a whole head says where the request goes:

    /_/health             a thread of its own: it is answered unless the process is stuck
    /_/ready, /metrics    two threads, because the handler's own ready() may wait
    everything else       the pool of THREADS; MAX_WAITING requests may wait for it, the next one is answered 503

ADR 31 says why. ADR 86: the thread that has answered waits a moment for the next request of the same connection.
"""

import contextlib
import json
import selectors
import socket
import threading
import time
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from types import FrameType
from typing import TYPE_CHECKING, Any

from gunicorn import http, util
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine
from gunicorn.workers.gthread import TConn, ThreadWorker

from penstock.errors import RequestTooSlow
from penstock.serving.heads import MAX_HEAD_BYTES, BoundedUnreader, Head
from penstock.streams import CHUNK_BYTES

if TYPE_CHECKING:
    from penstock.serving.gunicorn import GunicornServer, Serving

_RETRY_AFTER_SECONDS = 2
# How long a closed connection may take to hear of it, as in gunicorn's close_graceful, and a stopping worker waits for
# a head.
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 * 1024
# How long a thread that has answered waits for the next request of the same connection, when no other request waits.
NEXT_REQUEST_SECONDS = 0.001


def write_problem(sock: socket.socket, status: int, phrase: str, reason: str) -> None:
    """Answer what failed before the application was asked, in the same form as the application."""
    document = {
        "outcome": "failed",
        "status": status,
        "error": phrase.title().replace(" ", ""),
        "reason": reason or "unexpected error; see the log",
    }
    body = json.dumps(document).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + body)


class Worker(ThreadWorker):  # type: ignore[misc]
    """A threaded worker. `handle` and `handle_request` run on its pools' threads, all else on its main thread."""

    place = 0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        server: GunicornServer = self.app
        self._server = server
        self._serving: Serving = server.serving
        # In the order in which they began, so the first one is the first to be late.
        self._heads: dict[TConn, Head] = {}
        self._leaving: dict[TConn, float] = {}
        self._drained: dict[TConn, int] = {}
        # Whose requests wait for a thread of the pool, or have one. A connection that may send more is not among them.
        self._working: set[TConn] = set()

    def init_process(self) -> None:
        """Called after the fork, which threads would not survive."""
        self._live = ThreadPoolExecutor(1, "live")
        self._status = ThreadPoolExecutor(2, "status")
        util.write_error = write_problem  # gunicorn's own is HTML, and it has no setting for it
        super().init_process()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On SIGTERM: not ready at once; stop accepting when the application says so; finish what is in flight."""
        seconds = self._server.begin_drain()
        if seconds <= 0 or not self.alive:
            super().handle_exit(sig, frame)
            return
        timer = threading.Timer(seconds, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()

    def enqueue_req(self, conn: TConn) -> None:
        """A connection is new, or its next request begins: read the head as it comes."""
        self._heads[conn] = Head(conn.parser.unreader.take_buffered() if conn.parser else b"")
        conn.sock.setblocking(False)
        if not self._read_head(conn):
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_head_readable, conn))

    def _on_head_readable(self, conn: TConn, sock: socket.socket) -> None:
        self.poller.unregister(sock)
        if not self._read_head(conn):
            self.poller.register(sock, selectors.EVENT_READ, partial(self._on_head_readable, conn))

    def _read_head(self, conn: TConn) -> bool:
        """Read what is there; False when more must come. The socket must not be in the poller."""
        head = self._heads[conn]
        gone = False
        while not (head.is_whole or gone):
            try:
                data = conn.sock.recv(MAX_HEAD_BYTES)
            except BlockingIOError:
                return False
            except OSError:
                data = b""
            head.data += data
            gone = not data
        del self._heads[conn]
        if gone:
            self._close(conn)
        else:
            self._pass_on(conn, head)
        return True

    def _pass_on(self, conn: TConn, head: Head) -> None:
        """Give a request to the threads that answer it, or refuse it when too many wait."""
        serving, probe = self._serving, head.probe
        if not probe and len(self._working) >= serving.threads + serving.max_waiting:
            reason = f"{serving.max_waiting} requests wait already (MAX_WAITING); try again later"
            self._refuse(conn, "503 Service Unavailable", "TemporaryError", reason)
            self._leave(conn)
            return
        if conn.parser is None:
            conn.initialized = conn.data_ready = True
            conn.parser = http.get_parser(self.cfg, conn.sock, conn.client)
            conn.parser.unreader = BoundedUnreader(
                conn.sock, serving.read_timeout_seconds, serving.min_bytes_per_second
            )
        conn.parser.unreader.unread(bytes(head.data))
        pool: Executor = self._live if probe == "/_/health" else self._status if probe else self.tpool
        if not probe:
            self._working.add(conn)
        future = pool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: TConn) -> Any:
        """Answer one request, and those that follow at once; True when the connection stays open."""
        is_probe = conn not in self._working
        while True:
            conn.parser.unreader.begin()
            try:
                stays_open = super().handle(conn)
            finally:
                self._working.discard(conn)  # it is answered: what comes now may have its place
            if is_probe or not stays_open or not self._has_next(conn):
                return stays_open

    def _has_next(self, conn: TConn) -> bool:
        """Whether the head of the next request comes whole within a moment, and is for this thread.

        A connector sends one event after the other. Each of them would otherwise go through the main thread, with two
        changes of threads. What came of another request, or of half a head, is given to the main thread. So is a
        request behind one that already waits for a thread.
        """
        if self._others_wait() or not self.alive:
            return False
        unreader = conn.parser.unreader
        if data := unreader.take_buffered():
            unreader.unread(data)
            return False
        conn.sock.settimeout(NEXT_REQUEST_SECONDS)
        try:
            head = Head(conn.sock.recv(MAX_HEAD_BYTES))
        except OSError:  # nothing came in time
            return False
        unreader.unread(bytes(head.data))
        if not head.is_whole or head.probe or self._others_wait():
            return False
        self._working.add(conn)
        return True

    def _others_wait(self) -> bool:
        """Whether a request waits for this thread, which has answered its own."""
        return len(self._working) >= self._serving.threads

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Run the application. A caller that does not take its response in time loses it."""
        # The time for one chunk of a response: a thread must not wait for a caller that reads nothing.
        conn.sock.settimeout(self._serving.read_timeout_seconds + CHUNK_BYTES / self._serving.min_bytes_per_second)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            self.log.warning("a caller took its response too slowly (MIN_BYTES_PER_SECOND): closed")
            raise StopIteration from None  # closes the connection, in gunicorn's own way

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what failed before the application was asked."""
        if isinstance(exc, RequestTooSlow):
            write_problem(client, int(exc.status), HTTPStatus(exc.status).phrase, str(exc))
            return
        if isinstance(exc, (LimitRequestLine, LimitRequestHeaders)):
            self.log.warning("refused a request from %s: %s", (addr or ("",))[0], exc)
            write_problem(client, *self._too_long(exc))
            return
        super().handle_error(req, client, addr, exc)

    def _too_long(self, exc: BaseException) -> tuple[int, str, str]:
        """Status, phrase and reason for a head with a part over gunicorn's limits."""
        if isinstance(exc, LimitRequestLine):
            most = f"at most {self.cfg.limit_request_line} bytes for method, path and options together"
            return 414, "URI Too Long", f"the URL is too long: {most}; give fewer options, or a shorter name"
        most = f"at most {self.cfg.limit_request_fields}, each of at most {self.cfg.limit_request_field_size} bytes"
        reason = f"too many headers, or one that is too long: {most}; send only what the call needs"
        return 431, "Request Header Fields Too Large", reason

    def finish_request(self, conn: TConn, done: "Future[Any]") -> None:
        """A thread has answered a request: wait for the next one on its connection, or close it."""
        try:
            stays_open = done.result()
        except (CancelledError, Exception):  # noqa: BLE001 - gunicorn has logged it
            stays_open = False
        if stays_open:
            super().finish_request(conn, done)
        else:
            self._leave(conn)

    def murder_pending(self) -> None:
        """Called about once a second: end what takes too long."""
        now = time.monotonic()
        allowed = self._serving.read_timeout_seconds if self.alive else _LINGER_SECONDS
        while self._heads:
            conn, head = next(iter(self._heads.items()))
            if now - head.started < allowed:
                break
            del self._heads[conn]
            self.poller.unregister(conn.sock)
            if head.data:  # else the connection is not used, and its caller expects no answer
                reason = f"the request's head did not come within {allowed:g} seconds (READ_TIMEOUT_SECONDS)"
                self._refuse(conn, "408 Request Timeout", "RequestTooSlow", reason)
            self._close(conn)
        while self._leaving:
            conn, until = next(iter(self._leaving.items()))
            if now < until:
                break
            self._forget(conn)

    def _refuse(self, conn: TConn, status: str, error: str, reason: str) -> None:
        """Answer without a thread. The answer is small, so it fits into the socket's buffer or the caller is lost."""
        document = {"outcome": "failed", "status": int(status[:3]), "error": error, "reason": reason}
        body = json.dumps(document).encode() + b"\n"
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Retry-After: {_RETRY_AFTER_SECONDS}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            conn.sock.send(head.encode() + body)

    def _leave(self, conn: TConn) -> None:
        """Close a connection so that its caller still reads the answer: say that it ends, and wait for the caller.

        gunicorn's own way waits on the main thread, for up to two seconds.
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        self._leaving[conn] = time.monotonic() + _LINGER_SECONDS
        self._drained[conn] = 0
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_leaving_readable, conn))

    def _on_leaving_readable(self, conn: TConn, sock: socket.socket) -> None:
        try:
            data = sock.recv(_LINGER_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._drained[conn] += len(data)
        if not data or self._drained[conn] > _LINGER_BYTES:
            self._forget(conn)

    def _forget(self, conn: TConn) -> None:
        del self._leaving[conn], self._drained[conn]
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
