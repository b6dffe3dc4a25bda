"""The bridge's inbox for `penstock console`: what waits, what was tried, what was given up. Off without CONSOLE_TOKEN.

    GET  /inbox                what is pending and dead, and what waits for its next attempt
    GET  /inbox/attempts       the last attempts; `after` a number
    GET  /inbox/dead-letters   letters in the order in which they died; `after` an id
    POST /inbox/replay         {"ids": [1]}: deliver again
    POST /inbox/drop           {"ids": [1]}: forget; answers with a name for /inbox/restore
    POST /inbox/restore        {"undo": "name"}: bring a drop back

Bodies and headers of events stay here. Each request shows the token, as `Authorization: Bearer TOKEN`.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response, request

from penstock.connect.bridge.messages import object_of
from penstock.delivery.attempts import Attempts
from penstock.delivery.dead_letters import letter_document
from penstock.delivery.dropped import Dropped
from penstock.delivery.inbox import Inbox
from penstock.delivery.recent import RecentAttempt, RecentAttempts
from penstock.errors import EventError
from penstock.json_text import read_object
from penstock.serving.requests import whole_body

_ATTEMPTS: Final = 500
_LETTERS: Final = 500
_MAX_BODY_BYTES: Final = 1024 * 1024


def make_inbox_api(token: str, inbox: Inbox, recent: RecentAttempts, attempts: Attempts) -> Blueprint:
    """The routes. The application answers the errors that they raise."""
    api = Blueprint("inbox", __name__, url_prefix="/inbox")
    dropped = Dropped(inbox)

    @api.before_request
    def refuse_strangers() -> Response | None:
        given = request.headers.get("Authorization", "").encode()
        if hmac.compare_digest(given, f"Bearer {token}".encode()):
            return None
        text = "wrong or no token; penstock console sends CONSOLE_TOKEN\n"
        return Response(text, 401, {"WWW-Authenticate": "Bearer"}, content_type="text/plain")

    @api.get("")
    def overview() -> Response:
        counts = inbox.counts()
        waiting = [asdict(each) for each in attempts.waiting()[:_ATTEMPTS]]
        return _json({"pending": counts.pending, "dead": counts.dead, "waiting": waiting})

    @api.get("/attempts")
    def list_attempts() -> Response:
        found = recent.after(_after(), _ATTEMPTS)
        return _json({"run": recent.run, "attempts": [_attempt(each) for each in found]})

    @api.get("/dead-letters")
    def list_letters() -> Response:
        found = inbox.dead_letters(after=_after(), limit=_LETTERS)
        letters = [letter_document(each) | {"object": object_of(each.message)} for each in found]
        return _json({"letters": letters, "more": len(found) == _LETTERS})

    @api.post("/replay")
    def replay() -> Response:
        return _json({"replayed": inbox.replay(_ids())})

    @api.post("/drop")
    def drop() -> Response:
        count, name = dropped.drop(_ids())
        return _json({"dropped": count, "undo": name})

    @api.post("/restore")
    def restore() -> Response:
        return _json({"restored": dropped.restore(str(_document().get("undo", "")))})

    return api


def _attempt(attempt: RecentAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "target": attempt.message.target,
        "object": object_of(attempt.message),
        "origin": attempt.message.origin,
        "code": attempt.code,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "answer": attempt.answer,
        "seconds": attempt.seconds,
        "at": attempt.at,
    }


def _json(document: Any) -> Response:
    return Response(json.dumps(document), headers={"Cache-Control": "no-store"}, content_type="application/json")


def _after() -> int:
    text = request.args.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise EventError(f"after={text[:40]!r}: expected a whole number")
    return int(text)


def _document() -> Mapping[str, Any]:
    return read_object(whole_body(_MAX_BODY_BYTES))


def _ids() -> list[str]:
    ids = _document().get("ids")
    if not isinstance(ids, list) or not all(type(number) is int for number in ids):
        raise EventError('expected {"ids": [1, 2]}')
    return [str(number) for number in ids]
