"""What the bridge answers, in OpenAPI: `GET /_/openapi.json`. A test holds it to the routes of the application."""

from typing import Any, Final

from penstock import __version__
from penstock.process.openapi import JSON, PATH, TEXT, Operation, description

_TAKEN: Final = dict.fromkeys((202, 401, 413, 503), TEXT)
OPERATIONS: Final = (
    Operation("POST", "/", "store a notification of MinIO, and deliver it afterwards", _TAKEN, takes=JSON),
    Operation("POST", "/dead-letters", "keep an event that a Broker gave up", _TAKEN, takes=JSON),
    Operation("POST", "/dead-letters/{token}", "the same, where a token is set", _TAKEN, takes=JSON),
    Operation("GET", "/_/health", "whether the process works", {200: TEXT}),
    Operation("GET", "/_/ready", "whether events are delivered", {200: TEXT, 503: TEXT}),
    Operation("GET", "/metrics", "figures for Prometheus", {200: TEXT}),
    Operation("GET", PATH, "this description", {200: JSON}),
)


def bridge_description() -> dict[str, Any]:
    """The whole document."""
    return description("Penstock bridge", __version__, OPERATIONS, bearer=("/",))
