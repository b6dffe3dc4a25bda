"""The console for a lake on a platform, as a WSGI application: its page, and the calls of functions that it makes.

Searches go to `GET /function/NAME/?q=...` as in the local stack; events to `POST /function/NAME/event`, where writing
is allowed. Both are sent by this process, so the page's browser need not reach the functions.
"""

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Blueprint, Flask, Response, redirect, request

from penstock.errors import Forbidden
from penstock.local.console.page import add_page
from penstock.local.console.remote.lake import RemoteLake
from penstock.local.console.views import add_views, answer
from penstock.local.gateway.access import Access, guard
from penstock.local.gateway.errors import answer_errors, text
from penstock.local.gateway.proxy import OWN_ORIGIN, Environ, plain

_EVENT_BYTES: Final = 64 * 1024
_log = logging.getLogger("penstock.console")


class ConsoleApplication:
    """The application; `access` says who may see it, and by which names a browser reaches it."""

    def __init__(self, lake: RemoteLake, access: Access) -> None:
        self._access = access
        self._app = _make_app(lake, access)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        refusal = self._access.refuses_request(environ)
        if refusal is not None:
            return plain(start_response, *refusal)
        return self._app(environ, start_response)


def _make_app(lake: RemoteLake, access: Access) -> Flask:
    app = Flask("penstock.console", static_folder=None)
    guard(app, access)
    ui = Blueprint("ui", __name__, url_prefix="/ui")
    add_page(ui)
    add_views(ui, lake)

    @ui.get("/state")
    def state() -> Response:
        return answer(lake.overview())

    app.register_blueprint(ui)

    @app.get("/")
    def home() -> Any:
        return redirect("/ui/")

    @app.get("/healthz")
    def health() -> Response:
        return text("OK", 200)

    @app.get("/function/<name>/")
    def search(name: str) -> Response:
        query = request.query_string.decode("ascii", "replace")
        return _passed_on(lake, name, "GET", f"/?{query}")

    @app.post("/function/<name>/event")
    def send_event(name: str) -> Response:
        if not lake.allows_writes:
            raise Forbidden("this console only reads; start it with --allow-writes to send events")
        request.max_content_length = _EVENT_BYTES
        return _passed_on(lake, name, "POST", "/event", request.get_data(cache=False))

    answer_errors(app, _log, "the console's own output")
    return app


def _passed_on(lake: RemoteLake, name: str, method: str, path: str, body: bytes | None = None) -> Response:
    found = lake.ask(name, method, path, body)
    media_type = found.content_type.partition(";")[0].strip().lower()
    is_json = re.fullmatch(r"application/([^/]+\+)?json", media_type) is not None
    # What a function answers is shown as text: no page of its own may run beside the console.
    kind = "application/json" if is_json else "text/plain; charset=utf-8"
    headers = [("Cache-Control", "no-store"), *OWN_ORIGIN]
    return Response(found.body, found.status, headers, content_type=kind)
