"""A bridge's inbox, asked over HTTP: what waits, what was tried, what was given up (`connect/bridge/inbox_api.py`)."""

import json
from collections.abc import Collection
from typing import Any, Final

from penstock.connect import rest
from penstock.errors import EventError, PenstockError, TemporaryError
from penstock.json_text import read_json
from penstock.local.gateway.invocations import Invocation

_FAILED: Final = "failed"


class BridgeInbox:
    """The inbox of one bridge; methods raise `TemporaryError` when it does not answer or refuses the token."""

    def __init__(self, url: str, token: str, *, ca_file: str | None = None) -> None:
        rest.check_url(url, "bridge")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._ca_file = ca_file
        self._run, self._after = "", 0

    def overview(self) -> dict[str, Any]:
        """How much is pending and dead, and what waits for its next attempt."""
        return self._ask("GET", "", pending=int, dead=int, waiting=list)

    def letters(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Dead letters with an id above `after`, at most `limit`."""
        found: list[dict[str, Any]] = []
        more = True
        while more and len(found) < limit:
            last = found[-1].get("id") if found else after
            page = self._ask("GET", f"/dead-letters?after={last}", letters=list, more=bool)
            found += page["letters"]
            more = page["more"] and bool(page["letters"])
        return found[:limit]

    def replay(self, ids: Collection[str]) -> int:
        return int(self._ask("POST", "/replay", {"ids": [int(each) for each in ids]}, replayed=int)["replayed"])

    def drop(self, ids: Collection[str]) -> tuple[int, str]:
        answer = self._ask("POST", "/drop", {"ids": [int(each) for each in ids]}, dropped=int, undo=str)
        return int(answer["dropped"]), str(answer["undo"])

    def restore(self, name: str) -> int:
        return int(self._ask("POST", "/restore", {"undo": name}, restored=int)["restored"])

    def new_attempts(self) -> list[Invocation]:
        """What was tried since the last call, oldest first; after a restart of the bridge, all that it knows."""
        found = self._ask("GET", f"/attempts?after={self._after}", run=str, attempts=list)
        run, after = self._run, self._after
        if found["run"] != run:
            if run:
                found = self._ask("GET", "/attempts?after=0", run=str, attempts=list)
            run, after = found["run"], 0
        try:
            attempts = [each for each in found["attempts"] if each["number"] > after]
            made = [_invocation(each) for each in attempts]
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise TemporaryError(f"bridge {self.url}: its attempts cannot be read: {exc!r}; check its version") from exc
        self._run, self._after = run, attempts[-1]["number"] if attempts else after
        return made

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, **members: type) -> dict[str, Any]:
        """The JSON object of the answer; it has these members, each of the kind that is given with it."""
        url = f"{self.url}/inbox{path}"
        data = json.dumps(body).encode() if body is not None else None
        answer = rest.send(method, url, what="bridge", headers=self._headers, body=data, ca_file=self._ca_file)
        if answer.status != 200:
            raise _refusal(self.url, answer)
        try:
            found = read_json(answer.body)
        except ValueError as exc:
            raise TemporaryError(f"bridge {url}: no JSON: {exc}; check the address") from exc
        if not isinstance(found, dict):
            raise TemporaryError(f"bridge {url}: no JSON object; check the address")
        if missing := [name for name, kind in members.items() if not isinstance(found.get(name), kind)]:
            raise TemporaryError(f"bridge {url}: the answer of another server, without {', '.join(missing)}")
        return found


def _refusal(url: str, answer: rest.ServerAnswer) -> PenstockError:
    said = answer.body.decode(errors="replace").strip()[:300] or "no reason was given"
    if answer.status in (404, 405):
        return TemporaryError(f"bridge {url}: it tells nothing of its inbox; set CONSOLE_TOKEN for it")
    if answer.status == 400:
        return EventError(said)
    return TemporaryError(f"bridge {url}: {said} (answered {answer.status})")


def _invocation(attempt: dict[str, Any]) -> Invocation:
    """An attempt as a request to a function. An answer that is no outcome says nothing of an object."""
    try:
        answer = read_json(attempt["answer"])
    except ValueError:
        answer = None
    answer = dict(answer) if isinstance(answer, dict) else {}
    bucket, _, key = str(attempt["object"]).partition("/")
    source = answer.get("source")
    if "results" not in answer and not (isinstance(source, dict) and source.get("key")) and key:
        answer["source"] = {"bucket": bucket, "key": key}
    if attempt["outcome"] != "delivered":
        answer.setdefault("outcome", _FAILED)
    return Invocation(
        str(attempt["target"]),
        "POST",
        "/event",
        int(attempt["code"]),
        False,
        float(attempt["seconds"]),
        0,
        0,
        str(attempt["origin"]),
        answer=answer,
        finished=float(attempt["at"]),
        reason=str(attempt["reason"]) if not answer.get("reason") else "",
    )
