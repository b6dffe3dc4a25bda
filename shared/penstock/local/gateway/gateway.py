"""The gateway of the embedded stack: OpenFaaS's paths, MinIO's webhook, the console.

/function/NAME[/path]         the function's answer, streamed; the function is started when needed
/async-function/NAME[/path]   202 at once
/system/...                   faas-cli's API
/events                       MinIO's webhook target: stored, then 202
/healthz /metrics /ui/
"""

import base64
import hmac
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.types import StartResponse

from flask import Blueprint, Flask, Response, redirect, request
from werkzeug.exceptions import HTTPException

from penstock.delivery.inbox import Inbox
from penstock.errors import PenstockError
from penstock.local.functions.functions import Functions
from penstock.local.gateway.asynchronous import Asynchronous
from penstock.local.gateway.deployments import Deployments
from penstock.local.gateway.invocations import InvocationLog
from penstock.local.gateway.metrics import GatewayMetrics
from penstock.local.gateway.proxy import Environ, Proxy, plain
from penstock.local.gateway.router import ASYNC_PATH, Router
from penstock.local.gateway.system_api import make_blueprint

MAX_EVENT_BYTES: Final = 1024 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_log = logging.getLogger("penstock.gateway")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call. Empty values ask for nothing.

    `password` is for the user `admin` on /system and /ui, as in OpenFaaS; `token` is what MinIO sends to /events;
    `hosts` are the names under which a browser may reach the gateway.
    """

    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    hosts: frozenset[str] = _LOOPBACK

    def refuses(self, environ: Environ) -> tuple[str, str] | None:
        """Status line and reason, or None when the request may pass."""
        path = environ.get("PATH_INFO", "")
        given = environ.get("HTTP_AUTHORIZATION", "")
        if path == "/events" and self.token:
            # MinIO sends a token of one word as `Bearer X`, one of two words as it is.
            known = any(_same(given, accepted) for accepted in (self.token, f"Bearer {self.token}"))
            return None if known else ("401 Unauthorized", "wrong or no token")
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        if host not in self.hosts:
            # A foreign name that resolves to this machine is how a page in a browser gets at local servers.
            return "403 Forbidden", f"Host {host!r}: this gateway answers to {', '.join(sorted(self.hosts))} only"
        origin = environ.get("HTTP_ORIGIN", "")
        if origin and urlsplit(origin).netloc != environ.get("HTTP_HOST", ""):
            return "403 Forbidden", f"Origin {origin!r}: pages of other servers may not call this gateway"
        if self.password and path.startswith(("/system/", "/ui/")):
            wanted = base64.b64encode(f"admin:{self.password}".encode()).decode()
            if not _same(given, f"Basic {wanted}"):
                return "401 Unauthorized", "log in as admin: faas-cli login --password-stdin"
        return None


class Gateway:
    """The WSGI application."""

    def __init__(
        self,
        *,
        functions: Functions,
        deployments: Deployments,
        inbox: Inbox,
        router: Router,
        invocations: InvocationLog,
        healthy: Callable[[], str],
        console: Blueprint,
        access: Access,
    ) -> None:
        self._access = access
        self._proxy = Proxy(functions, invocations)
        self._asynchronous = Asynchronous(functions, inbox, self._proxy)
        self._app = _make_app(functions, deployments, inbox, router, invocations, healthy, console)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        refusal = self._access.refuses(environ)
        if refusal is not None:
            login = [("WWW-Authenticate", 'Basic realm="penstock"')] if refusal[0].startswith("401") else []
            return plain(start_response, *refusal, login)
        path = environ["RAW_URI"].partition("?")[0]
        if path.startswith("/function/"):
            return self._proxy(environ, start_response)
        if path.startswith("/async-function/"):
            return self._asynchronous.take(environ, start_response)
        if path == ASYNC_PATH and environ["REQUEST_METHOD"] == "POST":
            return self._asynchronous.carry_out(environ, start_response)
        return self._app(environ, start_response)


def _make_app(
    functions: Functions,
    deployments: Deployments,
    inbox: Inbox,
    router: Router,
    invocations: InvocationLog,
    healthy: Callable[[], str],
    console: Blueprint,
) -> Flask:
    app = Flask("penstock.gateway", static_folder=None)
    app.register_blueprint(make_blueprint(functions, deployments))
    app.register_blueprint(console)
    metrics = GatewayMetrics(functions, inbox)
    invocations.listen(metrics.observe)

    @app.get("/")
    def home() -> Any:
        return redirect("/ui/")

    @app.get("/healthz")
    def health() -> Response:
        problem = healthy()
        return _text(problem or "OK", 503 if problem else 200)

    @app.get("/metrics")
    def scrape() -> Response:
        text, content_type = metrics.render()
        return Response(text, content_type=content_type)

    @app.post("/events")
    def events() -> Response:
        request.max_content_length = MAX_EVENT_BYTES
        count = router.accept_body(request.get_data(cache=False), dict(request.headers))
        return _text(f"stored for {count} functions", 202)

    @app.errorhandler(PenstockError)
    def failed(exc: PenstockError) -> Response:
        status = int(exc.status)
        return _text(str(exc), 400 if status == 500 else status)

    @app.errorhandler(HTTPException)
    def refused(exc: HTTPException) -> Response:
        return _text(exc.description or exc.name, exc.code or 500)

    @app.errorhandler(Exception)
    def crashed(_exc: Exception) -> Response:
        _log.exception("%s %s", request.method, request.path)
        return _text("unexpected error; the trace is in the stack's own output", 500)

    return app


def _text(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
