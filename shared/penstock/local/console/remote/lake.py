"""A lake on a platform as the console's page is told of it: asked every few seconds, never changed by looking."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from penstock.connect import rest
from penstock.connect.openfaas import LoggedLine
from penstock.errors import EventError, PenstockError, TemporaryError
from penstock.json_text import read_json
from penstock.local.console.declared_options import given_options, options_of
from penstock.local.console.object_page import log_span, with_log
from penstock.local.console.records import ConsoleRecord
from penstock.local.console.remote.bridge import BridgeInbox
from penstock.local.console.remote.caller import FunctionCaller
from penstock.local.console.remote.platform import Platform, SeenFunction, with_handlers
from penstock.local.console.remote.queues import Queues
from penstock.local.console.source import function_row
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.logs import LogLine
from penstock.local.gateway.invocations import Invocation
from penstock.local.gateway.router import Routes
from penstock.settings.shown_environment import shown_environment
from penstock.settings.stackfile import FunctionSpec
from penstock.store import Store
from penstock.types import ObjectRef

_LOOK_SECONDS: Final = 2.0
_LINES: Final = 200
_NO_BRIDGE: Final = "This console knows no bridge. Give it one with --bridge, and CONSOLE_TOKEN to both."
_log = logging.getLogger("penstock.console")


@dataclass(frozen=True, slots=True)
class _Look:
    """What the last look found."""

    functions: tuple[SeenFunction, ...] = ()
    routes: Routes = field(default_factory=Routes)
    inbox: Mapping[str, Any] = field(default_factory=lambda: {"pending": 0, "dead": 0, "waiting": []})
    queues: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[str, ...] = ()


class RemoteLake:
    """Looks at a platform, a store and a bridge. `start` begins to look; `stop` ends it.

    `caller` calls the functions; `handlers` are the folders of their code by name, for what their options mean.
    Methods raise `TemporaryError` when what they ask does not answer.
    """

    def __init__(
        self,
        platform: Platform,
        store: Store,
        *,
        bridge: BridgeInbox | None = None,
        queues: Queues | None = None,
        caller: FunctionCaller | None = None,
        handlers: Mapping[str, Path] | None = None,
        allows_writes: bool = False,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._platform, self._store, self._bridge = platform, store, bridge
        self._queues = queues or Queues(())
        self._caller, self._handlers = caller or FunctionCaller(), dict(handlers or {})
        self._allows_writes = allows_writes
        self._look_seconds = look_seconds
        self._look = _Look()
        self._crashes = CrashLog()
        self._listeners: list[Callable[[Invocation], None]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="console", daemon=True)

    @property
    def store(self) -> Store:
        return self._store

    @property
    def routes(self) -> Routes:
        return self._look.routes

    @property
    def allows_writes(self) -> bool:
        return self._allows_writes

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; a look that is under way only reads, so a server that is silent is not waited for."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def look(self) -> None:
        """Ask everything once, and tell the listeners of what was tried since the last look."""
        problems: list[str] = []
        before = self._look
        functions, routes = before.functions, before.routes
        try:
            functions = tuple(with_handlers(self._platform.functions(), self._handlers))
            # Others are not about objects.
            wired = [each.spec for each in functions if {"SOURCE", "SINK"} & each.spec.environment.keys()]
            routes, unreadable = Routes.of_readable(wired)
            problems += unreadable
        except PenstockError as exc:
            problems.append(str(exc))
        inbox, attempts = before.inbox, []
        if self._bridge is not None:
            try:
                inbox, attempts = self._bridge.overview(), self._bridge.new_attempts()
            except PenstockError as exc:
                problems.append(str(exc))
        queues, silent = self._queues.read()
        self._look = _Look(functions, routes, inbox, tuple(queues), (*problems, *silent))
        for invocation in attempts:
            for listener in self._listeners:
                listener(invocation)

    def _keep_looking(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the thread must live; the next look may do better
                _log.exception("a look at the lake failed")
            self._ended.wait(self._look_seconds)

    def specs(self) -> Iterable[FunctionSpec]:
        names = {route.name for route in self.routes.routes}
        return [each.spec for each in self._look.functions if each.spec.name in names]

    def overview(self) -> dict[str, Any]:
        look = self._look
        return {
            "functions": [_told(each, look.routes) for each in look.functions],
            "pending": look.inbox["pending"],
            "dead": look.inbox["dead"],
            "waiting": look.inbox["waiting"],
            "buckets": look.routes.buckets(),
            "searchable": look.routes.searchable,
            "queues": list(look.queues),
            "where": self._platform.name,
            "writes": self._allows_writes,
            "problems": list(look.problems),
            "notes": self._notes(),
        }

    def _notes(self) -> dict[str, str]:
        """What a view of this platform cannot show, by the name of the view."""
        if self._bridge is None:
            return {
                "flow": f"Requests are not counted here. {_NO_BRIDGE}",
                "events": f"Events are not seen here. {_NO_BRIDGE}",
                "dead": f"Dead letters are not seen here. {_NO_BRIDGE} Those of Kafka: penstock dlq list --kafka",
                "object": f"Attempts are not seen here. {_NO_BRIDGE}",
                "savings": f"Sizes are not counted here. {_NO_BRIDGE}",
            }
        seen = "What the bridge delivers is seen here, from its last 1,000 attempts on."
        return {
            "events": f"{seen} What a connector of a queue or a Broker delivers is not.",
            "dead": "Those of the bridge. The connectors keep their own: penstock dlq list",
            "savings": f"{seen} What was done before is not counted.",
        }

    def listen(self, heard: Callable[[Invocation], None]) -> None:
        self._listeners.append(heard)

    def explained(self, records: Sequence[ConsoleRecord]) -> list[ConsoleRecord]:
        # Lines are cut at their beginning, so those since the first record are also all that the others would get.
        first: dict[str, float] = {}
        for each in records:
            since, _ = log_span(each)
            first[each["function"]] = min(since, first.get(each["function"], since))
        lines = {name: self._lines_since(name, since) for name, since in first.items()}
        return [self._explained(each, lines[each["function"]]) for each in records]

    def _lines_since(self, name: str, since: float) -> list[LogLine]:
        with suppress(PenstockError):  # the records themselves are told in any case
            return _numbered(self._platform.lines(name, tail=_LINES, since=datetime.fromtimestamp(since, UTC)))
        return []

    def _explained(self, record: ConsoleRecord, lines: Sequence[LogLine]) -> ConsoleRecord:
        if record["incident"] and self._crashes.of(record["incident"]) is None:
            for line in lines:
                self._crashes.read(record["function"], Path(), line.text)
        crash = self._crashes.of(record["incident"])
        told = {"trace": crash.trace if crash else "", "reason": self._crashes.explained(record["reason"])}
        return with_log(record | told, lines, self._platform.log_command(record["function"]))

    def waiting(self) -> list[dict[str, Any]]:
        return [dict(each) for each in self._look.inbox["waiting"]]

    def dead_letters(self, *, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        return self._bridge.letters(after, limit) if self._bridge is not None else []

    def replay(self, ids: Collection[str]) -> int:
        return self._inbox().replay(ids)

    def drop(self, ids: Collection[str]) -> tuple[int, str]:
        return self._inbox().drop(ids)

    def restore(self, name: str) -> int:
        return self._inbox().restore(name)

    def send_again(self, ref: ObjectRef, names: Iterable[str]) -> None:
        """Post a reference to each function; its answer is told as an attempt, like one of the bridge."""
        import json

        body = json.dumps({"bucket": ref.bucket, "key": ref.key}).encode()
        for name in names:
            since = time.monotonic()
            answer = self.ask(name, "POST", "/event", body)
            try:
                said = read_json(answer.body)
            except ValueError:
                said = None
            invocation = Invocation(
                name,
                "POST",
                "/event",
                answer.status,
                False,
                time.monotonic() - since,
                len(body),
                len(answer.body),
                "console",
                answer=said if isinstance(said, dict) else {"source": {"bucket": ref.bucket, "key": ref.key}},
            )
            for listener in self._listeners:
                listener(invocation)

    def ask(self, name: str, method: str, path: str, body: bytes | None = None) -> rest.ServerAnswer:
        """Send one request to a function, which starts it where none of it runs."""
        found = self._seen(name)
        if not found.url:
            raise TemporaryError(f"{name}: the platform does not say where it is called")
        return self._caller.send(name, method, found.url.rstrip("/") + path, body)

    def function(self, name: str) -> dict[str, Any]:
        found = self._seen(name)
        spec = found.spec
        lines: list[LogLine] = []
        with suppress(PenstockError):
            lines = _numbered(self._platform.lines(name, tail=_LINES))
        known = spec.handler != Path()
        environment = shown_environment(spec.environment)
        return {
            "name": name,
            "folder": str(spec.handler) if known else "not known here",
            "image": spec.image,
            "environment": environment,
            "secrets": list(spec.secrets),
            "options": options_of(spec.handler, environment) if known else given_options(environment),
            "log": self._platform.log_command(name),
            "lines": [asdict(line) for line in lines],
        }

    def _seen(self, name: str) -> SeenFunction:
        found = next((each for each in self._look.functions if each.spec.name == name), None)
        if found is None:
            raise EventError(f"function {name[:80]!r} is not deployed")
        return found

    def _inbox(self) -> BridgeInbox:
        if self._bridge is None:
            raise EventError(_NO_BRIDGE)
        return self._bridge


def _told(seen: SeenFunction, routes: Routes) -> dict[str, Any]:
    return function_row(
        seen.spec.name,
        routes.of(seen.spec.name),
        replicas=seen.replicas,
        starting=seen.starting,
        in_flight=0,
        invocations=seen.invocations,
        zero_after_seconds=None,
    )


def _numbered(lines: Iterable[LoggedLine]) -> list[LogLine]:
    return [LogLine(number, line.time, "", line.text) for number, line in enumerate(lines, 1)]
