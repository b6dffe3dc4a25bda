"""The last failure of an object is told until an attempt finishes it, and the oldest are forgotten first."""

from __future__ import annotations

from penstock.errors import TemporaryError
from penstock.runtime.answers import Failure
from penstock.serving.last_failures import LastFailures
from penstock.types import ObjectRef

ONE, TWO, THREE = (ObjectRef("upload", key) for key in ("one", "two", "three"))


def test_the_last_failure_counts_until_an_attempt_finishes_the_object() -> None:
    failures = LastFailures()
    failures.failed(ONE, Failure(ONE, TemporaryError("the store is away")))
    failures.failed(ONE, Failure(ONE, TemporaryError("the disk is full")))
    assert failures.reason(ONE) == "the last attempt failed: the disk is full"
    assert failures.reason(TWO) == ""
    failures.ended(ONE)
    assert failures.reason(ONE) == ""


def test_a_crash_is_told_by_its_incident() -> None:
    failures = LastFailures()
    failures.failed(ONE, Failure(ONE, None, "a1b2"))
    assert "a1b2" in failures.reason(ONE)


def test_the_one_that_failed_longest_ago_is_forgotten() -> None:
    failures = LastFailures(max_objects=2)
    for ref in (ONE, TWO, ONE, THREE):
        failures.failed(ref, Failure(ref, TemporaryError(f"no {ref.key}")))
    assert [failures.reason(ref) for ref in (ONE, TWO, THREE)] == [
        "the last attempt failed: no one",
        "",
        "the last attempt failed: no three",
    ]
