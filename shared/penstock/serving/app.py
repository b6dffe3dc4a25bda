"""The Flask application around one runtime: routes, health, metrics, errors to statuses."""

import json
import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast
from urllib.parse import quote

from flask import Flask, Response, g, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.http import dump_options_header, parse_options_header

from penstock import events
from penstock.errors import EventError, InputTooLarge, NothingToDo, PenstockError, TemporaryError, UnsupportedInput
from penstock.process.log import event_id, trace_id
from penstock.process.metrics import Metrics
from penstock.runtime.answers import (
    Failure,
    failure_document,
    notes_header,
    outcome_document,
    outcome_event,
    overall_status,
)
from penstock.runtime.outcome import Outcome
from penstock.runtime.runtime import Runtime
from penstock.store.headers import check_headers
from penstock.streams import as_chunks, close_quietly, read_chunks, spool
from penstock.types import ObjectRef, Result

# A batch of some thousand notifications; objects never travel in an event.
MAX_EVENT_BYTES = 16 * 1024 * 1024
_HEAD_BYTES = 64 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# W3C Trace Context: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Health:
    """Whether this worker may be sent requests: handler loaded, store and sink reached once, not draining."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._reached = False
        self.draining = False

    def problem(self) -> str:
        """Why not, or "" when ready. Store and sink are asked until they answered once, then never again:
        a store that fails later must not take every function out of service at the same moment."""
        if self.draining:
            return "draining: this worker takes no new requests"
        if not self._reached:
            runtime = self._runtime
            try:
                if runtime.store is not None:
                    for bucket in {rule.bucket for rule in runtime.config.sources}:
                        runtime.store.check(bucket)
                if runtime.sink is not None:
                    runtime.sink.check()
            except PenstockError as exc:
                return str(exc)
            self._reached = True
        ready = self._runtime.function.ready
        return "" if ready is None or ready() else "the handler's ready() says no"


def create_app(runtime: Runtime, health: Health, metrics: Metrics) -> Flask:
    """The WSGI application of one function."""
    app = Flask("penstock")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    function, config = runtime.function, runtime.config
    limit, limit_name = min((config.max_body_bytes, "MAX_BODY_BYTES"), (config.max_input_bytes, "MAX_INPUT_BYTES"))
    log = logging.getLogger("penstock.app")

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        metrics.enter()
        follow(request.headers.get("traceparent", ""))
        event_id.set(request.headers.get("ce-id", ""))
        # No route matches a line's end, and Knative tries a 404 again.
        if "\n" in request.path or "\r" in request.path:
            raise EventError(f"path {request.path[:80]!r}: has the end of a line in it; leave out %0A and %0D")

    def follow(traceparent: str) -> None:
        """Log under this trace and name it in the answer; what is no traceparent is left out."""
        found = _TRACEPARENT.fullmatch(traceparent)
        g.traceparent = traceparent if found else ""
        trace_id.set(found.group(1) if found else "")

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        metrics.leave()

    @app.after_request
    def account(response: Response) -> Response:
        if g.get("traceparent"):
            response.headers["traceparent"] = g.traceparent
        if request.method == "POST":
            metrics.add("penstock_requests", 1, g.get("mode", "object"), str(response.status_code))
            metrics.observe_seconds(time.perf_counter() - g.started)
        return response

    @app.get("/_/health")
    def alive() -> tuple[str, int]:
        return "ok\n", 200

    @app.get("/_/ready")
    def ready() -> tuple[str, int]:
        problem = health.problem()
        return (f"{problem}\n", 503) if problem else ("ok\n", 200)

    @app.get("/metrics")
    def scrape() -> Response:
        text, content_type = metrics.render()
        return Response(text, content_type=content_type)

    @app.get("/")
    def query() -> Response:
        if function.query is None:
            raise EventError(f"{function.name} answers no queries; POST a file here, or an event to /event")
        if runtime.sink is None:
            raise TemporaryError(f"{function.name} has no SINK to search; set SINK")
        found = function.query(request.args.to_dict(), runtime.sink)
        return _json({"error": "NotFound", "reason": "no such document"}, 404) if found is None else _json(found, 200)

    @app.post("/event")
    def take_events() -> Response:
        if (request.content_length or 0) > MAX_EVENT_BYTES:
            raise InputTooLarge(f"events: {request.content_length} bytes; at most {MAX_EVENT_BYTES} in one request")
        request.max_content_length = MAX_EVENT_BYTES
        notifications = events.parse(b"".join(_request_body()), dict(request.headers))
        if len(notifications) == 1:
            event_id.set(event_id.get() or notifications[0].id)
            follow(notifications[0].traceparent or "")
        # Several events about one object ask the same question: it is answered once.
        wanted = {
            notification.ref: None
            for notification in notifications
            if notification.kind not in (events.Kind.ACCESSED, events.Kind.OTHER)
        }
        results = [account_for(*ended) for ended in zip(wanted, runtime.agree_all(list(wanted)), strict=True)]
        metrics.add("penstock_events", len(notifications) - len(wanted), "ignored")
        return _answer(results, function.name)

    def account_for(ref: ObjectRef, ended: Outcome | Exception) -> Outcome | Failure:
        if isinstance(ended, PenstockError):
            log.warning("%s: %s", ref, ended, extra={"outcome": "failed", "error": type(ended).__name__})
            metrics.add("penstock_events", 1, "failed")
            return Failure(ref, ended)
        if isinstance(ended, Exception):
            metrics.add("penstock_events", 1, "crashed")
            return Failure(ref, None, _incident(log, ended))
        how = {"outcome": ended.kind, "changed": ended.changed, "reason": ended.reason}
        log.info("%s: %s", ref, ended.kind, extra=how)
        metrics.add("penstock_events", 1, ended.kind)
        if ended.changed and ended.source is not None:
            metrics.add("penstock_input_bytes", ended.source.size)
            metrics.add("penstock_output_bytes", sum(entry.size or 0 for entry in ended.entries.values()))
        return ended

    @app.post("/", defaults={"path": ""})
    @app.post("/<path:path>")
    def take(path: str) -> Response:
        # Whatever the path: an event that was sent to a wrong one must not be taken for a file.
        if events.is_object_request(dict(request.headers)):
            return take_events()
        g.mode = "body"
        return transform(path)

    def transform(path: str) -> Response:
        if (request.content_length or 0) > limit:
            raise InputTooLarge(f"body: {request.content_length} bytes; {limit_name} is {limit}")
        request.max_content_length = limit
        name = _name(path)
        with spool(_request_body()) as body:
            # A webhook that was pointed here by mistake must not be gzipped, answered 200 and lost.
            if events.looks_like_notification(body.read(_HEAD_BYTES)):
                raise UnsupportedInput("this looks like a bucket notification: POST it to /event")
            size = body.seek(0, 2)
            body.seek(0)
            content_type = request.headers.get("Content-Type") or "application/octet-stream"
            return _whole(runtime.transform(name, size, content_type, _options(), read_chunks(body)), name)

    @app.errorhandler(NothingToDo)
    def nothing(exc: NothingToDo) -> Response:
        return _json({"outcome": "refused", "error": "NothingToDo", "reason": str(exc)}, 200)

    @app.errorhandler(PenstockError)
    def failed(exc: PenstockError) -> Response:
        log.warning("%s", exc, extra={"error": type(exc).__name__})
        return _failed(Failure(None, exc))

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_exc: RequestEntityTooLarge) -> Response:
        most = limit if g.get("mode") == "body" else MAX_EVENT_BYTES
        return _failed(Failure(None, InputTooLarge(f"the request is larger than {most} bytes")))

    @app.errorhandler(ClientDisconnected)
    def broken_off(_exc: ClientDisconnected) -> Response:
        # A proxy in between may still be there, and a 400 would tell it never to come back.
        return failed(TemporaryError("the request broke off before its end"))

    @app.errorhandler(HTTPException)
    def refused(exc: HTTPException) -> Response:
        return _json({"outcome": "failed", "error": exc.name, "reason": exc.description}, exc.code or 500)

    @app.errorhandler(Exception)
    def crashed(exc: Exception) -> Response:
        return _failed(Failure(None, None, _incident(log, exc)))

    return app


def _answer(results: list[Outcome | Failure], function: str) -> Response:
    status = overall_status(results)
    if status == 204:
        return Response(status=204)
    documents = [
        failure_document(result) if isinstance(result, Failure) else outcome_document(result, function)
        for result in results
    ]
    response = _json(documents[0] if len(documents) == 1 else {"results": documents}, status)
    delays = [result.retry_after for result in results if isinstance(result, Failure) and result.retry_after]
    if delays:
        response.headers["Retry-After"] = str(max(1, round(max(delays))))
    # Only a caller that sent a CloudEvent gets one back: Knative's broker takes it as a new event.
    if len(results) == 1 and status == 200 and isinstance(results[0], Outcome) and _came_as_cloudevent():
        for name, value in outcome_event(results[0], function, b"").http_headers().items():
            response.headers[name] = value
    return response


def _came_as_cloudevent() -> bool:
    return "ce-specversion" in request.headers or request.mimetype == "application/cloudevents+json"


def _failed(failure: Failure) -> Response:
    response = _json(failure_document(failure), failure.status)
    if failure.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(failure.retry_after)))
    return response


def _whole(result: Result, name: str) -> Response:
    """Send a result with its length: a failure after the first chunk of an open-ended answer would go unseen."""
    try:
        check_headers(name, result.content_type, {})
        file = spool(as_chunks(result.body))
    finally:
        close_quietly(result.body)
    size = file.seek(0, 2)
    file.seek(0)
    is_document = isinstance(result.body, Mapping)
    response = Response(
        read_chunks(file),
        content_type="application/json" if is_document else result.content_type,
        direct_passthrough=True,
    )
    response.content_length = size
    response.call_on_close(file.close)
    if result.notes:
        response.headers["x-penstock-notes"] = notes_header(result.notes)
    if result.name:
        response.headers["Content-Disposition"] = _disposition(result.name)
    return response


def _disposition(name: str) -> str:
    """A result's name as RFC 6266 has it: gunicorn answers 500 for a header that is not Latin-1."""
    name = _CONTROL.sub("_", name)
    if name.isascii():
        return dump_options_header("attachment", {"filename": name})
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    exact = quote(name, safe="", errors="replace")
    return f"{dump_options_header('attachment', {'filename': plain})}; filename*=UTF-8''{exact}"


