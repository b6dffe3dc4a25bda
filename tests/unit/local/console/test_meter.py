"""Counts, times and bytes by function and by ten seconds."""

from typing import Any

from penstock.local.console.meter import SLOT_SECONDS, SLOTS, Meter


def record(function: str = "compress", **changes: Any) -> dict[str, Any]:
    given = {"function": function, "outcome": "processed", "ms": 100.0, "saves": True, "in": 1000, "stored": 200}
    return given | changes


def test_sums_and_slots_by_function() -> None:
    now = [1000.0]
    meter = Meter(lambda: now[0])
    meter.add(record(ms=100.0))
    meter.add(record(ms=300.0, outcome="failed", saves=False))
    now[0] += SLOT_SECONDS
    meter.add(record())
    meter.add(record("index", saves=False))

    found = meter.read()["functions"]
    total = found["compress"]["total"]
    assert (total["count"], total["failed"], total["slowest"], total["milliseconds"]) == (3, 1, 300.0, 500.0)
    assert (total["bytes_in"], total["bytes_out"]) == (2000, 400)
    assert [(slot["start"], slot["count"]) for slot in found["compress"]["slots"]] == [(1000, 2), (1010, 1)]
    assert found["compress"]["outcomes"] == {"processed": 2, "failed": 1}
    assert found["index"]["total"]["bytes_in"] == 0


def test_slots_end_after_an_hour_and_sums_stay() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])
    meter.add(record())
    now[0] = SLOTS * SLOT_SECONDS + 1.0

    found = meter.read()["functions"]["compress"]
    assert (found["slots"], found["total"]["count"]) == ([], 1)
