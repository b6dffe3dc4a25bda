"""The console page and the small JSON API behind it, under /ui/."""

import itertools
import json
import mimetypes
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flask import Blueprint, Response, request

from penstock.delivery.inbox import Inbox
from penstock.errors import EventError, TemporaryError
from penstock.local.console.object_page import letter_document
from penstock.local.console.page import add_page
from penstock.local.console.views import Watched, add_views
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.attempts import Attempts, NextAttempt
from penstock.local.gateway.invocations import Invocation, InvocationLog
from penstock.local.gateway.router import Router
from penstock.serving.responses import content_disposition
from penstock.settings.config import RESERVED_PREFIX, rule_texts
from penstock.store import Store
from penstock.streams import CHUNK_BYTES, close_quietly
from penstock.types import ObjectRef

_SHOWN_INVOCATIONS: Final = 60


def make_console(
    functions: LocalFunctions,
    invocations: InvocationLog,
    inbox: Inbox,
    router: Router,
    store: Store,
    crashes: CrashLog,
    attempts: Attempts,
) -> Blueprint:
    """The routes under /ui; errors are left to the application."""
    ui = Blueprint("ui", __name__, url_prefix="/ui")
    add_page(ui)

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
                        "sources": rule_texts(route.config.sources) if route else [],
                        "sink": route.config.sink if route else "",
                    }
                    for function in functions
                    for route in [next((r for r in router.routes if r.name == function.spec.name), None)]
                ],
                "invocations": [
                    _invocation(entry, crashes)
                    for entry in itertools.islice(filter(_did_work, invocations.recent()), _SHOWN_INVOCATIONS)
                ],
                "pending": counts.pending,
                "dead": counts.dead,
                "dead_letters": [letter_document(letter, crashes) for letter in inbox.dead_letters(limit=50)],
                "waiting": [_waiting(each, crashes) for each in attempts.waiting()[:_SHOWN_INVOCATIONS]],
                "buckets": router.buckets(),
                "searchable": [r.name for r in router.routes if r.address is not None and r.address.is_searchable],
            }
        )

    @ui.post("/replay")
    def replay() -> Response:
        return _json({"replayed": inbox.replay(_ids())})

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

    @ui.get("/place")
    def place() -> Response:
        """Where an object of this key is taken: the bucket to choose, and what every function takes."""
        key = request.args.get("key", "")
        wants = [[route.name, " ".join(rule_texts(route.config.sources))] for route in router.routes]
        return _json({"bucket": router.place(key), "takers": router.takers(key), "wants": [w for w in wants if w[1]]})

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

    def overview() -> str:
        """The state without what the views read page by page."""
        now = state().get_json()
        return json.dumps({name: now[name] for name in now if name not in ("invocations", "dead_letters")})

    add_views(ui, Watched(functions, invocations, inbox, router, store, crashes, attempts, overview))
    return ui


def _invocation(entry: Invocation, crashes: CrashLog) -> dict[str, Any]:
    answer = entry.answer or {}
    source = answer.get("source") or {}
    targets = answer.get("targets") or []
    return {
        "function": entry.function,
        "object": f"{source['bucket']}/{source['key']}" if source else f"{entry.method} {entry.path}",
        "event": bool(source),
        "outcome": answer.get("outcome", ""),
        "reason": crashes.explained(entry.why),
        "notes": [*dict.fromkeys([*(note for target in targets for note in target.get("notes", ())), *entry.notes])],
        "status": entry.status,
        "cold": entry.cold,
        "milliseconds": round(entry.seconds * 1000, 1),
        # Of an event the size is its object's, which a failure does not know.
        "bytes_in": source.get("size") if entry.is_event else entry.bytes_in,
        "bytes_out": sum(target.get("size", 0) for target in targets) if entry.is_event else entry.bytes_out,
        "finished": entry.finished,
    }


def _did_work(entry: Invocation) -> bool:
    """A search is no work: it changes nothing."""
    return entry.method != "GET"


def _waiting(waiting: NextAttempt, crashes: CrashLog) -> dict[str, Any]:
    return {
        "function": waiting.function,
        "object": waiting.object,
        "attempt": waiting.attempt,
        "attempts": waiting.attempts,
        "at": waiting.at,
        "reason": crashes.explained(waiting.reason),
    }


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
