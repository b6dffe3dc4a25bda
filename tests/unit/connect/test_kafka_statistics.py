"""What librdkafka's statistics say of a consumer: joined, rebalancing, or cut off from its group."""

import json

import pytest
from penstock.connect.kafka.statistics import Statistics


def told(broker: str, coordinator: str, state: str, join_state: str) -> Statistics:
    """Statistics after one document, as librdkafka 2 writes it."""
    statistics = Statistics()
    brokers = {
        "127.0.0.1:9092/1": {"nodeid": 1, "state": broker},
        "GroupCoordinator": {"nodeid": -1, "state": coordinator},
    }
    statistics.update(json.dumps({"brokers": brokers, "cgrp": {"state": state, "join_state": join_state}}))
    return statistics


@pytest.mark.parametrize(
    ("broker", "coordinator", "state", "join_state", "joined", "rebalancing"),
    [
        ("UP", "UP", "up", "steady", True, False),
        ("UP", "UP", "up", "wait-join", False, True),
        ("UP", "UP", "up", "wait-sync", False, True),
        # Seen while a broker was frozen, and after it went on.
        ("UP", "APIVERSION_QUERY", "up", "wait-incr-unassign-to-complete", False, False),
        ("UP", "TRY_CONNECT", "wait-coord", "wait-incr-unassign-to-complete", False, False),
        ("UP", "TRY_CONNECT", "wait-coord", "steady", False, False),
        ("UP", "TRY_CONNECT", "wait-coord", "wait-join", False, False),
        ("DOWN", "UP", "up", "steady", False, False),
    ],
)
def test_joined_means_that_records_can_arrive(
    broker: str, coordinator: str, state: str, join_state: str, joined: bool, rebalancing: bool
) -> None:
    found = told(broker, coordinator, state, join_state)
    assert (found.joined, found.rebalancing) == (joined, rebalancing)
    assert bool(found.problem()) is not joined


def test_nothing_is_joined_before_the_first_document() -> None:
    assert not Statistics().joined
