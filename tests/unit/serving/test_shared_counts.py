"""Counts in memory that several workers share."""

from __future__ import annotations

import pytest
from penstock.process.metrics import Counts, Metrics
from penstock.serving.shared_counts import PLACE_BYTES, SharedCounts


def test_worker_goes_on_from_what_the_one_before_it_counted_but_not_from_its_requests() -> None:
    shared = SharedCounts(2)
    first = Metrics("upper", shared, 1)
    first.enter()
    first.add("penstock_requests", 2, "object", "200")
    first.observe_seconds(0.3)
    first.leave()
    first.enter()  # and is killed in the middle of this one
    second = Metrics("upper", shared, 1)
    assert second.in_flight == 0
    second.enter()
    second.add("penstock_requests", 1, "object", "200")
    second.leave()
    total = shared.all()
    assert (dict(total.counters), total.in_flight) == ({("penstock_requests", ("object", "200")): 3}, 0)
    assert (sum(total.seconds), total.seconds_sum) == (1, 0.3)


def test_counts_that_were_written_by_half_are_left_out_and_the_others_are_summed() -> None:
    memory = bytearray(3 * PLACE_BYTES)
    shared, counts = SharedCounts(3, memory), Counts()
    counts.counters["penstock_events", ("processed",)] = 5
    for place in range(3):
        shared.write(place, counts)
    memory[PLACE_BYTES + 20] ^= 1
    assert shared.read(1) is None
    assert shared.all().counters["penstock_events", ("processed",)] == 10


def test_worker_that_is_interrupted_while_it_writes_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = bytearray(PLACE_BYTES)
    shared, counts = SharedCounts(1, memory), Counts()
    counts.counters["penstock_events", ("processed",)] = 5
    shared.write(0, counts)
    memory[20] ^= 1
    monkeypatch.setattr("penstock.serving.shared_counts.time.sleep", lambda _seconds: shared.write(0, counts))
    assert shared.read(0) == counts


def test_counts_never_reach_into_the_next_place() -> None:
    shared, counts = SharedCounts(2), Counts()
    counts.counters["x" * PLACE_BYTES, ()] = 1
    with pytest.raises(ValueError, match="bytes of counts"):
        shared.write(0, counts)
    assert shared.read(1) is None
