"""A caller that closes its connection: work for it ends at the next chunk, in every way in that answers directly."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from penstock import Context, Event, Result
from penstock.errors import TemporaryError
from penstock.process.deadline import called_by
from penstock.serving.callers import leaving_check
from penstock.store.deadline import DeadlineStore

from tests.functional.test_app import serve
from tests.lake import TARGET, Lake
from tests.unit.serving.test_read_route import SECRETS, path_of

MakeLake = Callable[..., Lake]
WORDS = "its caller closed the connection before the answer; nothing was written"
MANY = 1000


class Caller:
    """Both ends of a connection; `leave` closes the caller's."""

    def __init__(self) -> None:
        self.server, self._caller = socket.socketpair()
        self.environ = {"gunicorn.socket": self.server}

    def leave(self) -> None:
        self._caller.close()


@pytest.fixture
def caller() -> Iterator[Caller]:
    made = Caller()
    yield made
    made.leave()
    made.server.close()


class Handler:
    """Makes many chunks, and lets the caller leave after the second; `made` counts them."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.made = 0

    def __call__(self, event: Event[Any], context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            yield event.body.read()
            for self.made in range(1, MANY + 1):
                if self.made == 2:
                    self._caller.leave()
                yield b"x"

        return Result(chunks())


@pytest.mark.parametrize("way", ["/", "/a.txt", "/read"])
def test_work_ends_soon_after_the_caller_has_left(make_lake: MakeLake, caller: Caller, way: str) -> None:
    handler = Handler(caller)
    lake = make_lake(handler, secrets=SECRETS)
    lake.put(b"one")
    client = serve(lake)
    if way == "/read":
        response = client.get(path_of(), environ_overrides=caller.environ)
    else:
        response = client.post(way, data=b"one", environ_overrides=caller.environ)
    assert (response.status_code, WORDS in response.text) == (503, True), response.text
    assert handler.made <= 3


@pytest.mark.parametrize("way", ["/", "/a.txt", "/read"])
def test_caller_that_waits_gets_all_of_it(make_lake: MakeLake, caller: Caller, way: str) -> None:
    handler = Handler(Caller())
    lake = make_lake(handler, secrets=SECRETS)
    lake.put(b"one")
    client = serve(lake)
    if way == "/read":
        response = client.get(path_of(), environ_overrides=caller.environ)
    else:
        response = client.post(way, data=b"one", environ_overrides=caller.environ)
    assert (response.status_code, len(response.data)) == (200, len(b"one") + MANY)


def test_write_of_an_event_ends_once_its_caller_has_left(make_lake: MakeLake, caller: Caller) -> None:
    lake = make_lake()
    store = DeadlineStore(lake.store)

    def chunks() -> Iterator[bytes]:
        yield b"one"
        caller.leave()
        yield b"two"

    with called_by(leaving_check(caller.environ)), pytest.raises(TemporaryError, match=WORDS):
        store.put(TARGET, chunks(), content_type="text/plain", metadata={})
    assert lake.keys() == []


def test_search_of_a_caller_that_left_while_it_waited_is_not_begun(make_lake: MakeLake, caller: Caller) -> None:
    asked: list[Any] = []

    def query(given: Mapping[str, str], _sink: Any) -> Mapping[str, str]:
        asked.append(given)
        return given

    client = serve(make_lake(hooks={"query": query}))
    assert client.get("/?q=a", environ_overrides=caller.environ).status_code == 200
    caller.leave()
    response = client.get("/?q=b", environ_overrides=caller.environ)
    assert (response.status_code, WORDS in response.text) == (503, True), response.text
    assert asked == [{"q": "a"}]
