"""What the probes and metrics of `penstock watch` say."""

from __future__ import annotations

import pytest
from penstock.connect.listing.measures import WatchMeasures
from penstock.connect.listing.rounds import RoundReport


def shown(measures: WatchMeasures) -> dict[str, float]:
    lines = measures.render()[0].decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


@pytest.fixture
def measures() -> WatchMeasures:
    return WatchMeasures(lambda: 1000.0)


def test_a_watch_is_ready_after_a_whole_listing(measures: WatchMeasures) -> None:
    assert measures.unready() == "no listing has come to its end yet"
    assert shown(measures)["penstock_watch_last_round_seconds"] == 0
    assert shown(measures)['penstock_watch_hints_total{outcome="failed"}'] == 0
    measures.ended(RoundReport(listed=7, changed=3, gone=2, told=4, refused=1))
    assert measures.unready() == ""
    found = shown(measures)
    assert found["penstock_watch_listed"] == 7
    assert found["penstock_watch_last_round_seconds"] == 1000
    assert found['penstock_watch_rounds_total{outcome="whole"}'] == 1
    assert found['penstock_watch_hints_total{outcome="told"}'] == 4
    assert found['penstock_watch_hints_total{outcome="refused"}'] == 1
    assert found['penstock_watch_found_total{change="changed"}'] == 3
    assert found['penstock_watch_found_total{change="gone"}'] == 2


def test_a_failed_listing_and_hints_that_were_not_taken_are_told(measures: WatchMeasures) -> None:
    measures.ended(RoundReport(listed=2, changed=2, failed=2, problems=["http://f: cannot be reached"]))
    assert measures.unready() == "2 objects are to be told again: http://f: cannot be reached"
    measures.failed("http://store: cannot be reached")
    assert measures.unready() == "the last listing failed: http://store: cannot be reached"
    assert shown(measures)['penstock_watch_rounds_total{outcome="failed"}'] == 1
    assert shown(measures)["penstock_watch_listed"] == 2
    measures.ended(RoundReport(listed=2, changed=2, told=2))
    assert measures.unready() == ""
