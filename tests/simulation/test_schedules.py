"""Ten thousand schedules end right, and each safeguard that is taken away is missed by some of them."""

from __future__ import annotations

import pytest
from penstock.connect.kafka.progress import Partition, PendingRecord

from tests.simulation.mutations import STORES
from tests.simulation.world import Wrong, play

SCHEDULES = 10_000
PORTION = 1000
# How many schedules may pass before one notices that a safeguard is gone.
PATIENCE = 3000


@pytest.mark.parametrize("first", range(0, SCHEDULES, PORTION))
def test_every_schedule_ends_with_targets_that_agree(first: int) -> None:
    found = play(range(first, first + PORTION))
    assert found["schedules"] == PORTION
    assert min(found["with kills"], found["with strangers"], found["with lost events"]) > 0


@pytest.mark.parametrize("name", STORES)
def test_without_a_safeguard_some_schedule_ends_wrong(name: str) -> None:
    with pytest.raises(Wrong):
        play(range(PATIENCE), make_store=STORES[name])


def test_with_commits_before_the_final_answer_some_schedule_ends_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Partition.begin

    def early(partition: Partition, offset: int, record: PendingRecord, waits: int) -> None:
        begin(partition, offset, record, 0)

    monkeypatch.setattr(Partition, "begin", early)
    with pytest.raises(Wrong):
        play(range(PATIENCE))


def test_a_seed_gives_the_same_schedule_again() -> None:
    from tests.simulation.world import World

    worlds = [World(7), World(7)]
    for world in worlds:
        world.run()
    # A worker's name is its address.
    paths = [[line.partition("worker ")[0] for line in world.path] for world in worlds]
    assert paths[0] == paths[1]
