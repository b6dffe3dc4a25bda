"""What a function answers, in OpenAPI: `GET /_/openapi.json`. A test compares it with the routes."""

from typing import Any, Final

from penstock import __version__
from penstock.process.openapi import ANYTHING, JSON, PATH, TEXT, Operation, description

# Every error is answered in JSON; which one can come is said by the classes in penstock.errors.
_ERRORS: Final = dict.fromkeys((400, 401, 403, 404, 405, 408, 413, 415, 422, 500, 503), JSON)
_OUTCOMES: Final = {200: "Outcome", 202: "Outcome"}
OPERATIONS: Final = (
    Operation(
        "POST",
        "/event",
        "make the targets of the objects that an event names agree with them",
        {200: JSON, 202: JSON, 204: "", **_ERRORS},
        takes=JSON,
        schemas=_OUTCOMES,
    ),
    Operation(
        "POST",
        "/",
        "an event by its headers, else transform the body and answer with the result",
        {200: ANYTHING, 202: JSON, 204: "", **_ERRORS},
        takes=ANYTHING,
    ),
    Operation(
        "POST",
        "/{path}",
        "the same; the last part of the path is the name of the input",
        {200: ANYTHING, 202: JSON, 204: "", **_ERRORS},
        takes=ANYTHING,
    ),
    # 501: an index that cannot search by words.
    Operation(
        "GET",
        "/",
        "the function's own search",
        {200: JSON, **_ERRORS, 501: JSON},
        query=("q",),
        schemas={404: ""},
    ),
    Operation(
        "GET",
        "/status",
        "whether the targets of one object are ready",
        {200: JSON, **_ERRORS},
        query=("bucket", "key"),
    ),
    # The answer has the handler's result, or an S3 error in headers and no body.
    Operation(
        "POST",
        "/lambda",
        "answer a reader of the object store: MinIO's Object Lambda",
        {200: ANYTHING, 206: ANYTHING, 304: "", **dict.fromkeys((*_ERRORS, 409, 412, 416, 502), ANYTHING)},
        takes=JSON,
    ),
    Operation("GET", "/_/health", "whether the process works", {200: TEXT}),
    Operation("GET", "/_/ready", "whether the function can work now", {200: TEXT, 503: TEXT}),
    Operation("GET", "/metrics", "figures for Prometheus", {200: TEXT}),
    Operation("GET", PATH, "this description", {200: JSON, 401: JSON}),
)
# There where SIGNED_URL_KEY is set. A signature opens it, so it wants no token.
READ: Final = Operation(
    "GET",
    "/read/{path}",
    "an object through the handler, by a signed URL",
    {
        **dict.fromkeys((200, 206), ANYTHING),
        **dict.fromkeys((304, 412), ""),
        **dict.fromkeys((400, 403, 404, 413, 415, 416, 422, 500, 503), JSON),
    },
    query=("expires", "signature", "rendition"),
    schemas={404: "", 416: ""},
)


def function_description(name: str, *, reads: bool) -> dict[str, Any]:
    """The document of the function of this name; `reads` says whether signed URLs open objects."""
    return description(
        f"Penstock function {name}",
        __version__,
        (*OPERATIONS, READ) if reads else OPERATIONS,
        bearer=("/event", "/", "/{path}", "/status", "/lambda", PATH),
    )
