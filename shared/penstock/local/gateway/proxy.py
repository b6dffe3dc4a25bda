"""`/function/NAME/...`: a request goes to the function's process and the answer comes back, both as they flow.

Plain WSGI, because a framework's routing would decode and normalise paths that are the function's own business.
"""

import contextlib
import http.client
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, unquote
from wsgiref.types import StartResponse

from penstock.errors import EventError, TemporaryError
from penstock.json_text import read_json
from penstock.local.functions.function import LocalFunction
from penstock.local.functions.functions import LocalFunctions, NoSuchFunction
from penstock.local.functions.process import StartFailed
from penstock.local.gateway.access import SESSION_COOKIES
from penstock.local.gateway.invocations import Invocation, InvocationLog

Environ = dict[str, Any]

TIMEOUT_SECONDS: Final = 3600.0
_CHUNK_BYTES: Final = 256 * 1024
_ANSWER_BYTES: Final = 256 * 1024
_ASCII: Final = "".join(map(chr, range(0x80)))
# RFC 9110, section 7.6.1: these concern one connection and are not passed on.
_HOP_BY_HOP: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)

# A function may answer a page, made of an object that a stranger uploaded. Its scripts run without the gateway's
# origin, so they reach neither the console's session nor its routes. Programs that call functions do not look at this.
OWN_ORIGIN: Final = (
    ("Content-Security-Policy", "sandbox allow-scripts allow-forms allow-downloads"),
    ("X-Content-Type-Options", "nosniff"),
)
_SESSION: Final = re.compile(rf"(^|;)\s*{SESSION_COOKIES}=[^;]*")


class Proxy:
    """Sends requests to functions, starts them when needed, and records each in `log`."""

    def __init__(self, functions: LocalFunctions, log: InvocationLog) -> None:
        self._functions = functions
        self._log = log

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """`/function/NAME[/path][?query]` of `RAW_URI`, any method. 404, 502 or 503 when there is no answer."""
        name, path = split_function_path(environ["RAW_URI"])
        call_id = environ.get("HTTP_X_CALL_ID") or str(uuid.uuid4())
        try:
            function = self._functions.get(name)
        except NoSuchFunction as exc:
            return plain(start_response, "404 Not Found", str(exc))
        exchange = _Exchange(function, environ, path, call_id, self._log)
        try:
            status, headers = exchange.begin()
        except StartFailed as exc:
            exchange.fail(503, str(exc))
            return plain(start_response, "503 Service Unavailable", str(exc), [("Retry-After", "5")])
        except (EventError, TemporaryError) as exc:
            exchange.fail(int(exc.status), str(exc))
            return failed(start_response, exc)
        except ValueError as exc:  # http.client's word for a header that no request may have
            exchange.fail(400, str(exc))
            return plain(start_response, "400 Bad Request", f"the request cannot be passed on: {exc}")
        except (OSError, http.client.HTTPException) as exc:
            log = function.logs.path
            reason = f"{name}: the function broke off before it answered ({type(exc).__name__}: {exc}); see {log}"
            exchange.fail(502, reason)
            return plain(start_response, "502 Bad Gateway", reason)
        except BaseException as exc:
            exchange.fail(500, f"{name}: {type(exc).__name__}")  # gives the function back
            raise
        start_response(status, headers)
        return exchange


