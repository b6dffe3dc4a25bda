"""A server's description in OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html), made from a list of operations."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

PATH: Final = "/_/openapi.json"
JSON: Final = "application/json"
TEXT: Final = "text/plain"
HTML: Final = "text/html"
ANYTHING: Final = "*/*"
# Stands for every status that is not named, as OpenAPI's `default`.
ANY_STATUS: Final = 0


class Operation(NamedTuple):
    """What one method of one path does.

    `path` has its variable parts in braces, and `query` the names of what may follow its question mark. `takes` and
    `answers` are media types: of the body, "" for none, and of the answer by its status. An answer with the media type
    "" has no body. `body` is the schema of a body in JSON, where there is one.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    summary: str
    answers: Mapping[int, str]
    takes: str = ""
    query: Sequence[str] = ()
    schemas: Mapping[int, str] = MappingProxyType({})
    body: Mapping[str, Any] = MappingProxyType({})


# The schemas that the answers of functions follow, by name.
SCHEMAS: Final[Mapping[str, Any]] = {
    "Failure": {
        "type": "object",
        "anyOf": [{"required": ["outcome", "error", "reason"]}, {"required": ["results"]}],
        "properties": {
            "outcome": {"type": "string"},
            "status": {"type": "integer"},
            "error": {"type": "string", "description": "the class of the error"},
            "reason": {"type": "string"},
            "incident": {"type": "string", "description": "under which the log has an unexpected error"},
            "results": {"type": "array", "items": {"type": "object"}, "description": "one for each record"},
        },
        # What only an unexpected error has, and always has.
        "if": {"properties": {"error": {"const": "InternalError"}}, "required": ["error"]},
        "then": {"required": ["incident"]},
    },
    "Outcome": {
        "type": "object",
        "anyOf": [{"required": ["outcome"]}, {"required": ["results"]}],
        "properties": {"outcome": {"type": "string"}, "results": {"type": "array", "items": {"type": "object"}}},
    },
}


def description(
    title: str,
    version: str,
    operations: Iterable[Operation],
    *,
    bearer: Collection[str] = (),
    basic: Collection[str] = (),
) -> dict[str, Any]:
    """The whole document; the paths of `bearer` want a token where one is set, those of `basic` a password."""
    paths: dict[str, Any] = {}
    for each in operations:
        guards = [name for name, guarded in (("token", bearer), ("password", basic)) if each.path in guarded]
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, guards)
    schemes = {"token": {"type": "http", "scheme": "bearer"}}
    if basic:
        schemes["password"] = {"type": "http", "scheme": "basic"}
    return {
        "openapi": "3.1.1",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": schemes,
        },
    }


def _operation(each: Operation, guards: Sequence[str]) -> dict[str, Any]:
    made: dict[str, Any] = {"summary": each.summary, "responses": {}}
    names = [part[1:-1] for part in each.path.split("/") if part.startswith("{")]
    if names:
        made["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in names
        ]
    for name in each.query:
        made.setdefault("parameters", []).append(
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
        )
    if each.takes:
        schema: dict[str, Any] = dict(each.body) if each.takes == JSON else {"type": "string"}
        made["requestBody"] = {"required": False, "content": {each.takes: {"schema": schema}}}
    if guards:
        # The empty one: it is asked for only where the deployment has a token or a password.
        made["security"] = [*({name: []} for name in guards), {}]
    for status, media_type in sorted(each.answers.items()):
        answer: dict[str, Any] = {"description": str(status or "every other status")}
        if media_type:
            name = each.schemas.get(status, "Failure" if status >= 400 and media_type == JSON else "")
            answer["content"] = {media_type: {"schema": {"$ref": f"#/components/schemas/{name}"} if name else {}}}
        made["responses"][str(status or "default")] = answer
    return made
