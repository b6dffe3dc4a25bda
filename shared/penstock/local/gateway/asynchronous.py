"""`/async-function/NAME`: stored and answered at once, carried out afterwards, the result sent to X-Callback-Url.

OpenFaaS's contract: 202 with X-Call-Id; the callback is a POST of the function's answer with X-Call-Id,
X-Function-Name, X-Function-Status and X-Duration-Seconds. A call that fails for good is a dead letter.
"""

import http.client
import logging
import urllib.request
import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.types import StartResponse

from penstock.connect.rest import NoRedirect
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
from penstock.errors import EventError, TemporaryError
from penstock.local.functions.functions import LocalFunctions, NoSuchFunction
from penstock.local.gateway.proxy import Environ, Proxy, body_chunks, failed, plain, split_function_path
from penstock.local.gateway.router import ASYNC_TARGET
from penstock.streams import SPOOL_MEMORY_BYTES, spool

# OpenFaaS's limit: what waits is meant to be a reference to data, not the data.
MAX_BODY_BYTES: Final = 1024 * 1024
_HEAD_BYTES: Final = 64 * 1024
_PATH_HEADER: Final = "X-Penstock-Async-Path"
_log = logging.getLogger("penstock.gateway")


class Asynchronous:
    """Takes calls into the inbox, and carries them out when the inbox hands them back."""

    def __init__(self, functions: LocalFunctions, inbox: Inbox, proxy: Proxy, callback_hosts: Collection[str]) -> None:
        self._functions, self._inbox, self._proxy = functions, inbox, proxy
        self._callback_hosts = callback_hosts

    def take(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Store one call: 202, or 404, 405, 413, 503."""
        if environ["REQUEST_METHOD"] != "POST":
            return plain(start_response, "405 Method Not Allowed", "call it with POST", [("Allow", "POST")])
        name, path = split_function_path(environ["RAW_URI"])
        callback = environ.get("HTTP_X_CALLBACK_URL", "")
        if callback and (problem := self._callback_problem(callback)):
            return plain(start_response, "400 Bad Request", f"X-Callback-Url: {problem}")
        try:
            self._functions.get(name)
        except NoSuchFunction as exc:
            return plain(start_response, "404 Not Found", str(exc))
        body = bytearray()
        try:
            for chunk in body_chunks(environ):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    reason = (
                        f"an asynchronous call carries at most {MAX_BODY_BYTES} bytes: pass a reference to an object"
                    )
                    return plain(start_response, "413 Content Too Large", reason)
        except (EventError, TemporaryError) as exc:
            return failed(start_response, exc)
        call_id = environ.get("HTTP_X_CALL_ID") or str(uuid.uuid4())
        headers = {_PATH_HEADER: f"/function/{name}{path}", "X-Call-Id": call_id, **_kept_headers(environ)}
        try:
            self._inbox.put([Message(call_id, bytes(body), headers, f"async {name} {call_id}", ASYNC_TARGET)])
        except TemporaryError as exc:
            return plain(start_response, "503 Service Unavailable", str(exc), [("Retry-After", "5")])
        start_response("202 Accepted", [("X-Call-Id", call_id), ("Content-Length", "0")])
        return []

    def carry_out(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Make a stored call; the answer's status decides about a retry."""
        path = environ.get("HTTP_X_PENSTOCK_ASYNC_PATH", "")
        if not path.startswith("/function/"):
            return plain(start_response, "400 Bad Request", f"{_PATH_HEADER}: missing")
        found: dict[str, Any] = {}

        def answered(status: str, headers: list[tuple[str, str]], _: Any = None, /) -> Callable[[bytes], object]:
            found.update(status=status, headers=headers)
            return lambda _data: None

        parts = self._proxy({**environ, "RAW_URI": path}, answered)
        try:
            body = spool(parts, SPOOL_MEMORY_BYTES)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = found["status"], found["headers"]
        code = int(status.partition(" ")[0])
        callback = environ.get("HTTP_X_CALLBACK_URL", "")
        with body:
            # Only what is settled is reported: a 5xx will be tried again.
            if callback and code < 500 and not self._callback_problem(callback):
                size = body.seek(0, 2)
                body.seek(0)
                self._call_back(callback, split_function_path(path)[0], code, headers, size, body)
            body.seek(0)
            head = body.read(_HEAD_BYTES)  # enough for a dead letter to say what was answered
            kept = [(name, value) for name, value in headers if name.lower() in ("content-type", "retry-after")]
            start_response(status, [*kept, ("Content-Length", str(len(head)))])
            return [head]

    def _callback_problem(self, url: str) -> str:
        """Why an answer is not sent to this URL, or "": a caller must not reach other hosts through this one."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return f"{url!r} is not a URL"
        if parts.scheme not in ("http", "https"):
            return f"{url!r} is not an http or https URL"
        if host not in self._callback_hosts:
            return f"{url!r}: this stack calls back to {', '.join(sorted(self._callback_hosts))} only"
        return ""

    def _call_back(self, url: str, name: str, code: int, headers: list[tuple[str, str]], size: int, body: Any) -> None:
        kept = ("content-type", "x-call-id", "x-duration-seconds", "x-start-time")
        fields = {header: value for header, value in headers if header.lower() in kept}
        fields |= {"X-Function-Name": name, "X-Function-Status": str(code), "Content-Length": str(size)}
        request = urllib.request.Request(url, data=body, headers=fields, method="POST")  # noqa: S310 - checked above
        try:
            # A redirect is not followed: it may lead to another host.
            with urllib.request.build_opener(NoRedirect).open(request, timeout=60):
                pass
        except (OSError, ValueError, http.client.HTTPException) as exc:
            # The call itself is done; a failed callback must not run it a second time.
            _log.warning("%s: the callback to %s failed: %s", name, url, exc)


def _kept_headers(environ: Environ) -> dict[str, str]:
    names = ("HTTP_X_CALLBACK_URL", "HTTP_TRACEPARENT", "HTTP_CONTENT_DISPOSITION", "HTTP_ACCEPT")
    kept = {name[5:].replace("_", "-").title(): environ[name] for name in names if environ.get(name)}
    kept |= {
        name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_CE_")
    }
    if environ.get("CONTENT_TYPE"):
        kept["Content-Type"] = environ["CONTENT_TYPE"]
    return kept