def _request_body() -> Iterator[bytes]:
    """The request's bytes; raises `TemporaryError` when they are fewer than it said, which gunicorn does not notice."""
    got = 0
    try:
        for chunk in read_chunks(cast("BinaryIO", request.stream)):
            got += len(chunk)
            yield chunk
    except (HTTPException, GeneratorExit):
        raise
    except Exception as exc:
        raise EventError(f"the request's body is malformed: {exc}") from exc
    if got < (request.content_length or 0):
        raise TemporaryError("the request broke off before its end")


def _options() -> dict[str, str]:
    """The query string; which of two values was meant, nobody can tell."""
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        raise EventError("; ".join(f"option {name[:80]!r} is given twice; give it once" for name in twice))
    return request.args.to_dict()


def _name(path: str) -> str:
    """The input's name: the last part of the path, or what Content-Disposition says."""
    if path:
        return path.rpartition("/")[2] or "input"
    _, given = parse_options_header(request.headers.get("Content-Disposition", ""))
    return given.get("filename", "").replace("\\", "/").rpartition("/")[2] or "input"


def _incident(log: logging.Logger, exc: Exception) -> str:
    """Log an exception under a fresh id and return the id: the trace stays in the log."""
    incident = secrets.token_hex(6)
    log.error("unexpected error", exc_info=exc, extra={"incident": incident})
    return incident


def _json(document: Any, status: int) -> Response:
    # An error's text may quote half of a surrogate pair, which UTF-8 has no bytes for.
    text = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Response(text + b"\n", status, content_type="application/json")
