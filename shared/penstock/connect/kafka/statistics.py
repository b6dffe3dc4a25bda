"""What librdkafka says of itself: lag, broker connections, errors.

Format: https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md; `consumer_lag` is the distance from
the committed offset to the end of the partition, -1 while unknown.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

QUIET_SECONDS = 30.0
_REBALANCING = ("wait-join", "wait-sync")

_log = logging.getLogger("penstock.connect")


class Statistics:
    """Filled by librdkafka's callbacks on the consuming thread, read by probes and scrapes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.fatal = ""
        self._connected: bool | None = None
        self._joined = False
        self.rebalancing = False  # whether the coordinator, which answers, waits for the group's other members
        self._lag: dict[tuple[str, str], int] = {}
        self._quiet_until: dict[str, float] = {}
        self._clock = clock

    def update(self, text: str) -> None:
        """Take one statistics document."""
        found = json.loads(text)
        # Bootstrap entries and the group coordinator's have no number of their own; a real broker does.
        states = [broker.get("state") for broker in found.get("brokers", {}).values() if broker.get("nodeid", -1) >= 0]
        self._connected = "UP" in states
        group = found.get("cgrp", {})
        # Steady alone is not enough: it stays so while the coordinator cannot be reached.
        self._joined = group.get("join_state") == "steady" and group.get("state") == "up"
        coordinator = found.get("brokers", {}).get("GroupCoordinator", {})
        self.rebalancing = coordinator.get("state") == "UP" and group.get("join_state") in _REBALANCING
        self._lag = {
            (topic, number): partition["consumer_lag"]
            for topic, about in found.get("topics", {}).items()
            for number, partition in about.get("partitions", {}).items()
            if partition.get("consumer_lag", -1) >= 0
        }

    def fail(self, error: Any) -> None:
        """Take one error; from most of them librdkafka recovers, and the connection's state tells."""
        # While a broker is away the same error comes some ten times a second.
        if self._clock() >= self._quiet_until.get(error.name(), 0.0):
            self._quiet_until[error.name()] = self._clock() + QUIET_SECONDS
            _log.warning("kafka: %s", error.str())
        if error.fatal():
            self.fatal = f"kafka: {error.str()}"
        if error.name() == "_ALL_BROKERS_DOWN":
            self._connected = False

    @property
    def joined(self) -> bool:
        """Whether records can arrive: a broker is connected and the group has given out its partitions."""
        return not self.problem()

    def problem(self) -> str:
        """Why nothing can be consumed just now, or ""."""
        if not self._connected:
            return "no connection to a broker"
        return "" if self._joined else "the consumer group has not assigned partitions yet"

    def lag(self) -> Iterable[tuple[Mapping[str, str], float]]:
        """Lag by topic and partition, for the metrics."""
        return [({"topic": topic, "partition": number}, lag) for (topic, number), lag in list(self._lag.items())]