class _Exchange:
    """One request and its answer; iterating gives the answer's body, `close` ends and records it."""

    def __init__(self, function: LocalFunction, environ: Environ, path: str, call_id: str, log: InvocationLog) -> None:
        self._function = function
        self._environ = environ
        self._path = path
        self._call_id = call_id
        self._log = log
        self._started, self._started_ns = time.perf_counter(), time.time_ns()
        self._held = ExitStack()
        self._cold, self._instance = False, ""
        self._bytes_in = self._bytes_out = 0
        self._kept: list[bytes] | None = None
        self._notes: Sequence[str] = ()
        self._response: http.client.HTTPResponse | None = None
        self._closed = False

    def begin(self) -> tuple[str, list[tuple[str, str]]]:
        """Send the request and return status line and headers of the answer."""
        lease = self._held.enter_context(self._function.lease())
        self._cold, self._instance = lease.cold, lease.instance
        connection = http.client.HTTPConnection("127.0.0.1", lease.port, timeout=TIMEOUT_SECONDS)
        self._held.callback(connection.close)
        # A function may answer, for example 413, before it has read everything, and close: the answer counts.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._send(connection)
        self._response = response = connection.getresponse()
        self._notes = _sentences(response.getheader("x-penstock-notes", ""))
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]
        headers += OWN_ORIGIN if not response.getheader("X-Content-Type-Options") else OWN_ORIGIN[:1]
        kind = response.getheader("Content-Type", "")
        if self._path.partition("?")[0] == "/event" and kind.startswith(
            ("application/json", "application/cloudevents")
        ):
            self._kept = []
        headers += [
            ("X-Call-Id", self._call_id),
            ("X-Start-Time", str(self._started_ns)),
            ("X-Duration-Seconds", f"{time.perf_counter() - self._started:.6f}"),
            ("X-Penstock-Cold-Start", "true" if self._cold else "false"),
        ]
        return f"{response.status} {response.reason}", headers

    def fail(self, status: int, reason: str) -> None:
        self._finish(status, reason)

    def __iter__(self) -> Iterator[bytes]:
        response = self._response
        while response is not None and (chunk := response.read1(_CHUNK_BYTES)):
            self._bytes_out += len(chunk)
            if self._kept is not None and self._bytes_out <= _ANSWER_BYTES:
                self._kept.append(chunk)
            yield chunk

    def close(self) -> None:
        """Called by the server in every case, also when the caller went away."""
        if self._response is not None:
            self._finish(self._response.status)

    def _send(self, connection: http.client.HTTPConnection) -> None:
        environ = self._environ
        connection.putrequest(environ["REQUEST_METHOD"], self._path, skip_host=True, skip_accept_encoding=True)
        for name, value in _headers(environ):
            connection.putheader(name, value.encode("latin-1"))
        for name, value in (
            ("Host", f"127.0.0.1:{connection.port}"),
            ("X-Forwarded-For", environ.get("REMOTE_ADDR", "")),
            ("X-Forwarded-Host", environ.get("HTTP_HOST", "")),
            ("X-Call-Id", self._call_id),
            ("X-Start-Time", str(self._started_ns)),
        ):
            connection.putheader(name, value)
        length = environ.get("CONTENT_LENGTH") or None
        chunked = length is None and bool(environ.get("wsgi.input_terminated"))
        if length is not None:
            connection.putheader("Content-Length", length)
        elif chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for chunk in body_chunks(environ):
            self._bytes_in += len(chunk)
            connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
        if chunked:
            connection.send(b"0\r\n\r\n")

    def _finish(self, status: int, reason: str = "") -> None:
        if self._closed:
            return
        self._closed = True
        self._held.close()
        if self._instance and self._kept is None:
            # An event is logged by the function itself. A direct call is logged here, as OpenFaaS's watchdog does it.
            seconds = time.perf_counter() - self._started
            line = (
                f"{self._environ['REQUEST_METHOD']} {self._path} - {status} - {self._bytes_out} bytes ({seconds:.3f} s)"
            )
            self._function.logs.add(line, self._instance)
        self._log.add(
            Invocation(
                function=self._function.spec.name,
                method=self._environ["REQUEST_METHOD"],
                path=self._path,
                status=status,
                cold=self._cold,
                seconds=time.perf_counter() - self._started,
                bytes_in=self._bytes_in,
                bytes_out=self._bytes_out,
                call_id=self._call_id,
                answer=_json(self._kept),
                notes=self._notes,
                reason=reason,
            )
        )


def split_function_path(raw_uri: str) -> tuple[str, str]:
    """`/function/resize.openfaas-fn/a%2Fb?x=1` gives `resize` and `/a%2Fb?x=1`; the namespace is dropped.

    >>> split_function_path("/function/resize?width=80")
    ('resize', '/?width=80')
    """
    if not raw_uri.isascii():
        # Some clients do not encode it. Werkzeug reads the bytes as Latin-1, writes them as UTF-8, and that as Latin-1.
        raw_uri = quote(raw_uri.encode("latin-1").decode("utf-8", "replace").encode("latin-1", "replace"), safe=_ASCII)
    path, mark, query = raw_uri.partition("?")
    _, _, name, *rest = path.split("/", 3)
    return unquote(name).partition(".")[0], "/" + "/".join(rest) + mark + query


def body_chunks(environ: Mapping[str, Any]) -> Iterator[bytes]:
    """The request body as it comes, never more than Content-Length says.

    Raises `TemporaryError` when it breaks off, and `EventError` when its chunks are malformed.
    """
    stream = environ["wsgi.input"]
    if environ.get("CONTENT_LENGTH"):
        left = int(environ["CONTENT_LENGTH"])
        while left > 0 and (chunk := stream.read(min(left, _CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk
        if left > 0:
            raise TemporaryError(f"the request broke off with {left} bytes to go")
    elif environ.get("wsgi.input_terminated"):
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk


def _sentences(header: str) -> Sequence[str]:
    """The notes in the header of a direct call's answer, none for a header that a function made differently."""
    try:
        found = read_json(header) if header else []
    except ValueError:
        return ()
    return [note for note in found if isinstance(note, str)] if isinstance(found, list) else ()


def plain(
    start_response: StartResponse, status: str, text: str, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """A short answer in plain text."""
    body = f"{text}\n".encode()
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *headers]
    start_response(status, fields)
    return [body]


def failed(start_response: StartResponse, error: EventError | TemporaryError) -> list[bytes]:
    """The answer to a request whose body is not whole."""
    phrase = HTTPStatus(error.status).phrase
    return plain(start_response, f"{int(error.status)} {phrase}", str(error))


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if environ.get("CONTENT_TYPE"):
        yield "Content-Type", environ["CONTENT_TYPE"]
    for key, value in environ.items():
        name = key[5:].replace("_", "-").lower()
        # Origin was checked here. It names the gateway, and not the function's own address.
        ours = ("host", "origin", "x-call-id", "x-start-time", "x-forwarded-for", "x-forwarded-host", "expect")
        if key.startswith("HTTP_") and name not in _HOP_BY_HOP and name not in ours:
            if name == "cookie":  # the console's session is not the function's business
                value = _SESSION.sub("", value).lstrip("; ")
            if value or name != "cookie":
                yield name, value


def _json(chunks: list[bytes] | None) -> Mapping[str, Any] | None:
    if not chunks:
        return None
    try:
        found = read_json(b"".join(chunks))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
