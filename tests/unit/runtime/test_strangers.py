"""What another program stores in the target's place stays, at whichever moment it does so (ADR 24)."""

from __future__ import annotations

import pytest
from penstock.types import ObjectRef

from tests.lake import SOURCE, TARGET, Lake

FOREIGN = b"foreign"


def made_lake(change: str) -> Lake:
    """A lake with a target, whose source then changes in a way that takes the target away."""
    lake = Lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    if change == "removed":
        lake.delete()
    else:
        lake.put(b"bad")
    return lake


def requests_before_the_delete(change: str) -> int:
    lake = made_lake(change)
    lake.requests.clear()
    lake.agree()
    return lake.requests.index(("DELETE", f"{TARGET.bucket}/{TARGET.key}")) + 1


def stored_at(moment: int, change: str, *, like_ours: bool) -> Lake:
    """The lake after another program stored the target ahead of the request of this number, and a redelivery."""
    lake = made_lake(change)
    made = lake.read() or b""
    made_so_far = 0

    def store(_verb: str, _ref: ObjectRef) -> None:
        nonlocal made_so_far
        made_so_far += 1
        if made_so_far == moment:
            # The same bytes without our mark have the same ETag.
            lake.put(made if like_ours else FOREIGN, TARGET)

    lake.before = store
    lake.agree()
    lake.before = None
    lake.agree()
    return lake


@pytest.mark.parametrize("like_ours", [False, True], ids=["other bytes", "our bytes without the mark"])
@pytest.mark.parametrize("change", ["removed", "refused"])
def test_target_stored_by_another_program_at_any_moment_before_a_delete_stays(change: str, like_ours: bool) -> None:
    moments = requests_before_the_delete(change)
    assert moments >= 4
    for moment in range(1, moments + 1):
        lake = stored_at(moment, change, like_ours=like_ours)
        assert lake.read() == (b"ONE" if like_ours else FOREIGN), moment
        target = lake.state(TARGET)
        assert target is not None
        assert target.metadata == {}, moment


def test_refusal_is_recorded_beside_a_target_that_was_stored_while_the_source_was_read() -> None:
    lake = stored_at(4, "refused", like_ours=False)
    [record] = lake.refusals()
    assert "will not overwrite it" in record["reason"]


def test_newer_target_of_another_worker_is_not_deleted_by_a_slower_one() -> None:
    lake = made_lake("removed")

    def another_worker(verb: str, ref: ObjectRef) -> None:
        if (verb, ref) == ("DELETE", TARGET):
            lake.before = None
            lake.put(b"two", SOURCE)
            Lake(store=lake.store, remove_with_source=True).agree()

    lake.before = another_worker
    assert lake.agree().kind == "processed"
    assert lake.read() == b"TWO"
