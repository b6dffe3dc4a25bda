"""What the local gateway answers, in OpenAPI: `GET /_/openapi.json`. A test holds it to the gateway's routes.

Paths and bodies are OpenFaaS's (openfaas/faas, api-docs/spec.openapi.yml), as far as faas-cli uses them, and the
console's own.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from penstock import __version__
from penstock.process.openapi import ANY_STATUS, ANYTHING, HTML, JSON, PATH, TEXT, Operation, description

_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_NAMES: Final = {"type": "array", "items": {"type": "string"}}
_NAME: Final = {"type": "string", "minLength": 1}


def _object(required: tuple[str, ...], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


_DEPLOYMENT: Final = _object(
    ("service",),
    service=_NAME,
    image={"type": "string"},
    namespace={"type": "string"},
    envVars=_TEXTS,
    labels=_TEXTS,
    annotations=_TEXTS,
    secrets=_NAMES,
    constraints=_NAMES,
    limits=_TEXTS,
    requests=_TEXTS,
    readOnlyRootFilesystem={"type": "boolean"},
)
_REMOVED: Final = _object(("functionName",), functionName=_NAME)
_REPLICAS: Final = _object(("replicas",), replicas={"type": "integer", "minimum": 0})
_SECRET: Final = _object(("name",), name=_NAME, value={"type": "string"}, namespace={"type": "string"})
_SECRET_NAME: Final = _object(("name",), name=_NAME, namespace={"type": "string"})
_NAMESPACE: Final = _object(("name",), name=_NAME)
_IDS: Final = _object(("ids",), ids={"type": "array", "items": {"type": "integer"}})
_OBJECT: Final = _object(("bucket", "key"), bucket=_NAME, key=_NAME)
_UNDO: Final = _object(("undo",), undo=_NAME)
_FILTERS: Final = ("limit", "before", "function", "outcome", "words")
_FOLDER: Final = ("bucket", "prefix", "words", "offset")

# Which request is refused with which status is said by the classes in penstock.errors. 403: another Host or Origin.
_REFUSED: Final = dict.fromkeys((400, 401, 403), TEXT)
_UNKNOWN: Final = {**_REFUSED, 404: TEXT}
_CHANGED: Final = {202: TEXT, **_UNKNOWN, 409: TEXT, 413: TEXT, 415: TEXT}
_FEED: Final = {200: "text/event-stream", **_REFUSED}
_STORE: Final = {**_UNKNOWN, 413: TEXT, 503: TEXT}

_CONSOLE: Final = (
    Operation("GET", "/ui/", "the console", {200: HTML, 303: HTML, **_REFUSED}, query=("password",)),
    Operation("GET", "/ui/state", "functions, calls, dead letters and buckets", {200: JSON, **_REFUSED}),
    Operation("POST", "/ui/replay", "deliver dead letters again", {200: JSON, **_REFUSED}, takes=JSON, body=_IDS),
    Operation("GET", "/ui/object", "one object", {200: ANYTHING, **_STORE}, query=("bucket", "key", "show")),
    Operation("PUT", "/ui/object", "store an object", {200: JSON, **_STORE}, takes=ANYTHING, query=("bucket", "key")),
    Operation("DELETE", "/ui/object", "delete an object", {200: JSON, **_STORE}, query=("bucket", "key")),
    Operation("GET", "/ui/files/{name}", "a file of the console's page", {200: ANYTHING, 304: "", **_UNKNOWN}),
    Operation("GET", "/ui/feed", "records as they come; it does not end", _FEED, query=("after",)),
    Operation("GET", "/ui/events", "records, newest first", {200: JSON, **_REFUSED}, query=_FILTERS),
    Operation("GET", "/ui/meter", "figures of the last minutes", {200: JSON, **_REFUSED}),
    Operation("GET", "/ui/flow", "buckets and functions as a drawing", {200: JSON, **_REFUSED}),
    Operation("GET", "/ui/place", "the bucket in which a key is taken", {200: JSON, **_REFUSED}, query=("key",)),
    Operation("GET", "/ui/folder", "one folder of a bucket", {200: JSON, **_STORE}, query=_FOLDER),
    Operation("GET", "/ui/preview", "the begin of an object", {200: JSON, **_STORE}, query=("bucket", "key")),
    Operation("GET", "/ui/about", "all that is known of an object", {200: JSON, **_STORE}, query=("bucket", "key")),
    Operation("POST", "/ui/rerun", "send an object again", {200: JSON, **_STORE}, takes=JSON, body=_OBJECT),
    Operation("GET", "/ui/dead", "dead letters", {200: JSON, **_REFUSED}, query=("after",)),
    Operation("POST", "/ui/dismiss", "forget dead letters for now", {200: JSON, **_REFUSED}, takes=JSON, body=_IDS),
    Operation("POST", "/ui/restore", "bring them back", {200: JSON, **_UNKNOWN}, takes=JSON, body=_UNDO),
    Operation("GET", "/ui/function", "one function and its options", {200: JSON, **_UNKNOWN}, query=("name",)),
)
_SYSTEM: Final = (
    Operation("GET", "/system/functions", "all functions", {200: JSON, **_REFUSED}, query=("namespace",)),
    Operation("POST", "/system/functions", "deploy a function", _CHANGED, takes=JSON, body=_DEPLOYMENT),
    Operation("PUT", "/system/functions", "deploy it again", _CHANGED, takes=JSON, body=_DEPLOYMENT),
    Operation("DELETE", "/system/functions", "remove a function", _CHANGED, takes=JSON, body=_REMOVED),
    Operation("GET", "/system/function/{name}", "one function", {200: JSON, **_UNKNOWN}, query=("usage",)),
    Operation("POST", "/system/scale-function/{name}", "start or stop it", _CHANGED, takes=JSON, body=_REPLICAS),
    Operation(
        "GET",
        "/system/logs",
        "the lines of a function's log, one JSON object a line; with follow=1 it does not end",
        {200: "application/x-ndjson", **_UNKNOWN},
        query=("name", "tail", "since", "instance", "follow"),
    ),
    Operation("GET", "/system/info", "what this gateway is", {200: JSON, **_REFUSED}),
    Operation("GET", "/system/namespaces", "all namespaces", {200: JSON, **_REFUSED}),
    Operation(
        "POST",
        "/system/namespace/",
        "refused: there is one namespace",
        {**_REFUSED, 409: TEXT, 501: TEXT},
        takes=JSON,
        body=_NAMESPACE,
    ),
    Operation("GET", "/system/namespace/{name}", "one namespace", {200: JSON, **_UNKNOWN}),
    Operation("PUT", "/system/namespace/{name}", "refused: it stays as it is", {**_UNKNOWN, 501: TEXT}),
    Operation("DELETE", "/system/namespace/{name}", "refused: it stays as it is", {**_UNKNOWN, 501: TEXT}),
    Operation("GET", "/system/secrets", "the names of all secrets", {200: JSON, **_REFUSED}, query=("namespace",)),
    Operation("POST", "/system/secrets", "make a secret", {**_CHANGED, 202: ""}, takes=JSON, body=_SECRET),
    Operation("PUT", "/system/secrets", "replace a secret", {**_CHANGED, 202: ""}, takes=JSON, body=_SECRET),
    Operation("DELETE", "/system/secrets", "remove a secret", {**_CHANGED, 202: ""}, takes=JSON, body=_SECRET_NAME),
)
_METHODS: Final[tuple[tuple[Literal["GET", "POST", "PUT", "DELETE"], str], ...]] = (
    ("GET", ""),
    ("POST", ANYTHING),
    ("PUT", ANYTHING),
    ("DELETE", ""),
)
_FUNCTIONS: Final = tuple(
    Operation(method, f"/function/{{name}}{rest}", "the function's own answer", {ANY_STATUS: ANYTHING}, takes=takes)
    for rest in ("", "/{path}")
    for method, takes in _METHODS
)
_LATER: Final = tuple(
    Operation(
        "POST",
        f"/async-function/{{name}}{rest}",
        "the same afterwards; the answer goes to X-Callback-Url",
        {202: "", 400: TEXT, 403: TEXT, 404: TEXT, 413: TEXT, 503: TEXT},
        takes=ANYTHING,
    )
    for rest in ("", "/{path}")
)
OPERATIONS: Final = (
    *_FUNCTIONS,
    *_LATER,
    Operation("POST", "/_/async", "carry out a stored call: the stack's own", {ANY_STATUS: ANYTHING}, takes=ANYTHING),
    Operation("POST", "/events", "store a notification of MinIO", {202: TEXT, **_REFUSED, 413: TEXT, 503: TEXT}, JSON),
    *_SYSTEM,
    *_CONSOLE,
    Operation("GET", "/", "to the console", {302: HTML}),
    Operation("GET", "/healthz", "whether the stack works", {200: TEXT, 503: TEXT}),
    Operation("GET", "/metrics", "figures for Prometheus", {200: TEXT}),
    Operation("GET", PATH, "this description", {200: JSON, **_REFUSED}),
)


def gateway_description() -> dict[str, Any]:
    """The whole document."""
    guarded = {each.path for each in (*_SYSTEM, *_CONSOLE)} | {PATH}
    return description("Penstock local gateway", __version__, OPERATIONS, bearer=("/events",), basic=guarded)
