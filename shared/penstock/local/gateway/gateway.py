"""The gateway of the local stack: OpenFaaS's paths, MinIO's webhook, the console.

/function/NAME[/path]         the function's answer, streamed; the function is started when needed
/async-function/NAME[/path]   202 at once
/system/...                   faas-cli's API
/events                       MinIO's webhook target: stored, then 202
/healthz /metrics /ui/ /_/openapi.json
"""

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.types import StartResponse

from flask import Blueprint, Flask, Response, redirect, request

from penstock.delivery.inbox import Inbox
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.secret_files import SecretFiles
from penstock.local.gateway.access import Access, guard
from penstock.local.gateway.asynchronous import Asynchronous
from penstock.local.gateway.deployments import Deployments
from penstock.local.gateway.errors import answer_errors, text
from penstock.local.gateway.invocations import InvocationLog
from penstock.local.gateway.metrics import GatewayMetrics
from penstock.local.gateway.proxy import Environ, Proxy, plain
from penstock.local.gateway.router import ASYNC_PATH, Router
from penstock.local.gateway.secrets_api import make_secrets_blueprint
from penstock.local.gateway.system_api import make_blueprint
from penstock.process.openapi import PATH

MAX_EVENT_BYTES: Final = 1024 * 1024
_log = logging.getLogger("penstock.gateway")


class Gateway:
    """The WSGI application."""

    def __init__(
        self,
        *,
        functions: LocalFunctions,
        deployments: Deployments,
        inbox: Inbox,
        router: Router,
        invocations: InvocationLog,
        healthy: Callable[[], str],
        console: Blueprint,
        access: Access,
        secrets: SecretFiles,
    ) -> None:
        self._access = access
        self._proxy = Proxy(functions, invocations)
        self._asynchronous = Asynchronous(functions, inbox, self._proxy, access.hosts)
        self._app = _make_app(functions, deployments, inbox, router, invocations, healthy, console, access)
        self._app.register_blueprint(make_secrets_blueprint(secrets))

    @property
    def application(self) -> Flask:
        """What answers everything but the calls of functions."""
        return self._app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        refusal = self._access.refuses_request(environ)
        if refusal is not None:
            return plain(start_response, *refusal)
        path = environ["RAW_URI"].partition("?")[0]
        if path.startswith("/function/"):
            return self._proxy(environ, start_response)
        if path.startswith("/async-function/"):
            return self._asynchronous.take(environ, start_response)
        if path == ASYNC_PATH and environ["REQUEST_METHOD"] == "POST":
            return self._asynchronous.carry_out(environ, start_response)
        return self._app(environ, start_response)


def _make_app(
    functions: LocalFunctions,
    deployments: Deployments,
    inbox: Inbox,
    router: Router,
    invocations: InvocationLog,
    healthy: Callable[[], str],
    console: Blueprint,
    access: Access,
) -> Flask:
    app = Flask("penstock.gateway", static_folder=None)
    # A path with two slashes is another path here, as it is for the check of the request.
    app.url_map.merge_slashes = False
    guard(app, access)
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
        return text(problem or "OK", 503 if problem else 200)

    @app.get(PATH)
    def describe() -> Response:
        from penstock.local.gateway.description import gateway_description  # seldom asked for

        return Response(json.dumps(gateway_description()), content_type="application/json")

    @app.get("/metrics")
    def scrape() -> Response:
        exposed, content_type = metrics.render()
        return Response(exposed, content_type=content_type)

    @app.post("/events")
    def events() -> Response:
        request.max_content_length = MAX_EVENT_BYTES
        count = router.accept_body(request.get_data(cache=False), dict(request.headers))
        return text(f"stored for {count} functions", 202)

    answer_errors(app, _log, "the stack's own output")
    return app
