"""What the bridge answers, in OpenAPI: `GET /_/openapi.json`. A test holds it to the routes of the application."""

from typing import Any, Final

from penstock import __version__
from penstock.process.openapi import JSON, PATH, TEXT, Operation, description

_TAKEN: Final = dict.fromkeys((202, 400, 401, 413, 503), TEXT)
# These are there where CONSOLE_TOKEN is set.
_ASKED: Final = {200: JSON, 400: TEXT, 401: TEXT, 413: TEXT, 503: TEXT}
_IDS: Final = {
    "type": "object",
    "required": ["ids"],
    "properties": {"ids": {"type": "array", "items": {"type": "integer"}}},
}
_UNDO: Final = {"type": "object", "required": ["undo"], "properties": {"undo": {"type": "string", "minLength": 1}}}
CONSOLE_OPERATIONS: Final = (
    Operation("GET", "/inbox", "what is pending, dead and waits for its next attempt", _ASKED),
    Operation("GET", "/inbox/attempts", "the last attempts", _ASKED, query=("after",)),
    Operation("GET", "/inbox/dead-letters", "dead letters without their bodies", _ASKED, query=("after",)),
    Operation("POST", "/inbox/replay", "deliver dead letters again", _ASKED, takes=JSON, body=_IDS),
    Operation("POST", "/inbox/drop", "forget dead letters", _ASKED, takes=JSON, body=_IDS),
    Operation("POST", "/inbox/restore", "bring dropped ones back", _ASKED, takes=JSON, body=_UNDO),
)
OPERATIONS: Final = (
    Operation("POST", "/", "store a notification of MinIO, and deliver it afterwards", _TAKEN, takes=JSON),
    Operation("POST", "/dead-letters", "keep an event that a Broker gave up", _TAKEN, takes=JSON),
    Operation("POST", "/dead-letters/{token}", "the same, where a token is set", _TAKEN, takes=JSON),
    Operation("GET", "/_/health", "whether the process works", {200: TEXT}),
    Operation("GET", "/_/ready", "whether events are delivered", {200: TEXT, 503: TEXT}),
    Operation("GET", "/metrics", "figures for Prometheus", {200: TEXT}),
    Operation("GET", PATH, "this description", {200: JSON}),
)


def bridge_description(*, with_console: bool) -> dict[str, Any]:
    """The whole document; what a console may ask stands in it where CONSOLE_TOKEN is set."""
    console = CONSOLE_OPERATIONS if with_console else ()
    guarded = ("/", *(each.path for each in console))
    return description("Penstock bridge", __version__, (*OPERATIONS, *console), bearer=guarded)
