"""The estimate of an object's time, from runs whose times are given."""

import threading

import pytest
from penstock.runtime.estimate import FORGET_SECONDS, MIN_BYTES, MIN_RUNS, Estimate

from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def estimate(clock: Clock) -> Estimate:
    return Estimate(clock)


def test_nothing_is_estimated_before_enough_runs(estimate: Estimate) -> None:
    for _ in range(MIN_RUNS - 1):
        estimate.add(MIN_BYTES, 2.0)
        assert estimate.seconds_for(MIN_BYTES) is None
    estimate.add(MIN_BYTES, 2.0)
    assert estimate.seconds_for(10 * MIN_BYTES) == pytest.approx(20.0)


def test_small_runs_say_nothing_about_large_objects(estimate: Estimate) -> None:
    for _ in range(100):
        estimate.add(MIN_BYTES - 1, 2.0)
    assert estimate.seconds_for(1 << 40) is None


def test_the_first_runs_count_alike(estimate: Estimate) -> None:
    for seconds in (1.0, 2.0, 6.0):
        estimate.add(MIN_BYTES, seconds)
    assert estimate.seconds_for(MIN_BYTES) == pytest.approx(3.0)


def test_newer_runs_count_more(estimate: Estimate) -> None:
    for _ in range(50):
        estimate.add(MIN_BYTES, 1.0)
    estimate.add(MIN_BYTES, 11.0)
    assert estimate.seconds_for(MIN_BYTES) == pytest.approx(4.0)
    for _ in range(20):
        estimate.add(MIN_BYTES, 11.0)
    assert estimate.seconds_for(MIN_BYTES) == pytest.approx(11.0, rel=0.01)


def test_an_estimate_that_no_run_renews_is_given_up_and_learnt_anew(estimate: Estimate, clock: Clock) -> None:
    for _ in range(MIN_RUNS):
        estimate.add(MIN_BYTES, 100.0)
    clock.now += FORGET_SECONDS
    assert estimate.seconds_for(MIN_BYTES) == pytest.approx(100.0)
    clock.now += 1
    assert estimate.seconds_for(MIN_BYTES) is None
    for _ in range(MIN_RUNS):
        estimate.add(MIN_BYTES, 1.0)
    assert estimate.seconds_for(MIN_BYTES) == pytest.approx(1.0)


def test_runs_of_many_threads_all_count(estimate: Estimate) -> None:
    threads = [threading.Thread(target=lambda: estimate.add(MIN_BYTES, 5.0)) for _ in range(MIN_RUNS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert estimate.seconds_for(MIN_BYTES) == pytest.approx(5.0)
