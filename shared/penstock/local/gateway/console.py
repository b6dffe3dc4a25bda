"""The console page and the small JSON API behind it, under /ui/."""

import itertools
import json
import mimetypes
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

from flask import Blueprint, Response, request

from penstock.delivery.dead_letters import DeadLetter
from penstock.delivery.inbox import Inbox
from penstock.errors import EventError, TemporaryError
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.invocations import Invocation, InvocationLog
from penstock.local.gateway.router import Router
from penstock.serving.responses import content_disposition
from penstock.settings.config import RESERVED_PREFIX
from penstock.store import Store
from penstock.streams import CHUNK_BYTES, close_quietly
from penstock.types import ObjectRef, ObjectState

_SHOWN_INVOCATIONS: Final = 60
_SHOWN_OBJECTS: Final = 100
_LOOKED_AT: Final = 1000


def make_console(
    functions: LocalFunctions, invocations: InvocationLog, inbox: Inbox, router: Router, store: Store
) -> Blueprint:
    """The routes under /ui; errors are left to the application."""
    ui = Blueprint("ui", __name__, url_prefix="/ui")
    page = files("penstock.local.gateway").joinpath("console.html").read_bytes()

    @ui.get("/")
    def show() -> Response:
        # Everything the page needs is in it, so nothing else may be loaded or run.
        policy = (
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
            "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return Response(page, headers=headers, content_type="text/html; charset=utf-8")

    @ui.get("/state")
    def state() -> Response:
        counts = inbox.counts()
        return _json(
            {
                "functions": [
                    {
                        "name": function.spec.name,
                        "replicas": function.replicas,
                        "starting": function.starting,
                        "in_flight": function.in_flight,
                        "invocations": function.invocations,
                        "zero_after_seconds": function.zero_after_seconds,
                        "sources": [str(rule) for rule in route.config.sources] if route else [],
                        "sink": route.config.sink if route else "",
                    }
                    for function in functions
                    for route in [next((r for r in router.routes if r.name == function.spec.name), None)]
                ],
                "invocations": [_invocation(entry) for entry in invocations.recent(_SHOWN_INVOCATIONS)],
                "pending": counts.pending,
                "dead": counts.dead,
                "dead_letters": [_dead_letter(letter) for letter in inbox.dead_letters(limit=50)],
                "buckets": router.buckets(),
                "searchable": [r.name for r in router.routes if r.address is not None and r.address.is_searchable],
            }
        )

    @ui.post("/replay")
    def replay() -> Response:
        return _json({"replayed": inbox.replay(_ids())})

    @ui.post("/drop")
    def drop() -> Response:
        return _json({"dropped": inbox.drop(_ids())})

    @ui.get("/objects")
    def list_objects() -> Response:
        bucket = request.args.get("bucket", "")
        seen = list(itertools.islice(store.list(bucket), _LOOKED_AT + 1))
        states = [found for found in seen[:_LOOKED_AT] if not found.ref.key.startswith(".penstock/")]
        states.sort(key=lambda found: found.last_modified.timestamp() if found.last_modified else 0.0, reverse=True)
        return _json({"objects": [_object(found) for found in states[:_SHOWN_OBJECTS]], "more": len(seen) > _LOOKED_AT})

    @ui.get("/object")
    def download() -> Response:
        ref = _ref()
        found = store.open(ref)
        if found is None:
            return Response(f"{ref}: no such object\n", 404, content_type="text/plain; charset=utf-8")
        state, chunks = found
        name = ref.key.rpartition("/")[2] or "object"
        headers = {
            "Content-Length": str(state.size),
            # An object may hold anything, a page with scripts too: it is shown without any rights.
            "Content-Security-Policy": "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": content_disposition(name, "inline" if "show" in request.args else "attachment"),
        }
        response = Response(iter(chunks), headers=headers, content_type=state.content_type)
        response.call_on_close(lambda: close_quietly(chunks))
        return response

    @ui.put("/object")
    def upload() -> Response:
        ref = _ref()
        if ref.key.startswith(RESERVED_PREFIX):
            raise EventError(f"{ref.key}: what lies under {RESERVED_PREFIX} is Penstock's own; choose another name")
        if ref.bucket not in router.buckets():
            raise EventError(f"bucket {ref.bucket!r}: expected one of {', '.join(router.buckets())}")
        content_type = request.headers.get("Content-Type") or mimetypes.guess_type(ref.key)[0]
        stored = store.put(ref, _pieces(), content_type=content_type or "application/octet-stream", metadata={})
        return _json({"bucket": ref.bucket, "key": ref.key, "size": stored.size})

    return ui


def _invocation(entry: Invocation) -> dict[str, Any]:
    answer = entry.answer or {}
    source = answer.get("source") or {}
    targets = answer.get("targets") or []
    return {
        "function": entry.function,
        "object": f"{source['bucket']}/{source['key']}" if source else f"{entry.method} {entry.path}",
        "outcome": answer.get("outcome", ""),
        "reason": answer.get("reason", ""),
        "notes": [*dict.fromkeys([*(note for target in targets for note in target.get("notes", ())), *entry.notes])],
        "status": entry.status,
        "cold": entry.cold,
        "milliseconds": round(entry.seconds * 1000, 1),
        "bytes_in": source.get("size", entry.bytes_in),
        "bytes_out": sum(target.get("size", 0) for target in targets) if answer else entry.bytes_out,
        "finished": entry.finished,
    }


def _dead_letter(letter: DeadLetter) -> dict[str, Any]:
    try:
        said = json.loads(letter.data)  # what the function answered says more than its status
    except ValueError:
        said = None
    reason = said.get("reason") if isinstance(said, dict) else None
    return {
        "id": int(letter.id),
        "function": letter.message.target,
        "origin": letter.message.origin,
        "code": letter.code,
        "reason": f"{letter.reason}: {reason}" if reason else letter.reason,
        "died": letter.died,
    }


def _object(state: ObjectState) -> dict[str, Any]:
    modified = state.last_modified.timestamp() if state.last_modified else None
    return {"bucket": state.ref.bucket, "key": state.ref.key, "size": state.size, "modified": modified}


def _ref() -> ObjectRef:
    bucket, key = request.args.get("bucket", ""), request.args.get("key", "")
    if not bucket or not key:
        raise EventError("expected ?bucket=...&key=...")
    return ObjectRef(bucket, key)


def _ids() -> list[str]:
    found = request.get_json(force=True, silent=True)
    ids = found.get("ids") if isinstance(found, Mapping) else None
    if not isinstance(ids, list) or not all(type(number) is int for number in ids):
        raise EventError('expected {"ids": [1, 2]}')
    return [str(number) for number in ids]


def _pieces() -> Iterator[bytes]:
    expected, seen = request.content_length, 0
    while chunk := request.stream.read(CHUNK_BYTES):
        seen += len(chunk)
        yield chunk
    if expected is not None and seen != expected:
        raise TemporaryError(f"the upload broke off after {seen} of {expected} bytes")


def _json(document: Any) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(json.dumps(document, ensure_ascii=False), headers=headers, content_type="application/json")
