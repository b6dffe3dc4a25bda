"""The console page and the small JSON API behind it, under /ui/."""

import itertools
from typing import Any, Final

from flask import Blueprint, Response

from penstock.delivery.attempts import Attempts
from penstock.delivery.inbox import Inbox
from penstock.local.console.embedded import EmbeddedSource
from penstock.local.console.page import add_page
from penstock.local.console.views import add_views, answer
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.invocations import Invocation, InvocationLog
from penstock.local.gateway.router import Router
from penstock.store import Store

_SHOWN_INVOCATIONS: Final = 60
_SHOWN_LETTERS: Final = 50


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

    source = EmbeddedSource(functions, invocations, inbox, router, store, crashes, attempts)
    add_views(ui, source)

    @ui.get("/state")
    def state() -> Response:
        shown = itertools.islice(filter(_did_work, invocations.recent()), _SHOWN_INVOCATIONS)
        return answer(
            source.overview()
            | {
                "invocations": [_invocation(entry, crashes) for entry in shown],
                "dead_letters": source.dead_letters(limit=_SHOWN_LETTERS),
            }
        )

    return ui


def _invocation(entry: Invocation, crashes: CrashLog) -> dict[str, Any]:
    said = entry.answer or {}
    source = said.get("source") or {}
    targets = said.get("targets") or []
    return {
        "function": entry.function,
        "object": f"{source['bucket']}/{source['key']}" if source else f"{entry.method} {entry.path}",
        "event": bool(source),
        "outcome": said.get("outcome", ""),
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
