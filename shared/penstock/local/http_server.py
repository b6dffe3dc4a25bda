"""A threaded WSGI server inside this process, on loopback.

Werkzeug's, for three reasons: it streams bodies both ways (waitress spools them), gives every connection its own
thread (a pool is used up by a few clients that follow logs), and hands over the path as it came, without which the
key `a%2Fb` cannot be told from `a/b`. It comes with Flask. Werkzeug does not recommend it for production, and the
local stack is not: it serves one machine.
"""

import errno
import socket
import threading
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from penstock.errors import ConfigError
from penstock.local.request_body import ChunkedBody, framing_problem


class QuietHandler(WSGIRequestHandler):
    """Answers in HTTP/1.1, so that a response of unknown length is chunked, and prints no access log."""

    protocol_version = "HTTP/1.1"
    # What http.server itself refuses, such as a head that is too long.
    error_message_format = "%(message)s: %(explain)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def run_wsgi(self) -> None:
        """One request on each connection, as Werkzeug's `Connection: close` says: also after one that failed."""
        if problem := framing_problem(self.headers, self.request_version):
            self.send_error(400, explain=problem)
        else:
            super().run_wsgi()
        self.close_connection = True

    def make_environ(self) -> dict[str, Any]:
        """Werkzeug's, but a body in chunks ends with its last chunk, and with an error where that does not come."""
        environ = super().make_environ()
        if environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = ChunkedBody(self.rfile)
        return environ

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The gateway keeps its own record of invocations."""


class HttpServer:
    """One WSGI application on one port; `port=0` takes a free one. Raises `ConfigError` when it is taken."""

    def __init__(
        self,
        app: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        handler: type[WSGIRequestHandler] = QuietHandler,
        option: str = "--port",
    ) -> None:
        # Bound here and handed over, because on a taken port make_server prints and exits.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(128)
        except OSError as exc:
            listener.close()
            why = "is in use" if exc.errno == errno.EADDRINUSE else f"cannot be opened: {exc.strerror}"
            flag = f"{option} {port % 65000 + 1}"
            other = f"choose another, such as {flag}, with make: ARGS='{flag}'"
            raise ConfigError(f"port {port} on {host} {why}; {other}") from exc
        self.host, self.port = host, int(listener.getsockname()[1])
        self._server: BaseWSGIServer = make_server(
            host, self.port, with_sendable_headers(app), threaded=True, request_handler=handler, fd=listener.fileno()
        )
        listener.close()  # make_server works on its own copy
        self._thread = threading.Thread(target=self._serve, name=f"http-{self.port}", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections; requests in flight go on until the process ends."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5)
        self._server.server_close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.1)


def with_sendable_headers(app: Any) -> Any:
    """The application, but a header that cannot be sent fails before the status is sent: then the answer is a 500.

    Werkzeug encodes headers while it sends them. A value outside Latin-1 ends the answer in the middle of its head.
    """

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        def checked(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            for name, value in headers:
                (name + value).encode("latin-1")
            return start_response(status, headers, exc_info)

        return app(environ, checked)

    return call
