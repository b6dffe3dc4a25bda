"""Rule 6: every state ends as a target or as a recorded refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from penstock import Context, Event, PermanentError, Result
from penstock.reconcile.engine import reconcile
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.lake import TARGET, Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def test_permanent_error_is_recorded_durably_with_state_and_reason(lake: Lake) -> None:
    source = lake.put(b"bad")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.changed) == ("refused", 415, True)
    (record,) = lake.refusals()
    assert record["source"] == {"bucket": "upload", "key": "a.txt", "etag": source.etag}
    assert record["mark"]["state"] == source.token
    assert (record["error"], record["reason"], record["status"]) == (
        "UnsupportedInput",
        "a.txt: starts with bad",
        415,
    )
    assert lake.read() is None


def test_nothing_to_do_is_recorded_and_is_a_200(lake: Lake) -> None:
    lake.put(b"done")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 200)
    assert [record["error"] for record in lake.refusals()] == ["NothingToDo"]


def test_refusal_removes_the_target_of_an_older_state(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"bad")
    lake.agree()
    assert lake.read() is None
    assert len(lake.refusals()) == 1


def test_success_replaces_the_refusal_of_an_older_state(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    lake.put(b"one")
    assert lake.agree().kind == "processed"
    assert lake.keys() == ["a.txt"]


def test_refusal_is_repeated_but_not_written_again(lake: Lake) -> None:
    lake.put(b"bad")
    first = lake.agree()
    lake.requests.clear()
    second = lake.agree()
    assert (second.kind, second.changed) == ("refused", False)
    assert second.entries == first.entries
    assert "PUT" not in [verb for verb, _ in lake.requests]


def test_refusal_goes_with_its_source_even_where_targets_are_kept(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    lake.delete()
    outcome = lake.agree()
    assert lake.keys() == []
    assert outcome.kind == "removed"


def test_refusal_beside_a_foreign_target_goes_with_its_source(lake: Lake) -> None:
    lake.put(b"mine", TARGET)
    lake.put(b"one")
    lake.agree()
    lake.delete()
    lake.agree()
    assert lake.keys() == ["a.txt"]


def test_refusal_left_beside_its_target_by_a_crash_goes_with_reconcile(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    lake.put(b"one")

    class Killed(BaseException):
        pass

    def kill(verb: str, ref: ObjectRef) -> None:
        if verb == "DELETE":
            lake.before = None
            raise Killed

    lake.before = kill
    with pytest.raises(Killed):
        lake.agree()
    assert lake.agree().kind == "processed"
    assert reconcile(lake.runtime).found == {"agreeing": 1, "forgotten": 1}
    assert lake.keys() == ["a.txt"]
    assert lake.read() == b"ONE"


def test_damaged_refusal_record_counts_as_one_to_replace(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    (name,) = lake.keys()
    lake.put(b"{", ObjectRef("processed", name))
    assert lake.agree().kind == "refused"
    assert [record["error"] for record in lake.refusals()] == ["UnsupportedInput"]


def test_reason_with_half_a_surrogate_pair_is_recorded_all_the_same(make_lake: MakeLake) -> None:
    def odd(event: Event[Any], _context: Context[Any]) -> Result:
        raise PermanentError(f"cannot read {event.body.read().decode('utf-8', 'surrogateescape')!s}")

    lake = make_lake(odd)
    lake.put(b"\xff")
    assert lake.agree().kind == "refused"
    assert [record["reason"] for record in lake.refusals()] == ["cannot read ?"]


def test_reason_is_cut_before_it_fills_the_store(make_lake: MakeLake) -> None:
    def chatty(event: Event[Any], _context: Context[Any]) -> Result:
        raise PermanentError("x" * 1_000_000)

    lake = make_lake(chatty)
    lake.put(b"one")
    lake.agree()
    assert len(lake.refusals()[0]["reason"]) < 3000


def test_target_key_that_is_too_long_is_a_recorded_refusal_that_goes_with_its_source(make_lake: MakeLake) -> None:
    lake = make_lake(sink="s3://processed/" + "p" * 200 + "/{key}")
    ref = ObjectRef("upload", "k" * 900)
    lake.put(b"one", ref)
    outcome = lake.agree(ref)
    assert (outcome.kind, outcome.status) == ("refused", 422)
    assert "S3 allows 1024; give the object another name" in outcome.reason
    assert len(lake.refusals()) == 1
    assert not lake.agree(ref).changed
    lake.delete(ref)
    lake.agree(ref)
    assert lake.keys() == []


def test_key_that_only_the_target_bucket_refuses_is_a_refusal_that_goes_with_its_source(make_lake: MakeLake) -> None:
    class Picky(MemoryStore):
        """As MinIO: a segment of more than 255 bytes is refused, by every verb."""

        def head(self, ref: ObjectRef) -> Any:
            self._check(ref)
            return super().head(ref)

        def put(self, ref: ObjectRef, *chunks: Any, **how: Any) -> Any:
            self._check(ref)
            return super().put(ref, *chunks, **how)

        def _check(self, ref: ObjectRef) -> None:
            if ref.bucket == "processed" and max(map(len, ref.key.split("/"))) > 255:
                raise PermanentError(f"{ref}: the store refuses it: XMinioInvalidObjectName")

    lake = make_lake(store=Picky("upload", "processed"), sink="s3://processed/{key}.gz")
    ref = ObjectRef("upload", "k" * 254)
    lake.put(b"one", ref)
    assert lake.agree(ref).kind == "refused"
    assert not lake.agree(ref).changed
    assert len(lake.refusals()) == 1
    lake.delete(ref)
    lake.agree(ref)
    assert lake.keys() == []


def test_input_over_the_limit_is_refused_before_it_is_read(make_lake: MakeLake) -> None:
    lake = make_lake(max_input_bytes=3)
    lake.put(b"four")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 413)
    assert "4 bytes; MAX_INPUT_BYTES is 3" in outcome.reason
