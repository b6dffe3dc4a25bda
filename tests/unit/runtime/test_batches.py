"""Several objects in one request, into an index: they are stored together, and each still ends for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, Forbidden, PermanentError, Result, TemporaryError
from penstock.runtime.estimate import MIN_BYTES, Estimate
from penstock.runtime.outcome import Outcome
from penstock.sinks.sqlite import SqliteSink
from penstock.store.memory import MemoryStore
from penstock.types import Mark, ObjectRef, Write

from tests.clock import Clock
from tests.lake import Lake, upper

REFS = [ObjectRef("upload", f"{number}.txt") for number in range(5)]


def describe(event: Event[Any], context: Context[Any]) -> Result:
    return Result({"text": str(upper(event, context).body)})


class CountingSink(SqliteSink):
    """Notes the size of each batch that is asked for and stored; `before` runs ahead of each."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "upper")
        self.batches: list[int] = []
        self.questions: list[int] = []
        self.before: Callable[[], object] = lambda: None

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Any]:
        self.questions.append(len(places))
        return super().read_many(places)

    def write_many(self, writes: Sequence[Write]) -> list[Any]:
        self.batches.append(len(writes))
        self.before()
        return super().write_many(writes)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[CountingSink]:
    made = CountingSink(tmp_path / "index.db")
    yield made
    made.close()


@pytest.fixture
def lake(sink: CountingSink) -> Lake:
    made = Lake(describe, sink=sink)
    for ref in REFS:
        made.put(ref.key.encode(), ref)
    return made


def kinds(ended: Sequence[Outcome | Exception]) -> list[str]:
    return [one.kind if isinstance(one, Outcome) else type(one).__name__ for one in ended]


def text_of(sink: CountingSink, ref: ObjectRef) -> object:
    found = sink.document(ref.bucket, ref.key)
    return found and found.get("text")


def test_batch_is_stored_together_and_each_object_is_looked_at_after_the_write(lake: Lake, sink: CountingSink) -> None:
    ended = lake.runtime.agree_all(REFS)
    assert kinds(ended) == ["processed"] * 5
    assert [one.ref for one in ended if isinstance(one, Outcome)] == REFS
    assert sink.batches == [5]
    assert [text_of(sink, ref) for ref in REFS] == [str(ref.key.upper().encode()) for ref in REFS]
    assert [verb for verb, _ in lake.requests] == ["GET"] * 5 + ["HEAD"] * 5


def test_batch_asks_the_index_once(lake: Lake, sink: CountingSink) -> None:
    lake.runtime.agree_all(REFS[:3])
    lake.runtime.agree_all(REFS)
    assert sink.questions == [3, 5]
    assert [text_of(sink, ref) for ref in REFS] == [str(ref.key.upper().encode()) for ref in REFS]


def test_index_that_cannot_be_asked_fails_each_object_of_the_batch(
    lake: Lake, sink: CountingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_places: Sequence[tuple[str, Mark]]) -> list[Any]:
        raise TemporaryError("locked")

    monkeypatch.setattr(sink, "read_many", unreachable)
    assert kinds(lake.runtime.agree_all(REFS)) == ["TemporaryError"] * 5
    assert lake.requests == []


