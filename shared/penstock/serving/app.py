"""The Flask application around one runtime: which path leads to which route."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response
from werkzeug.routing import Rule

from penstock.errors import as_exception
from penstock.process.metrics import Metrics
from penstock.runtime.runtime import Runtime
from penstock.serving.health import Health
from penstock.serving.responses import register_error_handlers
from penstock.serving.routes import FunctionRoutes


def create_app(runtime: Runtime, health: Health, metrics: Metrics, *, hosts: frozenset[str] = frozenset()) -> Flask:
    """The WSGI application of one function.

    `hosts` are the names by which a server that only this machine reaches may be called. Requests of web pages of
    other servers are refused: they name another host or origin. Without `hosts` every request is accepted.
    """
    app = _App("penstock", static_folder=None)
    app.response_class = TextResponse
    app.json.sort_keys = False  # type: ignore[attr-defined]
    function = FunctionRoutes(runtime, health, metrics, hosts)
    app.before_request(function.begin)
    app.after_request(function.account)
    app.teardown_request(function.end)
    app.add_url_rule("/_/health", view_func=function.alive, methods=["GET"])
    app.add_url_rule("/_/ready", view_func=function.ready, methods=["GET"])
    app.add_url_rule("/metrics", view_func=function.metrics, methods=["GET"])
    app.add_url_rule("/_/openapi.json", view_func=function.description, methods=["GET"])
    app.add_url_rule("/", view_func=function.query, methods=["GET"])
    app.add_url_rule("/status", view_func=function.status, methods=["GET"])
    app.add_url_rule("/lambda", view_func=function.answer_lambda, methods=["POST"])
    if keys := runtime.config.secrets.get("SIGNED_URL_KEY"):
        from penstock.serving.read_route import ReadRoute
        from penstock.serving.signed_urls import PREFIX

        # Two slashes in a key are two slashes.
        route = ReadRoute(runtime, keys.split())
        app.add_url_rule(f"{PREFIX}<path:path>", view_func=route.read, methods=["GET"], merge_slashes=False)
    app.add_url_rule("/event", view_func=function.take_events, methods=["POST"])
    app.add_url_rule("/", view_func=function.take, methods=["POST"], defaults={"path": ""})
    app.add_url_rule("/<path:path>", view_func=function.take, methods=["POST"])
    register_error_handlers(app, function.body_limit)
    return app


class _Route(Rule):
    """A rule that only leads to a function. Werkzeug compiles two functions for each rule that build URLs of it."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: ARG002
        return _build_nothing


def _build_nothing(*_args: Any, **_values: Any) -> tuple[str, str]:
    raise NotImplementedError("no URL is made of a route")


class _App(Flask):
    """Flask that does not ask of each function, at each request, whether it is a coroutine: none here is."""

    url_rule_class = _Route

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def dispatch_request(self) -> Any:
        """Answer one request. A `BaseException` of a hook or of a store's client would end the worker."""
        try:
            return super().dispatch_request()
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as exc:
            raise as_exception(exc) from exc


class TextResponse(Response):
    """An answer that is plain text unless it says otherwise; Flask's is HTML."""

    default_mimetype = "text/plain"
