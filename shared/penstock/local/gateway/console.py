"""The console page and the small JSON API behind it, under /ui/."""

import itertools
import json
from typing import Any, Final

from flask import Blueprint, Response

from penstock.delivery.attempts import Attempts, NextAttempt
from penstock.delivery.inbox import Inbox
from penstock.local.console.embedded import EmbeddedSource
from penstock.local.console.feed import Feed
from penstock.local.console.object_page import letter_document
from penstock.local.console.page import add_page
from penstock.local.console.views import add_views
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.invocations import Invocation, InvocationLog
from penstock.local.gateway.router import Router
from penstock.settings.config import rule_texts
from penstock.store import Store

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

    def overview() -> str:
        """The state without what the views read page by page."""
        now = state().get_json()
        told = {name: now[name] for name in now if name not in ("invocations", "dead_letters")}
        return json.dumps(told | {"writes": True, "notes": {}, "queues": []})

    source = EmbeddedSource(functions, invocations, inbox, router, store, crashes, attempts, overview)
    add_views(ui, source, Feed(overview))
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


def _json(document: Any) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(json.dumps(document, ensure_ascii=False), headers=headers, content_type="application/json")
