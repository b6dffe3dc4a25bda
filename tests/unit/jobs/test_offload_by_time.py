"""Objects that would take too long go to Jobs; the clock is the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from penstock import Context, Event, Result, UnsupportedInput, option
from penstock.errors import ConfigError
from penstock.runtime.estimate import MIN_BYTES, MIN_RUNS, Estimate
from penstock.runtime.outcome import Outcome
from penstock.types import ObjectRef, ObjectState

from tests.clock import Clock
from tests.lake import Lake

LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Options:
    fails: bool = option(False, "whether it refuses what it has read")


class Worker:
    """A function that needs `seconds` for every object, and hands over what will take longer than a minute."""

    def __init__(self, **config: Any) -> None:
        self.clock = Clock()
        self.seconds = 1.0
        self.handed: list[ObjectState] = []
        settings: dict[str, Any] = {"offload_above_seconds": LIMIT_SECONDS, **config}
        self.lake = Lake(self.handle, options=Options, offload=self.offload, **settings)
        self.lake.runtime = replace(self.lake.runtime, estimate=Estimate(self.clock))

    def handle(self, event: Event[Options], context: Context[Options]) -> Result:
        if event.options.fails:
            raise UnsupportedInput(f"{event.name}: not this one")

        def chunks() -> Iterator[bytes]:
            size = sum(map(len, event.body))
            self.clock.now += self.seconds
            yield str(size).encode()

        return Result(chunks())

    def offload(self, state: ObjectState) -> str:
        self.handed.append(state)
        return f"{state.size} bytes: handed to Job lake/upper-1"

    def takes(self, key: str, size_bytes: int) -> Outcome:
        ref = ObjectRef("upload", key)
        self.lake.put(bytes(size_bytes), ref)
        return self.lake.agree(ref)

    def learns(self, seconds: float) -> None:
        """Make three runs of 8 MiB that need so long."""
        self.seconds = seconds
        for number in range(MIN_RUNS):
            assert self.takes(f"{number}.csv", MIN_BYTES).kind == "processed"


def test_what_would_take_longer_than_the_limit_goes_to_a_job() -> None:
    worker = Worker()
    worker.learns(40.0)
    assert worker.takes("a.csv", MIN_BYTES).kind == "processed"
    outcome = worker.takes("b.csv", 2 * MIN_BYTES)
    assert (outcome.kind, outcome.status) == ("offloaded", 202)
    assert outcome.reason == f"about 80 seconds, {2 * MIN_BYTES} bytes: handed to Job lake/upper-1"
    assert [state.ref.key for state in worker.handed] == ["b.csv"]


def test_a_worker_that_has_just_started_hands_nothing_over_by_time() -> None:
    worker = Worker()
    worker.seconds = 500.0
    for number in range(MIN_RUNS):
        assert worker.takes(f"{number}.csv", MIN_BYTES).kind == "processed"
    assert worker.takes("next.csv", MIN_BYTES).kind == "offloaded"


def test_size_and_time_are_both_limits() -> None:
    worker = Worker(offload_above_bytes=3 * MIN_BYTES)
    assert worker.takes("large.csv", 3 * MIN_BYTES + 1).kind == "offloaded"
    worker.learns(40.0)
    assert worker.takes("long.csv", 2 * MIN_BYTES).kind == "offloaded"


def test_runs_that_end_without_a_result_teach_nothing() -> None:
    worker = Worker(config_options={"fails": "true"})
    for number in range(MIN_RUNS + 1):
        assert worker.takes(f"{number}.csv", MIN_BYTES).kind == "refused"
    assert worker.lake.runtime.estimate.seconds_for(1 << 50) is None


def test_without_the_setting_time_is_no_reason() -> None:
    worker = Worker(offload_above_seconds=None)
    worker.learns(1000.0)
    assert worker.takes("a.csv", MIN_BYTES).kind == "processed"


def test_the_setting_alone_asks_for_an_image(make_config: Any) -> None:
    alone = {"OFFLOAD_ABOVE_BYTES": "", "OFFLOAD_ABOVE_SECONDS": "60"}
    config = make_config(**alone)
    assert (config.offload_above_bytes, config.offload_above_seconds) == (None, 60)
    assert config.jobs is not None
    with pytest.raises(ConfigError, match=r"JOB_IMAGE: not set; OFFLOAD_ABOVE_\.\.\. needs the image"):
        make_config(**alone, JOB_IMAGE="")
    with pytest.raises(ConfigError, match="OFFLOAD_ABOVE_SECONDS='soon': expected a whole number"):
        make_config(**alone | {"OFFLOAD_ABOVE_SECONDS": "soon"})
