"""A small HTTP server for the probes and metrics of connectors and the watcher of Jobs."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, SHUT_RDWR
from typing import Any, Final, Protocol

from penstock.errors import ConfigError

# A probe's whole request takes far less. Each connection has a thread, so one that stays open costs memory.
_CONNECTION_SECONDS: Final = 10.0


class Scraped(Protocol):
    """What /metrics shows."""

    def render(self) -> tuple[bytes, str]:
        """The text that Prometheus scrapes, and its content type."""


class StatusServer:
    """Serves /_/health, /_/ready and /metrics on a thread of its own.

    `ill` and `unready` return what is wrong, or "" when nothing is. Raises `ConfigError` for an address that it cannot
    listen on. A connection lasts `connection_seconds` at most.
    """

    def __init__(
        self,
        address: tuple[str, int],
        measures: Scraped,
        *,
        ill: Callable[[], str],
        unready: Callable[[], str],
        connection_seconds: float = _CONNECTION_SECONDS,
    ) -> None:
        class StatusHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                probe = {"/_/health": ill, "/_/ready": unready}.get(self.path)
                if probe is not None:
                    problem = probe()
                    self.answer(503 if problem else 200, f"{problem or 'ok'}\n".encode(), "text/plain; charset=utf-8")
                elif self.path.partition("?")[0] == "/metrics":
                    self.answer(200, *measures.render())
                else:
                    self.answer(404, b"here are /_/health, /_/ready and /metrics\n", "text/plain")

            def answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Log nothing: probes come every second."""

        class StatusHttpServer(ThreadingHTTPServer):
            daemon_threads = True
            address_family = AF_INET6 if ":" in address[0] else ThreadingHTTPServer.address_family

            def __init__(self, *arguments: Any) -> None:
                # In the order in which they began. Only the thread that accepts adds, threads of connections remove.
                self.open: dict[Any, float] = {}
                super().__init__(*arguments)

            def process_request(self, request: Any, client_address: Any) -> None:
                self.open[request] = time.monotonic()
                super().process_request(request, client_address)

            def shutdown_request(self, request: Any) -> None:
                self.open.pop(request, None)
                super().shutdown_request(request)

            def service_actions(self) -> None:
                """Called about twice a second: end what takes too long."""
                now = time.monotonic()
                for request, began in list(self.open.items()):
                    if now - began < connection_seconds:
                        break
                    with contextlib.suppress(OSError):
                        request.shutdown(SHUT_RDWR)  # its thread reads the end, and closes it

        try:
            self._server = StatusHttpServer(address, StatusHandler)
        except (OSError, OverflowError) as exc:
            why = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else str(exc)
            host, port = address
            raise ConfigError(f"{host or '0.0.0.0'}:{port}: {why}: choose another port for probes and metrics") from exc
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
