"""Each member of each event may be any JSON: it is read, or refused by the error for that, at every way in.

`make test` tries each changed event at a third of the ways in, in turn: each way gets each member with several odd
values. `make test-long` tries each of them at all ways.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from penstock.connect.bridge.filters import read_filters
from penstock.connect.bridge.messages import object_of, to_messages
from penstock.connect.messages import ordering_key
from penstock.connect.redis.access_format import as_notification
from penstock.delivery.deliverer import Message
from penstock.delivery.http import HttpTarget
from penstock.delivery.identity import body_without_identity
from penstock.errors import EventError, InputTooLarge
from penstock.events import looks_like_notification, parse, parse_each, parse_listen_line, to_cloudevents_each

from tests.paths import EVENTS

ODD: list[Any] = [None, True, 7, -1, 1.5, 10**30, "", "text", "\ud800", "a\0b", [], [[]], {}, {"a": []}, "x" * 3000]
NAMES = sorted(path.name for path in EVENTS.glob("*.json"))
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
TARGETS = [HttpTarget("sink", "http://sink.example/")]
FILTERS = read_filters(["sink=s3://upload/*.csv"], ["sink"])

WAYS: dict[str, Callable[[bytes], object]] = {
    "parse": lambda body: parse(body, {}),
    "parse each": lambda body: parse_each(body, {}, 10),
    "structured": lambda body: parse(body, STRUCTURED),
    "batch": lambda body: parse(b"[" + body + b"]", BATCH),
    "listen stream": parse_listen_line,
    "CloudEvents": to_cloudevents_each,
    "bridge": lambda body: to_messages(body, TARGETS, {}, "", FILTERS, on_odd=lambda _: None),
    "console": lambda body: object_of(Message("", body, {}, "", "sink")),
    "order": lambda body: ordering_key("topic", body),
    "Redis": as_notification,
    "identity": body_without_identity,
    "recognition": looks_like_notification,
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each member and item in a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from places(part, (*path, name))


def changed(value: Any) -> Iterator[bytes]:
    """The event with one member replaced or left out, for each member and each odd value; inner JSON too."""
    for path in places(value):
        made = copy.deepcopy(value)
        parent = made
        for name in path[:-1]:
            parent = parent[name]
        present = parent[path[-1]]
        for odd in ODD:
            parent[path[-1]] = odd
            yield json.dumps(made).encode()
        if isinstance(present, str) and present.startswith("{"):
            for inner in changed(json.loads(present)):
                parent[path[-1]] = inner.decode()
                yield json.dumps(made).encode()
        del parent[path[-1]]
        yield json.dumps(made).encode()


def read_changed(name: str, one_of: int) -> set[str]:
    """Read each changed event at one of `one_of` ways in, in turn; the ways that took part."""
    tried: set[str] = set()
    for number, body in enumerate(changed(json.loads((EVENTS / name).read_bytes()))):
        for way in list(WAYS)[number % one_of :: one_of]:
            with contextlib.suppress(EventError, InputTooLarge):
                WAYS[way](body)
            tried.add(way)
    return tried


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_any_member_may_be_any_json(name: str) -> None:
    assert read_changed(name, one_of=3) == set(WAYS)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_any_member_may_be_any_json_at_every_way_in(name: str) -> None:
    assert read_changed(name, one_of=1) == set(WAYS)