def test_question_that_is_refused_does_not_mean_that_nothing_is_there(
    lake: Lake, sink: CountingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.runtime.agree_all(REFS)
    for ref in REFS:
        lake.delete(ref)

    def refused(_places: Sequence[tuple[str, Mark]]) -> list[Any]:
        raise PermanentError("413 too large")

    with monkeypatch.context() as patched:
        patched.setattr(sink, "read_many", refused)
        assert kinds(lake.runtime.agree_all(REFS)) == ["TemporaryError"] * 5
    assert kinds(lake.runtime.agree_all(REFS)) == ["removed"] * 5
    assert [text_of(sink, ref) for ref in REFS] == [None] * 5


def test_time_of_an_object_is_not_that_of_its_batch(sink: CountingSink) -> None:
    clock = Clock()

    def slow(event: Event[Any], context: Context[Any]) -> Result:
        clock.now += 1.0
        return Result({"bytes": sum(map(len, event.body))})

    lake = Lake(slow, sink=sink)
    runtime = replace(lake.runtime, estimate=Estimate(clock))
    for ref in REFS:
        lake.put(bytes(MIN_BYTES), ref)
    assert kinds(runtime.agree_all(REFS)) == ["processed"] * 5
    assert runtime.estimate.seconds_for(MIN_BYTES) == pytest.approx(1.0)


def test_second_delivery_of_a_batch_stores_nothing(lake: Lake, sink: CountingSink) -> None:
    lake.runtime.agree_all(REFS)
    again = lake.runtime.agree_all(REFS)
    assert [one.changed for one in again if isinstance(one, Outcome)] == [False] * 5
    assert sink.batches == [5]


def test_no_source_stays_open_while_a_document_waits_for_the_others(sink: CountingSink) -> None:
    open_now = []

    class Watched(MemoryStore):
        def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> Any:
            found = super().open(ref, if_etag=if_etag)
            return found and (found[0], watched(ref, found[1]))

    def watched(ref: ObjectRef, chunks: Iterable[bytes]) -> Iterator[bytes]:
        open_now.append(ref)
        try:
            yield from chunks
        finally:
            open_now.remove(ref)

    def describe_beginning(event: Event[Any], _context: Context[Any]) -> Result:
        return Result({"text": event.body.peek(1).decode()})

    lake = Lake(describe_beginning, sink=sink, store=Watched("upload", "processed"))
    for ref in REFS:
        lake.put(b"x" * 2**20, ref)
    seen: list[int] = []
    sink.before = lambda: seen.append(len(open_now))
    assert kinds(lake.runtime.agree_all(REFS)) == ["processed"] * 5
    assert seen == [0]


def test_each_object_of_a_batch_ends_for_itself(lake: Lake, sink: CountingSink) -> None:
    lake.put(b"bad", REFS[1])
    lake.delete(REFS[2])
    elsewhere = ObjectRef("secret", "a.txt")
    ended = lake.runtime.agree_all([*REFS[:3], elsewhere, ObjectRef("upload", "folder/")])
    assert kinds(ended) == ["processed", "refused", "removed", "Forbidden", "ignored"]
    assert isinstance(ended[3], Forbidden)
    assert sink.batches == [1]


def test_object_that_changes_while_its_document_waits_is_described_as_it_is_now(lake: Lake, sink: CountingSink) -> None:
    def overwrite() -> None:
        sink.before = lambda: None
        lake.put(b"new", REFS[3])

    sink.before = overwrite
    assert kinds(lake.runtime.agree_all(REFS)) == ["processed"] * 5
    assert text_of(sink, REFS[3]) == str(b"NEW")
    assert sink.batches == [5, 1]


def test_document_that_somebody_else_stored_meanwhile_is_looked_at_again(lake: Lake, sink: CountingSink) -> None:
    def other_worker() -> None:
        sink.before = lambda: None
        Lake(describe, sink=sink, store=lake.store).agree(REFS[0])

    sink.before = other_worker
    assert kinds(lake.runtime.agree_all(REFS)) == ["processed"] * 5
    assert text_of(sink, REFS[0]) == str(b"0.TXT")


def test_crash_of_one_handler_leaves_the_others_of_its_batch_alone(sink: CountingSink) -> None:
    def crash(event: Event[Any], _context: Context[Any]) -> Result:
        if event.name == "2.txt":
            raise ZeroDivisionError
        return Result({"text": event.name})

    lake = Lake(crash, sink=sink)
    for ref in REFS:
        lake.put(b"x", ref)
    assert kinds(lake.runtime.agree_all(REFS)) == ["processed"] * 2 + ["ZeroDivisionError"] + ["processed"] * 2
    assert sink.batches == [4]


def test_batch_that_cannot_be_stored_is_to_be_tried_again(lake: Lake, tmp_path: Path) -> None:
    class Full(CountingSink):
        def write_many(self, writes: Sequence[Write]) -> list[Any]:
            return [TemporaryError("the disk is full") for _ in writes]

    lake.runtime = Lake(describe, sink=Full(tmp_path / "all.db"), store=lake.store).runtime
    assert kinds(lake.runtime.agree_all(REFS)) == ["TemporaryError"] * 5


def test_objects_for_a_bucket_are_brought_one_after_the_other() -> None:
    lake = Lake()
    for ref in REFS:
        lake.put(b"x", ref)
    assert kinds(lake.runtime.agree_all([*REFS, ObjectRef("secret", "a")])) == ["processed"] * 5 + ["Forbidden"]
    first = [f"{verb} {key}" for verb, key in lake.requests if "0.txt" in key or ".penstock" in key][:5]
    assert first[0] == "HEAD processed/0.txt"
    assert [key for verb, key in lake.requests if verb == "PUT"] == [f"processed/{ref.key}" for ref in REFS]
