"""`POST /lambda`: MinIO's Object Lambda. A reader asks the store, and the store asks the function for the answer.

The store sends a URL that it signed for the reader, so the reader's own rights decide what is read. The answer names
the store's route and token. What the reader is to see stands in headers that begin with `x-amz-fwd-`. Source:
`cmd/object-lambda-handlers.go` and `docs/lambda` of MinIO.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from flask import Response, g
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from penstock.errors import (
    EventError,
    Forbidden,
    HandlerError,
    InputTooLarge,
    NothingToDo,
    PermanentError,
    TemporaryError,
    UnsupportedInput,
)
from penstock.handler.options import check_open
from penstock.runtime.reading import check_readable
from penstock.runtime.runtime import Runtime
from penstock.serving.conditions import conditions_of
from penstock.serving.reading import read_response
from penstock.serving.requests import MAX_CALL_BYTES, body_chunks, limit_body
from penstock.serving.responses import failure_of, set_retry_after
from penstock.store.presigned import PresignedObjects
from penstock.store.whole_answers import StoreRefusal
from penstock.types import ObjectRef

OPTION_PREFIX: Final = "x-penstock-"

_FORWARDED: Final = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Cache-Control",
    "Accept-Ranges",
    "ETag",
    "Retry-After",
    "x-penstock-notes",
)
# The first that fits: the codes are S3's where it has one.
_CODES: Final[tuple[tuple[type[Exception], int, str], ...]] = (
    (NothingToDo, HTTPStatus.UNPROCESSABLE_ENTITY, "NothingToDo"),
    (RequestedRangeNotSatisfiable, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange"),
    (EventError, HTTPStatus.BAD_REQUEST, "InvalidArgument"),
    (Forbidden, HTTPStatus.FORBIDDEN, "AccessDenied"),
    (InputTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "EntityTooLarge"),
    (UnsupportedInput, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType"),
    (PermanentError, HTTPStatus.UNPROCESSABLE_ENTITY, "UnprocessableObject"),
    (TemporaryError, HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown"),
    (HandlerError, HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError"),
)
_PRINTABLE: Final = r"[!-~]{1,1024}"
_MAX_MESSAGE_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class LambdaCall:
    """What the store sends: the presigned URL, what the answer must name, and the reader's own request."""

    # They open the object, or let their holder answer the reader, so they are in no repr.
    input_url: str = field(repr=False)
    route: str
    token: str = field(repr=False)
    user_url: str = field(repr=False)
    user_headers: Mapping[str, str] = field(repr=False)

    def options(self) -> dict[str, str]:
        """The options in the query of the reader's request, as `x-penstock-width=200`; raises `EventError`."""
        found: dict[str, str] = {}
        try:
            pairs = parse_qsl(urlsplit(self.user_url).query, keep_blank_values=True)
        except ValueError as exc:
            raise EventError(f"userRequest.url: is not a URL: {exc}") from exc
        for name, value in pairs:
            if name.startswith(OPTION_PREFIX):
                option = name.removeprefix(OPTION_PREFIX).replace("-", "_")
                if option in found:
                    raise EventError(f"{name[:80]}: is given twice; give it once")
                found[option] = value
        return found


def read_call(data: bytes) -> LambdaCall:
    """Read the JSON of one call; raises `EventError` for anything else."""
    try:
        document = json.loads(data)
        context, user = document["getObjectContext"], document.get("userRequest") or {}
        given = context["inputS3Url"], context["outputRoute"], context["outputToken"], user.get("url", "")
        headers = user.get("headers") or {}
        # Go writes a list of values for each name.
        flat = {name: ", ".join(value) if isinstance(value, list) else value for name, value in headers.items()}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
        raise EventError("not a call of MinIO's Object Lambda: expected JSON with getObjectContext") from exc
    if not all(isinstance(text, str) for text in (*given, *flat.values())):
        raise EventError("not a call of MinIO's Object Lambda: expected text in its fields")
    if not (re.fullmatch(_PRINTABLE, given[1]) and re.fullmatch(_PRINTABLE, given[2])):
        raise EventError("getObjectContext: outputRoute and outputToken must be words of printable ASCII")
    return LambdaCall(*given, flat)


