"""A relay between MinIO and the bridge that loses, doubles, delays and reorders events."""

from __future__ import annotations

import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS: Sequence[str] = ("dropped", "doubled", "delayed")
_MAX_DELAY_SECONDS = 6.0


class Relay:
    """`url` takes MinIO's webhook and passes each event on; `weather` as the fault proxy has it.

    A delayed event is answered at once and comes after later ones, so delays reorder too. The relay keeps it until
    the bridge has taken it: only `dropped` loses an event.
    """

    def __init__(self, bridge: str, seed: int) -> None:
        self._bridge = bridge
        self._random = random.Random(seed)
        self._weather: tuple[tuple[str, ...], float] = ((), 0.0)
        self._later = ThreadPoolExecutor(32, thread_name_prefix="notices")
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.waiting = 0
        self.broken: Counter[str] = Counter()
        self.taken = 0
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    status = relay.take(body)
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    self.close_connection = True

            def handle(self) -> None:
                with suppress(ConnectionError):  # MinIO was killed
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._later.shutdown(wait=True)
        self._server.server_close()

    def set_weather(self, kinds: Sequence[str], share: float) -> None:
        self._weather = (tuple(kinds), share)

    def take(self, body: bytes) -> int:
        """Pass one event on, or treat it as the weather says; the status for MinIO."""
        kinds, share = self._weather
        self.taken += 1
        fault = self._random.choice(kinds) if kinds and self._random.random() < share else ""
        if fault:
            self.broken[fault] += 1
        if fault == "dropped":
            return 200
        if fault == "delayed":
            self._defer(body, self._random.uniform(0.1, _MAX_DELAY_SECONDS))
            return 200
        status = self._pass_on(body)
        if fault == "doubled" and status < 300:
            self._defer(body, self._random.uniform(0.0, 2.0))
        return status

    def _defer(self, body: bytes, seconds: float) -> None:
        with self._lock:
            self.waiting += 1

        def send() -> None:
            self._stopping.wait(seconds)
            while self._pass_on(body) >= 300 and not self._stopping.wait(0.5):
                pass
            with self._lock:
                self.waiting -= 1

        self._later.submit(send)

    def _pass_on(self, body: bytes) -> int:
        request = urllib.request.Request(self._bridge, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.05)
            return 502
