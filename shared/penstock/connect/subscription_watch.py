"""Whether a connector's subscription works: "subscribed but nothing arrives" is a state with a name.

A client library reconnects by itself, and sometimes it does not: after a broker was frozen and went on, librdkafka may
never reach its group's coordinator again. The process is up, the brokers are up, and no record arrives. So a connector
asks this watch on every turn, and the watch says when to make a new client.
"""

import logging
import time
from collections.abc import Callable
from enum import StrEnum

PATIENCE_SECONDS = 60.0
# Brokers wait this long for a member that does not come to a rebalance (Kafka's max.poll.interval.ms), and then a bit.
REBALANCE_SECONDS = 300.0 + PATIENCE_SECONDS
# The second new client in a row that does not join either: a restart of the process is the last remedy.
ILL_AFTER_CLIENTS = 2

_log = logging.getLogger("penstock.connect")


class SubscriptionState(StrEnum):
    """What a connector's subscription does just now."""

    NONE = "none"
    """No function wants a topic."""
    JOINED = "joined"
    """What the broker has arrives."""
    JOINING = "joining"
    """Not joined, for less than a minute."""
    UNREACHABLE = "unreachable"
    """Not joined for a minute, and the brokers do not answer a new connection either: wait for them."""
    STALLED = "stalled"
    """Not joined for a minute although the brokers answer: subscribed, but nothing arrives."""


class SubscriptionWatch:
    """Judges one subscription by what `look` is told. Called by one thread; read by probes and scrapes.

    `brokers_answer` asks the brokers over a new connection and may take seconds; it is called at most once each
    `patience_seconds`, and only while the subscription is not joined.
    """

    def __init__(
        self,
        name: str,
        brokers_answer: Callable[[], bool],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._brokers_answer = brokers_answer
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._waiting_since: float | None = None
        self._asked_at = 0.0
        self._new_clients = 0
        self.state = SubscriptionState.NONE

    def look(self, *, subscribed: bool, joined: bool, rebalancing: bool = False) -> bool:
        """Take in how things stand; True when the connector must make a new client now.

        `rebalancing` says that the broker answers and waits for other members: a new client would only make all of
        them wait once more, so there is more patience.
        """
        if not subscribed or joined:
            self.state = SubscriptionState.JOINED if subscribed else SubscriptionState.NONE
            self._waiting_since, self._new_clients = None, 0
            return False
        now = self._clock()
        if self._waiting_since is None:
            self._waiting_since = self._asked_at = now
            self.state = SubscriptionState.JOINING
        if now - self._asked_at < (REBALANCE_SECONDS if rebalancing else self._patience_seconds):
            return False
        self._asked_at = now
        if not self._brokers_answer():
            self.state = SubscriptionState.UNREACHABLE
            self._new_clients = 0  # what did not help may help once the brokers are back
            _log.warning("%s: %s", self._name, self.problem())
            return False
        self.state = SubscriptionState.STALLED
        self._new_clients += 1
        _log.error("%s: %s; a new client is made", self._name, self.problem())
        return True

    def problem(self) -> str:
        """Why nothing arrives, or ""."""
        waited = 0.0 if self._waiting_since is None else self._clock() - self._waiting_since
        return {
            SubscriptionState.NONE: "no function wants a topic yet",
            SubscriptionState.JOINED: "",
            SubscriptionState.JOINING: "not subscribed at the brokers yet",
            SubscriptionState.UNREACHABLE: f"the brokers do not answer, for {waited:.0f} seconds",
            SubscriptionState.STALLED: (
                f"subscribed but nothing arrives for {waited:.0f} seconds, although the brokers answer"
            ),
        }[self.state]

    def measured(self) -> list[tuple[dict[str, str], float]]:
        """The gauge `penstock_subscription`: 1 for the state that the subscription is in."""
        return [({"state": state.value}, float(state is self.state)) for state in SubscriptionState]

    def ill(self) -> str:
        """What only a restart of the process may mend, or ""."""
        if self.state is SubscriptionState.STALLED and self._new_clients >= ILL_AFTER_CLIENTS:
            return f"{self.problem()}; {self._new_clients - 1} new clients did not help"
        return ""
