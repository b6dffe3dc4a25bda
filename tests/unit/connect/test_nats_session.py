"""What the NATS session makes of what its client raises. The server: tests/integration/test_nats_connector.py."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import nats.errors
import pytest
from penstock.connect.nats import session as module
from penstock.connect.nats.server import NatsServers
from penstock.connect.nats.session import NatsSession


class Ended(Exception):
    """The played subscription has told all that it has."""


class Subscription:
    """Raises in turn, then gives one message, then ends."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.looked = 0
        self.left = False

    async def fetch(self, _batch: int, timeout: float) -> list[Any]:
        assert timeout > 0
        if self._errors:
            raise self._errors.pop(0)
        place = SimpleNamespace(stream="lake", sequence=SimpleNamespace(stream=7))
        self._errors.append(Ended())
        return [SimpleNamespace(reply="$JS.ACK.1", data=b"one", metadata=place)]

    async def consumer_info(self) -> None:
        self.looked += 1

    async def unsubscribe(self) -> None:
        self.left = True
        raise nats.errors.ConnectionClosedError  # as where the connection was lost


def test_a_subject_without_messages_ends_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fetch` of nats-py raises its own TimeoutError, and Python's where its time is over between two requests."""
    subscription = Subscription(nats.errors.TimeoutError(), TimeoutError())

    async def subscribe(*_given: object) -> tuple[Subscription, float]:
        return subscription, 30.0

    monkeypatch.setattr(module, "subscribe", subscribe)
    taken: list[bytes] = []
    servers = NatsServers(("nats://127.0.0.1:9",))
    made = NatsSession(servers, 4, lambda _topic, data, _origin, _receipt: taken.append(data), lambda _: None)
    client: Any = SimpleNamespace(jetstream=lambda: None)
    with pytest.raises(Ended):
        asyncio.run(made.pull(client, "lake.processed", 4))
    assert taken == [b"one"]
    assert subscription.looked == 2
    # What is given back would otherwise go to the pull of the client that leaves, and wait there for the ack wait.
    assert subscription.left
