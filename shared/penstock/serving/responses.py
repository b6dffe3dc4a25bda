"""Responses: the outcomes of objects, the result of a direct call, and errors, each as HTTP."""

import json
import logging
import math
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.http import dump_options_header

from penstock.errors import InputTooLarge, NothingToDo, PenstockError, TemporaryError, Unauthorized, is_full
from penstock.process.deadline import BoundedChunks
from penstock.runtime.answers import (
    Failure,
    failure_document,
    notes_header,
    outcome_document,
    outcome_event,
    overall_status,
)
from penstock.runtime.outcome import Outcome
from penstock.store.headers import check_headers
from penstock.streams import as_chunks, close_quietly, read_chunks, spool
from penstock.types import ObjectRef, Result

_CONTROL = r"[\x00-\x1f\x7f]"
_MOST_SHOWN = 200
_log = logging.getLogger("penstock.app")


def json_response(document: Any, status: int) -> Response:
    """A document as JSON with a line's end."""
    # An error's text may quote half of a surrogate pair, which UTF-8 has no bytes for.
    text = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Response(text + b"\n", status, content_type="application/json")


def results_response(results: Sequence[Outcome | Failure], function: str, *, as_cloudevent: bool) -> Response:
    """The answer to a request with events: one document, or `results` with one for each object.

    `as_cloudevent` makes the answer a CloudEvent where one object ended well. Knative's broker takes it as a new event.
    Any other good answer is then empty: the broker takes text that is no CloudEvent for a failure, and sends the event
    again (eventing, pkg/broker/filter/filter_handler.go).
    """
    status = overall_status(results)
    ended = results[0] if len(results) == 1 and status == 200 and isinstance(results[0], Outcome) else None
    if status == 204 or (as_cloudevent and status < 300 and ended is None):
        return Response(status=status)
    documents = [
        failure_document(result) if isinstance(result, Failure) else outcome_document(result, function)
        for result in results
    ]
    response = json_response(documents[0] if len(documents) == 1 else {"results": documents}, status)
    delays = [result.retry_after for result in results if isinstance(result, Failure)]
    set_retry_after(response, max((delay for delay in delays if delay is not None), default=None))
    if as_cloudevent and ended is not None:
        for name, value in outcome_event(ended, function, b"").http_headers().items():
            response.headers[name] = value
    return response


def result_response(result: Result, name: str) -> Response:
    """The result of a direct call, with its length: a failure after the first chunk of a stream would not be seen."""
    response = whole_response(result, name)
    if result.name:
        response.headers["Content-Disposition"] = content_disposition(result.name)
    return response


def whole_response(result: Result, name: str) -> Response:
    """The bytes of a result, made to their end, with their type, their length and the notes."""
    try:
        check_headers(name, result.content_type, {})
        file = spool(BoundedChunks(as_chunks(result.body), name))
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
    return response


def failure_response(failure: Failure) -> Response:
    """The answer to a request that failed as a whole."""
    response = json_response(failure_document(failure), failure.status)
    set_retry_after(response, failure.retry_after)
    return response


def failure_of(error: Exception, ref: ObjectRef | None = None) -> Failure:
    """What an error means to the caller. The trace of an unexpected one goes to the log only, under an incident id."""
    if isinstance(error, PenstockError):
        return Failure(ref, error)
    if (full := _full_disk(error)) is not None:
        _log.warning("%s", full, extra={"error": type(full).__name__})
        return Failure(ref, full)
    incident = secrets.token_hex(6)
    _log.error("unexpected error", exc_info=error, extra={"incident": incident})
    return Failure(ref, None, incident)


def register_error_handlers(app: Flask, body_limit: Callable[[], int]) -> None:
    """Answer every error of `app` in JSON; `body_limit()` is the limit in bytes of the present request's body."""

    def nothing_to_do(exc: NothingToDo) -> Response:
        return json_response({"outcome": "refused", "error": "NothingToDo", "reason": str(exc)}, 200)

    def failed(exc: PenstockError) -> Response:
        _log.warning("%s", exc, extra={"error": type(exc).__name__})
        response = failure_response(Failure(None, exc))
        if isinstance(exc, Unauthorized):
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def too_large(_exc: RequestEntityTooLarge) -> Response:
        return failure_response(Failure(None, InputTooLarge(f"the request is larger than {body_limit()} bytes")))

    def broken_off(_exc: ClientDisconnected) -> Response:
        # A proxy in between may still be there, and a 400 would tell it never to come back.
        return failed(TemporaryError("the request broke off before its end"))

    def refused(exc: HTTPException) -> Response:
        status, reason = exc.code or 500, exc.description
        if isinstance(exc, MethodNotAllowed):
            what = f"{request.method} {request.path[:_MOST_SHOWN]}"
            reason = f"{what}: is not served; POST a file to /NAME, or an event to /event"
        response = json_response({"outcome": "failed", "status": status, "error": exc.name, "reason": reason}, status)
        if isinstance(exc, MethodNotAllowed) and exc.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(exc.valid_methods))  # RFC 9110 asks for it
        return response

    def crashed(exc: Exception) -> Response:
        return failure_response(failure_of(exc))

    handlers: list[tuple[type[Exception], Callable[[Any], Response]]] = [
        (NothingToDo, nothing_to_do),
        (PenstockError, failed),
        (RequestEntityTooLarge, too_large),
        (ClientDisconnected, broken_off),
        (HTTPException, refused),
        (Exception, crashed),
    ]
    for kind, handler in handlers:
        app.register_error_handler(kind, handler)


_MORE_SPACE = (
    "give the pod a larger volume there (emptyDir's sizeLimit, ephemeral-storage), lower THREADS, or hand large "
    "objects to a Job (OFFLOAD_ABOVE_BYTES)"
)


def _full_disk(error: BaseException) -> TemporaryError | None:
    """The error to answer when no space is left on a disk. Libraries may have raised another one over it."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if is_full(cause):
            where = cause.filename or tempfile.tempdir or "its folder for temporary files"
            return TemporaryError(f"no space is left on the disk at {where}: {_MORE_SPACE}")
        # What tempfile raises where every folder that it tries is full or read-only.
        if isinstance(cause, FileNotFoundError) and str(cause.strerror).startswith("No usable temporary directory"):
            return TemporaryError(f"temporary files have no place, because {cause.strerror}: {_MORE_SPACE}")
        cause = cause.__cause__ or cause.__context__
    return None


def set_retry_after(response: Response, seconds: float | None) -> None:
    """Tell the caller to wait, in whole seconds and at least one; None, NaN and infinity leave it to the caller."""
    if seconds is not None and math.isfinite(seconds):
        response.headers["Retry-After"] = str(max(1, round(seconds)))


def content_disposition(name: str, kind: str = "attachment") -> str:
    """A file's name as RFC 6266 has it, for any name: a header that is not Latin-1 cannot be sent."""
    name = re.sub(_CONTROL, "_", name)
    if name.isascii():
        return dump_options_header(kind, {"filename": name})
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    exact = quote(name, safe="", errors="replace")
    return f"{dump_options_header(kind, {'filename': plain})}; filename*=UTF-8''{exact}"