class LambdaRoute:
    """The route `/lambda` of one function."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._log = logging.getLogger("penstock.app")

    @cached_property
    def _objects(self) -> PresignedObjects:
        """Made by the first call, which comes after the fork."""
        config = self._runtime.config
        if config.store is None:
            raise Forbidden(f"{config.function} takes no reads: set SOURCE and MINIO_ENDPOINT")
        if not config.deadline_seconds:  # 0: no deadline
            return PresignedObjects(config.store, config.store_urls)
        return PresignedObjects(config.store, config.store_urls, request_seconds=config.deadline_seconds)

    def answer(self) -> Response:
        """Answer one call. Only a call that names no route fails in the way of the other paths."""
        g.mode = "lambda"
        if not self._runtime.config.object_lambda:
            raise Forbidden(f"{self._runtime.config.function}: Object Lambda is switched off (LAMBDA=off)")
        limit_body(MAX_CALL_BYTES, "call", f"at most {MAX_CALL_BYTES}")
        call = read_call(b"".join(body_chunks()))
        ref: ObjectRef | None = None
        try:
            signed = self._objects.read(call.input_url)
            ref = signed.ref
            check_readable(self._runtime, ref)
            options = call.options()
            check_open({name: text for name, text in options.items() if name != "rendition"}, self._open)
            opened = self._objects.open(signed)
            environ = conditions_of(call.user_headers)
            response = read_response(self._runtime, opened, options, environ, is_present=not signed.has_version)
            if response.status_code == HTTPStatus.PRECONDITION_FAILED:
                response = _error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", "If-Match does not hold")
        except StoreRefusal as exc:
            response = _error(exc.status, exc.code, exc.message)
        except Exception as exc:  # noqa: BLE001 - the reader gets an S3 error for each
            response = self._failed(ref, exc)
        self._log.info("%s: read", ref, extra={"outcome": "read", "status": response.status_code})
        return _forwarded(response, call)

    @property
    def _open(self) -> Mapping[str, float | None]:
        return self._runtime.config.open_options

    def _failed(self, ref: ObjectRef | None, error: Exception) -> Response:
        for kind, status, code in _CODES:
            if isinstance(error, kind):
                self._log.warning("%s", error, extra={"error": type(error).__name__})
                text = error.description if isinstance(error, RequestedRangeNotSatisfiable) else str(error)
                response = _error(status, code, text or "")
                if isinstance(error, TemporaryError):
                    set_retry_after(response, error.retry_after)
                return response
        failure = failure_of(error, ref)
        if failure.error is not None:  # a full disk
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "SlowDown", str(failure.error))
        message = f"unexpected error; the function's log has it under incident {failure.incident}"
        return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message)


def _error(status: int, code: str, message: str) -> Response:
    """An S3 error. A header holds one line of ASCII."""
    text = " ".join(message.split())[:_MAX_MESSAGE_CHARS].encode("ascii", "replace").decode()
    plain = "".join(char if char.isprintable() else "?" for char in text)
    # An answer without an error in it, such as a redirect, is no success for a reader.
    response = Response(status=status if status >= HTTPStatus.BAD_REQUEST else HTTPStatus.BAD_GATEWAY)
    response.headers.remove("Content-Type")
    response.headers["x-amz-fwd-error-code"] = re.sub(r"[^A-Za-z0-9]", "", code) or "InternalError"
    response.headers["x-amz-fwd-error-message"] = plain or "the object cannot be read"
    return response


def _forwarded(response: Response, call: LambdaCall) -> Response:
    """The same answer with the headers that MinIO passes on, and those by which it knows its own call."""
    told: dict[str, Any] = {name: response.headers[name] for name in _FORWARDED if name in response.headers}
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        told.pop("Content-Length", None)  # the store writes a document of its own
    for name, value in told.items():
        response.headers[f"x-amz-fwd-header-{name}"] = value
    response.headers["x-amz-fwd-status"] = str(response.status_code)
    response.headers["x-amz-request-route"] = call.route
    response.headers["x-amz-request-token"] = call.token
    return response
