"""The rules as plain functions: what they decide for one object, without a store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from penstock import NothingToDo, PermanentError, TemporaryError
from penstock.errors import InputTooLarge
from penstock.runtime.agreement import (
    agrees,
    check_owner,
    check_size,
    check_was_whole,
    is_same,
    outcome_of,
    outcome_when_gone,
    reason_to_offload,
    recorded_already,
    refusal_for,
    removals,
)
from penstock.settings.config import Config
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal

REF = ObjectRef("upload", "a.txt")
STATE = ObjectState(REF, 3, "e1")
MARK = Mark(STATE.token, "upper", "o", REF.digest)
REFUSAL = Refusal("UnsupportedInput", "no good", 415)
OURS = Entry("a", MARK, size=3, etag="1")
OLD = Entry("a", MARK._replace(state="older"))
REFUSED = Entry("a", MARK, REFUSAL)
OTHERS = Entry("a", MARK._replace(function="other"))
REFUSED_BY_OTHERS = replace(OTHERS, refusal=REFUSAL)
OTHER_SOURCE = Entry("a", MARK._replace(source="x"))
UNMARKED = Entry("a", None)
DAMAGED = Entry("a", None, Refusal("unknown", "the record is damaged", 0))


@pytest.mark.parametrize("entry", [OLD, REFUSED, OTHERS, UNMARKED, None])
def test_only_our_target_of_this_state_agrees(entry: Entry | None) -> None:
    assert agrees(OURS, MARK)
    assert not agrees(entry, MARK)


@pytest.mark.parametrize("previous", [None, OURS, OLD, REFUSED, DAMAGED])
def test_what_is_ours_or_absent_may_be_written(previous: Entry | None) -> None:
    check_owner(REF, "a", previous, MARK, adopt=False)


@pytest.mark.parametrize(
    ("previous", "may_adopt", "says"),
    [
        (UNMARKED, True, "carries no mark.*--adopt"),
        (OTHERS, False, "was made by other.*keep FUNCTION_NAME as it was"),
        (REFUSED_BY_OTHERS, False, "was made by other"),
        (OTHER_SOURCE, False, "was made by upper from another source"),
    ],
)
def test_what_is_foreign_may_not_be_written(previous: Entry, may_adopt: bool, says: str) -> None:
    with pytest.raises(PermanentError, match=says):
        check_owner(REF, "a", previous, MARK, adopt=False)
    if may_adopt:
        check_owner(REF, "a", previous, MARK, adopt=True)
    else:
        with pytest.raises(PermanentError, match=says):
            check_owner(REF, "a", previous, MARK, adopt=True)


def test_what_was_made_before_the_store_had_a_name_may_be_adopted() -> None:
    named = MARK._replace(source=REF.digest_in("east"))
    with pytest.raises(PermanentError, match=r"before STORE_NAME was set.*--adopt"):
        check_owner(REF, "a", OURS, named, adopt=False)
    check_owner(REF, "a", OURS, named, adopt=True)


def test_limit_of_the_input_is_named() -> None:
    check_size(STATE, 3)
    with pytest.raises(InputTooLarge, match="3 bytes; MAX_INPUT_BYTES is 2"):
        check_size(STATE, 2)


@pytest.mark.parametrize(
    ("entry", "removes", "expected", "kept"),
    [
        (None, True, [], ""),
        (OURS, True, [OURS], ""),
        (OURS, False, [], "is kept as configured"),
        (REFUSED, False, [REFUSED], ""),
        (replace(OURS, beside=REFUSED), False, [REFUSED], "is kept as configured"),
        (OTHERS, True, [], "was not made by upper and stays"),
        (replace(UNMARKED, beside=REFUSED), True, [REFUSED], "was not made by upper and stays"),
        (REFUSED_BY_OTHERS, True, [], "was not made by upper and stays"),
        (DAMAGED, False, [DAMAGED], ""),
    ],
)
def test_removals_of_a_source_that_is_gone(
    entry: Entry | None, removes: bool, expected: list[Entry], kept: str
) -> None:
    assert removals(entry, MARK, removes_with_source=removes) == (expected, kept)


def test_refusal_that_is_recorded_is_not_written_again() -> None:
    assert recorded_already(REFUSED, MARK, REFUSAL) == REFUSED
    assert recorded_already(replace(UNMARKED, beside=REFUSED), MARK, REFUSAL) == REFUSED
    for previous in (None, OURS, replace(OURS, beside=REFUSED), UNMARKED, DAMAGED, REFUSED_BY_OTHERS):
        assert recorded_already(previous, MARK, REFUSAL) is None
    assert recorded_already(REFUSED, MARK._replace(state="newer"), REFUSAL) is None
    assert recorded_already(REFUSED, MARK, REFUSAL._replace(reason="else")) is None


def test_refusal_names_class_text_and_status() -> None:
    assert refusal_for(PermanentError("x" * 5000), "") == Refusal("PermanentError", "x" * 2000, 422)
    assert refusal_for(NothingToDo("half \ud800"), "") == Refusal("NothingToDo", "half ?", 200)


def test_object_is_offloaded_by_its_size_or_its_time() -> None:
    assert reason_to_offload(Config("f"), 10, 100.0) is None
    assert reason_to_offload(Config("f", offload_above_bytes=9), 10, None) == ""
    assert reason_to_offload(Config("f", offload_above_bytes=10), 10, None) is None
    by_time = Config("f", offload_above_seconds=60)
    assert reason_to_offload(by_time, 10, None) is None
    assert reason_to_offload(by_time, 10, 60.0) is None
    assert reason_to_offload(by_time, 10, 61.2) == "about 61 seconds, "


def test_outcome_is_refused_when_one_rendition_is() -> None:
    assert outcome_of(STATE, {None: OURS}, changed=True).kind == "processed"
    refused = outcome_of(STATE, {"a": OURS, "b": REFUSED, "c": REFUSED}, changed=False)
    assert (refused.kind, refused.reason, refused.status, refused.changed) == ("refused", "no good", 415, False)


def test_outcome_of_a_source_that_is_gone_says_what_stays() -> None:
    assert outcome_when_gone(REF, [], changed=True).kind == "removed"
    kept = outcome_when_gone(REF, ["is kept as configured"], changed=False)
    assert (kept.kind, kept.status) == ("ignored", 204)
    assert kept.reason == "the source is gone; its target is kept as configured"


def test_source_is_the_same_by_its_state_and_its_size() -> None:
    assert is_same(STATE, replace(STATE))
    assert is_same(None, None)
    for now, then in (
        (STATE, None),
        (None, STATE),
        (replace(STATE, etag="e2"), STATE),
        (replace(STATE, size=2), STATE),
    ):
        assert not is_same(now, then)
    check_was_whole(None, STATE)
    check_was_whole(replace(STATE, etag="e2", size=2), STATE)
    with pytest.raises(TemporaryError, match="3 bytes were read and 2 are there"):
        check_was_whole(replace(STATE, size=2), STATE)
