"""An index leaves documents alone that this function did not make from this store's object, and says so beside them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, Result
from penstock.reconcile.engine import reconcile
from penstock.runtime.outcome import Outcome
from penstock.sinks.sqlite import SqliteSink
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.lake import Lake

REFS = [ObjectRef("upload", f"{number}.txt") for number in range(4)]
MakeIndexed = Callable[..., Lake]


def describe(event: Event[Any], context: Context[Any]) -> Result:
    return Result({"made_by": context.function, "text": event.body.read().decode()})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


@pytest.fixture
def sink(path: Path) -> Iterator[SqliteSink]:
    with contextlib.closing(SqliteSink(path, "upper")) as sink:
        yield sink


@pytest.fixture
def make_indexed(sink: SqliteSink) -> MakeIndexed:
    """Makes a lake over the one index, with one object for each of `REFS`."""

    def make(function: str = "upper", **how: Any) -> Lake:
        lake = Lake(describe, sink=sink, function=function, store=MemoryStore("upload"), **how)
        for ref in REFS:
            lake.put(ref.key.encode(), ref)
        return lake

    return make


def makers(sink: SqliteSink) -> list[object]:
    """Who made each document, as the documents themselves say it."""
    return [found.get("made_by") if (found := sink.document(ref.bucket, ref.key)) else None for ref in REFS]


def kinds(ended: list[Outcome | Exception]) -> list[str]:
    return [one.kind if isinstance(one, Outcome) else type(one).__name__ for one in ended]


def agree(lake: Lake, *, in_a_batch: bool) -> list[Outcome | Exception]:
    return lake.runtime.agree_all(REFS) if in_a_batch else [lake.agree(ref) for ref in REFS]


def put_unmarked(path: Path, ref: ObjectRef) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO documents (id, version, body) VALUES (?, 'v', '{\"made_by\": \"them\"}')",
            (f"{ref.bucket}/{ref.key}",),
        )


@pytest.mark.parametrize("in_a_batch", [False, True], ids=["alone", "in a batch"])
def test_documents_of_another_function_stay_and_the_refusal_says_whose_they_are(
    make_indexed: MakeIndexed, sink: SqliteSink, in_a_batch: bool
) -> None:
    make_indexed("first").runtime.agree_all(REFS)
    second = make_indexed("second")
    ended = agree(second, in_a_batch=in_a_batch)
    assert kinds(ended) == ["refused"] * 4
    assert makers(sink) == ["first"] * 4
    for one in ended:
        assert isinstance(one, Outcome)
        assert "exists and was made by first, so second will not overwrite it" in one.reason
        assert [entry.address for entry in one.entries.values()] == [f"upload/{one.ref.key}"]
    again = agree(second, in_a_batch=in_a_batch)
    assert [one.changed for one in again if isinstance(one, Outcome)] == [False] * 4
    assert [one.entries for one in again if isinstance(one, Outcome)] == [
        one.entries for one in ended if isinstance(one, Outcome)
    ]


@pytest.mark.parametrize("in_a_batch", [False, True], ids=["alone", "in a batch"])
def test_documents_of_another_function_stay_when_the_source_goes(
    make_indexed: MakeIndexed, sink: SqliteSink, in_a_batch: bool
) -> None:
    make_indexed("first").runtime.agree_all(REFS)
    second = make_indexed("second")
    for was_refused in (False, True):
        for ref in REFS:
            second.delete(ref)
        ended = agree(second, in_a_batch=in_a_batch)
        assert kinds(ended) == ["ignored"] * 4
        assert makers(sink) == ["first"] * 4
        assert [found for _, found in sink.entries("upload") if found.refusal] == []
        if not was_refused:
            for ref in REFS:
                second.put(b"x", ref)
            agree(second, in_a_batch=in_a_batch)


def test_refusals_of_another_function_stay(make_indexed: MakeIndexed, sink: SqliteSink) -> None:
    def refuse(event: Event[Any], _context: Context[Any]) -> Result:
        from penstock import UnsupportedInput

        raise UnsupportedInput(f"{event.name}: not this one")

    first = Lake(refuse, sink=sink, function="first", store=MemoryStore("upload"))
    first.put(b"x", REFS[0])
    first.agree(REFS[0])
    second = make_indexed("second")
    assert second.agree(REFS[0]).kind == "refused"
    second.delete(REFS[0])
    assert second.agree(REFS[0]).kind == "ignored"
    document = sink.document("upload", REFS[0].key)
    assert document is not None
    assert (document["penstock"]["function"], document["penstock"]["refusal"]["status"]) == ("first", 415)


def test_check_tells_foreign_documents_and_each_function_its_own_state(
    make_indexed: MakeIndexed, sink: SqliteSink
) -> None:
    first, second = make_indexed("first"), make_indexed("second")
    first.runtime.agree_all(REFS)
    assert reconcile(second.runtime, check=True).found == {"foreign": 4}
    assert reconcile(second.runtime).done == {"refused": 4}
    assert makers(sink) == ["first"] * 4
    assert reconcile(second.runtime, check=True).found == {"agreeing": 4}
    assert reconcile(first.runtime, check=True).found == {"agreeing": 4}


def test_foreign_document_that_its_owner_removed_is_missing_until_it_is_made(
    make_indexed: MakeIndexed, sink: SqliteSink
) -> None:
    first, second = make_indexed("first"), make_indexed("second")
    first.runtime.agree_all(REFS)
    second.runtime.agree_all(REFS)
    first.delete(REFS[0])
    assert first.agree(REFS[0]).kind == "removed"
    assert reconcile(second.runtime, check=True).found == {"agreeing": 3, "missing": 1, "forgotten": 1}
    assert reconcile(second.runtime).done == {"processed": 1, "forgotten": 1}
    assert makers(sink) == ["second", "first", "first", "first"]
    assert reconcile(second.runtime, check=True).found == {"agreeing": 4}


def test_refusal_beside_a_foreign_document_goes_with_its_source_by_reconcile(make_indexed: MakeIndexed) -> None:
    first, second = make_indexed("first"), make_indexed("second")
    first.runtime.agree_all(REFS)
    second.runtime.agree_all(REFS)
    second.delete(REFS[0])
    assert reconcile(second.runtime, yes=True).found == {"agreeing": 3, "forgotten": 1}
    assert reconcile(second.runtime, check=True).found == {"agreeing": 3}


def test_document_without_a_mark_stays_until_it_is_adopted(
    make_indexed: MakeIndexed, sink: SqliteSink, path: Path
) -> None:
    sink.check()
    put_unmarked(path, REFS[1])
    lake = make_indexed()
    assert kinds(lake.runtime.agree_all(REFS)) == ["processed", "refused", "processed", "processed"]
    assert makers(sink) == ["upper", "them", "upper", "upper"]
    assert reconcile(lake.runtime, adopt=True).done == {"processed": 1}
    assert makers(sink) == ["upper"] * 4
    assert reconcile(lake.runtime, check=True).found == {"agreeing": 4}


def test_document_without_a_mark_stays_when_the_source_goes(
    make_indexed: MakeIndexed, sink: SqliteSink, path: Path
) -> None:
    sink.check()
    put_unmarked(path, REFS[0])
    lake = make_indexed()
    lake.agree(REFS[0])
    lake.delete(REFS[0])
    assert lake.agree(REFS[0]).kind == "ignored"
    assert makers(sink)[0] == "them"


def test_two_named_stores_with_one_bucket_name_share_no_document(make_indexed: MakeIndexed, sink: SqliteSink) -> None:
    east, west = make_indexed(store_name="east"), make_indexed(store_name="west")
    assert kinds(east.runtime.agree_all(REFS)) == ["processed"] * 4
    assert kinds(west.runtime.agree_all(REFS)) == ["refused"] * 4
    for ref in REFS:
        west.delete(ref)
    assert kinds(west.runtime.agree_all(REFS)) == ["ignored"] * 4
    assert reconcile(west.runtime, check=True).found == {}
    assert reconcile(east.runtime, check=True).found == {"agreeing": 4}
    assert kinds(east.runtime.agree_all(REFS)) == ["processed"] * 4


def test_documents_of_before_the_store_had_a_name_are_adopted(make_indexed: MakeIndexed, sink: SqliteSink) -> None:
    make_indexed().runtime.agree_all(REFS)
    named = make_indexed(store_name="east")
    outcome = named.agree(REFS[0])
    assert outcome.kind == "refused"
    assert "was made before STORE_NAME was set" in outcome.reason
    assert reconcile(named.runtime, check=True).found == {"agreeing": 1, "foreign": 3}
    assert reconcile(named.runtime, adopt=True).done == {"processed": 4}
    assert reconcile(named.runtime, check=True).found == {"agreeing": 4}


def test_targets_in_a_bucket_name_their_store_too(make_lake: Callable[..., Lake]) -> None:
    lake = make_lake(store_name="east", remove_with_source=True)
    source = lake.put(b"one")
    lake.agree()
    target = lake.state(ObjectRef("processed", "a.txt"))
    assert target is not None
    assert target.metadata["penstock-source"] == source.ref.digest_in("east")
    assert reconcile(lake.runtime, check=True).found == {"agreeing": 1}
    lake.delete()
    assert reconcile(lake.runtime, yes=True).done == {"removed": 1}
    assert lake.keys() == []
