"""One member of a group on librdkafka's mock brokers: what is paused, and what it has not read."""

import time
from collections.abc import Iterator

import pytest
from penstock.connect.kafka.group_member import GroupMember

from tests.unit.connect.mock_kafka import Cluster

TOPIC = "pictures"


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.create(TOPIC)
    for partition in range(4):
        made.produce(TOPIC, *[("k", b"%d" % number) for number in range(20)], partition=partition)
    return made


@pytest.fixture
def member(cluster: Cluster) -> Iterator[GroupMember]:
    # The mock waits a session for a member that left.
    session = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "1000"}
    made = GroupMember({"bootstrap.servers": cluster.servers, "group.id": "lake", **session}, lambda gone, drain: None)
    made.subscribe([TOPIC])
    yield made
    made.close()


def read_one(member: GroupMember) -> bool:
    """Read until there is a record; False when there is none for long."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if member.read(1):
            return True
    return False


def test_partition_that_was_paused_before_a_rebalance_is_read_again_after_it(member: GroupMember) -> None:
    """librdkafka keeps a pause beyond an assignment: records waited for ever behind a group that looked well."""
    assert read_one(member)
    member.balance({TOPIC}, {TOPIC}, 10_000)
    assert len(member.paused) == 4
    # The mock takes no second member into a group; to leave it and come again is a rebalance as well.
    member.subscribe([])
    while member.partitions:
        member.read(1)
    member.subscribe([TOPIC])
    while not member.partitions:
        member.read(1)
    member.balance(set(), set(), 10_000)
    assert member.paused == set()
    assert read_one(member)


def test_ends_are_those_of_partitions_with_unread_records(cluster: Cluster, member: GroupMember) -> None:
    assert member.unread_ends() == {}  # nothing is assigned yet
    assert read_one(member)
    found = member.unread_ends()
    assert set(found.values()) == {20}
    while member.read(100):
        pass
    while member.unread_ends():
        member.read(100)
    cluster.produce(TOPIC, ("k", b"more"), partition=1)
    assert member.unread_ends() == {(TOPIC, 1): 21}
    member.balance({TOPIC}, {TOPIC}, 10_000)
    assert member.unread_ends() == {}  # paused: it is known why nothing comes
