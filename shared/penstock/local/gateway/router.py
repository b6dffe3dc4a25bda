"""Which function gets which event: decided by the functions' own SOURCE, stored before anything is acknowledged."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.delivery.deliverer import Message
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError, EventError
from penstock.events import Kind, parse
from penstock.lake.graph import make_graph, refuse_loops
from penstock.lake.model import ACCESSED
from penstock.settings.config import Config, SourceRule
from penstock.settings.stackfile import FunctionSpec
from penstock.settings.table import FUNCTION_TOKEN
from penstock.sinks.address import Address, parse_sink
from penstock.types import ObjectRef

ASYNC_PATH = "/_/async"
ASYNC_TARGET = "async-function"
UNREADABLE_TARGET = "events"


@dataclass(frozen=True, slots=True)
class Route:
    """A function, what it takes, and where its results go."""

    name: str
    config: Config
    address: Address | None = None


class Routes:
    """Which function takes which object, and where its results go."""

    def __init__(self, specs: Iterable[FunctionSpec] = ()) -> None:
        self._routes = tuple(_route(spec) for spec in specs)

    @classmethod
    def of_readable(cls, specs: Iterable[FunctionSpec]) -> "tuple[Routes, list[str]]":
        """The routes of those whose settings can be read, and what is wrong with each other one."""
        found, problems = cls(), []
        for spec in specs:
            try:
                found._routes += (_route(spec),)
            except ConfigError as exc:
                problems.append(f"{spec.name}: {exc}")
        return found, problems

    @property
    def routes(self) -> tuple[Route, ...]:
        return self._routes

    @property
    def searchable(self) -> list[str]:
        """The functions whose sink can be searched."""
        return [route.name for route in self._routes if route.address is not None and route.address.is_searchable]

    def of(self, name: str) -> Route | None:
        """The route of one function."""
        return next((route for route in self._routes if route.name == name), None)

    def takers(self, key: str) -> dict[str, list[str]]:
        """The buckets in which a function takes an object of this key, each with these functions.

        A bucket that functions write to comes last, and one whose rule names the key's end comes first.
        """
        made = {route.address.bucket for route in self._routes if route.address is not None}
        found: dict[str, list[str]] = {}
        ranks: dict[str, tuple[bool, bool]] = {}
        for route in self._routes:
            for rule in route.config.sources:
                if rule.matches(ObjectRef(rule.bucket, key)):
                    names = found.setdefault(rule.bucket, [])
                    if route.name not in names:
                        names.append(route.name)
                    rank = (rule.bucket in made, not rule.suffix)
                    ranks[rule.bucket] = min(rank, ranks.get(rule.bucket, rank))
        return {bucket: found[bucket] for bucket in sorted(found, key=lambda each: ranks[each])}

    def place(self, key: str) -> str:
        """The bucket where an object of this key is the first input of a function; "" when none takes it."""
        made = {route.address.bucket for route in self._routes if route.address is not None}
        return next((bucket for bucket in self.takers(key) if bucket not in made), "")

    def buckets(self) -> list[str]:
        """Every bucket that a function reads or writes, those of the objects that its options name among them."""
        found = {rule.bucket for route in self._routes for rule in route.config.sources}
        found |= {bucket for route in self._routes for bucket in _asset_buckets(route.config)}
        found |= {route.address.bucket for route in self._routes if route.address is not None}
        return sorted(found - {""})

    def rules(self) -> list[SourceRule]:
        """What the store must notify about."""
        return sorted({rule for route in self._routes for rule in route.config.sources}, key=str)


class Router(Routes):
    """Fans notifications out to the inbox, one message per function that takes the object."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox

    def configure(self, specs: Iterable[FunctionSpec]) -> None:
        """Take the functions' settings; raises `ConfigError` for one that cannot work."""
        given = list(specs)
        refuse_loops(make_graph(given))
        self._routes = tuple(_route(spec) for spec in given)

    def wanted(self, event_name: str, ref: ObjectRef) -> bool:
        """Whether any function takes this object. Events about reading it are not wanted."""
        return not event_name.startswith(ACCESSED) and any(route.config.takes(ref) for route in self._routes)

    def accept(self, ref: ObjectRef, document: Mapping[str, Any]) -> None:
        """Store one notification; on disk when this returns."""
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        self._inbox.put(self._messages([ref], body, str(document.get("EventName", "event"))))

    def accept_body(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Store what a webhook brought and say to how many functions it goes.

        A body that cannot be read becomes a dead letter: a refusal would hold up every event behind it.
        """
        try:
            events = parse(body, headers)
        except EventError as exc:
            message = Message("", body, {"Content-Type": "application/json"}, "webhook", UNREADABLE_TARGET)
            self._inbox.store_dead_letter(message, int(exc.status), str(exc))
            return 0
        refs = [event.ref for event in events if event.kind not in (Kind.ACCESSED, Kind.OTHER)]
        messages = self._messages(refs, body, "webhook")
        self._inbox.put(messages)
        return len(messages)

    def targets(self, gateway_url: str) -> list[HttpTarget]:
        """Where the messages go."""
        return [
            *(
                HttpTarget(route.name, f"{gateway_url}/function/{route.name}/event", _caller_headers(route.config))
                for route in self._routes
            ),
            HttpTarget(ASYNC_TARGET, f"{gateway_url}{ASYNC_PATH}"),
            HttpTarget(UNREADABLE_TARGET, f"{gateway_url}/events"),
        ]

    def _messages(self, refs: Iterable[ObjectRef], body: bytes, name: str) -> list[Message]:
        wanted = list(dict.fromkeys(refs))
        return [
            Message(
                key=f"{ref.bucket}/{ref.key}",
                # A body that names several objects would have every function look at all of them.
                value=body if len(wanted) == 1 else json.dumps({"bucket": ref.bucket, "key": ref.key}).encode(),
                headers={"Content-Type": "application/json"},
                origin=f"{name} {ref}",
                target=route.name,
            )
            for ref in wanted
            for route in self._routes
            if route.config.takes(ref)
        ]


def _asset_buckets(config: Config) -> Iterator[str]:
    """The buckets of `s3://BUCKET/KEY` in options: what is an asset, its function alone knows, and it is not loaded."""
    for options in (config.options, *config.renditions.values()):
        for value in options.values():
            scheme, _, rest = value.partition("://")
            bucket, _, key = rest.partition("/")
            if scheme == "s3" and bucket and key:
                yield bucket


def _caller_headers(config: Config) -> dict[str, str]:
    """What a function wants to see of its callers: the first of its tokens, where it has any."""
    tokens = config.secrets.get(FUNCTION_TOKEN.name, "").split()
    return {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}


def _route(spec: FunctionSpec) -> Route:
    config = spec.config()
    return Route(spec.name, config, parse_sink(config.sink) if config.sink else None)
