"""A bucket as a sink: marks in metadata, refusals beside the targets, nothing foreign touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from penstock import PermanentError, Result
from penstock.errors import TargetChanged, TemporaryError
from penstock.settings.config import SourceRule
from penstock.sinks.bucket import BucketSink, mark_of, target_ref
from penstock.sinks.bucket_address import BucketAddress
from penstock.store.memory import MemoryStore
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal

from tests.sink_contract import read, write

SOURCE = ObjectState(ObjectRef("upload", "a.txt"), 3, "etag")
MARK = Mark("state", "upper", "options", SOURCE.ref.digest)
REFUSAL = Refusal("UnsupportedInput", "no good", 415)
ADDRESS = "s3://processed/a.txt"
TARGET = ObjectRef("processed", "a.txt")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("processed")


@pytest.fixture
def sink(store: MemoryStore) -> BucketSink:
    address = BucketAddress.parse("s3://processed/{key}")
    return BucketSink(store, address, sources=(SourceRule("upload"),))


def put(sink: BucketSink, result: Result, mark: Mark = MARK, previous: Entry | None = None) -> Entry:
    return write(sink, ADDRESS, result, mark, SOURCE, previous)


def keys(store: MemoryStore) -> list[str]:
    return [state.ref.key for state in store.list("processed")]


def test_address_is_known_before_anything_is_made(sink: BucketSink) -> None:
    assert sink.address(SOURCE.ref, None) == ADDRESS
    assert target_ref(ADDRESS) == TARGET


@pytest.mark.parametrize("key", ["a/b", "a b", "s3://x/y", "100%", "日本", "two\nlines", "#?&"])
def test_address_leads_back_to_the_same_key(sink: BucketSink, key: str) -> None:
    assert target_ref(sink.address(ObjectRef("upload", key), None)) == ObjectRef("processed", key)


def test_what_was_written_is_what_is_read(sink: BucketSink, store: MemoryStore) -> None:
    written = put(sink, Result(b"ONE", content_type="text/x", metadata={"owner": "ann"}))
    assert read(sink, ADDRESS, MARK) == written
    state = store.stat(TARGET)
    assert state is not None
    assert (state.content_type, state.metadata["owner"]) == ("text/x", "ann")
    assert mark_of(state) == MARK


def test_object_without_a_mark_is_an_entry_without_one(sink: BucketSink, store: MemoryStore) -> None:
    store.put(TARGET, [b"mine"], metadata={"penstock-state": "only this"})
    entry = read(sink, ADDRESS, MARK)
    assert entry is not None
    assert entry.mark is None


def test_write_refuses_a_target_that_appeared_or_changed_or_went(sink: BucketSink, store: MemoryStore) -> None:
    store.put(TARGET, [b"foreign"])
    with pytest.raises(TargetChanged):
        put(sink, Result(b"ONE"))
    store.delete(TARGET)
    seen = put(sink, Result(b"ONE"))
    store.put(TARGET, [b"foreign"])
    with pytest.raises(TargetChanged):
        put(sink, Result(b"TWO"), previous=seen)
    assert store.read(TARGET) == b"foreign"


def test_refusal_is_read_back_with_its_reason(sink: BucketSink, store: MemoryStore) -> None:
    refused = sink.refuse(ADDRESS, REFUSAL, MARK, SOURCE, None)
    assert read(sink, ADDRESS, MARK) == refused == Entry(ADDRESS, MARK, REFUSAL)
    (key,) = keys(store)
    assert key.startswith(".penstock/refused/upper/")
    record = json.loads(store.read(ObjectRef("processed", key)))
    assert record["source"] == {"bucket": "upload", "key": "a.txt", "etag": "etag"}
    assert record["target"] == ADDRESS


def test_refusals_of_functions_renditions_and_sources_do_not_meet(sink: BucketSink, store: MemoryStore) -> None:
    other_function = Mark("state", "other", "options", MARK.source)
    other_source = Mark("state", "upper", "options", ObjectRef("upload", "b.txt").digest)
    for address, mark in (
        (ADDRESS, MARK),
        ("s3://processed/thumb/a.txt", MARK),
        (ADDRESS, other_function),
        (ADDRESS, other_source),
    ):
        sink.refuse(address, REFUSAL, mark, SOURCE, None)
    assert len(keys(store)) == 4


def test_refusal_takes_our_target_of_an_older_state_away(sink: BucketSink, store: MemoryStore) -> None:
    previous = put(sink, Result(b"ONE"))
    sink.refuse(ADDRESS, REFUSAL, MARK, SOURCE, previous)
    assert len(keys(store)) == 1
    entry = read(sink, ADDRESS, MARK)
    assert entry is not None
    assert entry.refusal == REFUSAL


def test_refusal_leaves_a_foreign_target_where_it_is(sink: BucketSink, store: MemoryStore) -> None:
    store.put(TARGET, [b"mine"])
    sink.refuse(ADDRESS, REFUSAL, MARK, SOURCE, read(sink, ADDRESS, MARK))
    assert store.read(TARGET) == b"mine"
    entry = read(sink, ADDRESS, MARK)
    assert entry is not None
    assert entry.mark is None
    assert sink.beside(ADDRESS, MARK) == Entry(ADDRESS, MARK, REFUSAL)


def test_write_takes_the_refusal_away_wherever_it_is(sink: BucketSink, store: MemoryStore) -> None:
    refused = sink.refuse(ADDRESS, REFUSAL, MARK, SOURCE, None)
    target = put(sink, Result(b"ONE"), previous=refused)
    assert keys(store) == ["a.txt"]
    sink.refuse(ADDRESS, REFUSAL, MARK, SOURCE, None)  # as a worker would that was overtaken
    seen = read(sink, ADDRESS, MARK)
    assert seen == target
    put(sink, Result(b"TWO"), previous=replace(seen, beside=sink.beside(ADDRESS, MARK)))
    assert keys(store) == ["a.txt"]


def test_remove_takes_ours_only(sink: BucketSink, store: MemoryStore) -> None:
    sink.remove(ADDRESS, MARK, put(sink, Result(b"ONE")))
    assert keys(store) == []
    store.put(TARGET, [b"mine"])
    foreign = read(sink, ADDRESS, MARK)
    assert foreign is not None
    sink.remove(ADDRESS, MARK, foreign)
    assert keys(store) == ["a.txt"]


def test_damaged_refusal_is_one_that_says_nothing(sink: BucketSink, store: MemoryStore) -> None:
    sink.refuse(ADDRESS, REFUSAL, MARK, SOURCE, None)
    (key,) = keys(store)
    for damage in (
        b"",
        b"{",
        b"[]",
        b"5",
        b'{"mark": 5}',
        b"\xff",
        b'{"error": 1, "reason": 2, "status": "x", "mark": {}}',
        b"[" * 100_000,
        b'{"source": ' * 100_000 + b"1" + b"}" * 100_000,
        json.dumps({"error": "E", "reason": "r", "status": "422", "mark": MARK._asdict()}).encode(),
        json.dumps({"error": "E", "reason": ["r"], "status": 422, "mark": MARK._asdict()}).encode(),
        json.dumps({"error": "E", "reason": "r", "status": 422, "mark": {**MARK._asdict(), "state": ["s"]}}).encode(),
        json.dumps({"error": "E", "reason": "r" * 5_000_000, "status": 422, "mark": MARK._asdict()}).encode(),
    ):
        store.put(ObjectRef("processed", key), [damage])
        entry = read(sink, ADDRESS, MARK)
        assert entry is not None
        assert entry.mark is None
        assert entry.refusal is not None
        # `reconcile` forgets such a record, and it names no source.
        assert sink.forget(sink.refusal_address(ADDRESS, MARK)) is None
        assert keys(store) == []


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (Result(b"", metadata={"name": "two\nlines"}), "an HTTP header cannot carry"),
        (Result(b"", metadata={"name": "日本"}), "an HTTP header cannot carry"),
        (Result(b"", metadata={"two words": "x"}), "an HTTP header cannot carry"),
        (Result(b"", metadata={"": "x"}), "an HTTP header cannot carry"),
        (Result(b"", content_type="text/x\r\nX-Evil: 1"), "an HTTP header cannot carry"),
        (Result(b"", metadata={"note": "x" * 1900}), "the store takes 2048, of which Penstock's own mark needs 187"),
    ],
)
def test_what_the_store_would_not_take_is_refused_before_anything_is_sent(
    sink: BucketSink, store: MemoryStore, result: Result, says: str
) -> None:
    requests: list[str] = []
    store.on_request = lambda verb, _ref: requests.append(verb)
    with pytest.raises(PermanentError, match=says):
        put(sink, result)
    assert requests == []


def test_metadata_that_just_fits_is_taken(sink: BucketSink, store: MemoryStore) -> None:
    own = sum(
        len(f"x-amz-meta-penstock-{name}{value}")
        for name, value in (
            ("state", MARK.state),
            ("function", MARK.function),
            ("options", MARK.options),
            ("source", MARK.source),
        )
    )
    put(sink, Result(b"", metadata={"note": "x" * (2048 - own - len("x-amz-meta-note"))}))
    assert keys(store) == ["a.txt"]


def test_mark_of_another_origin_is_not_carried_on(sink: BucketSink, store: MemoryStore) -> None:
    put(sink, Result(b"", metadata={"Penstock-State": "forged", "penstock-extra": "x", "Owner": "ann"}))
    state = store.stat(TARGET)
    assert state is not None
    assert mark_of(state) == MARK
    assert set(state.metadata) - {"owner"} == {
        f"penstock-{name}" for name in ("state", "function", "options", "source")
    }


def test_failure_in_the_middle_leaves_what_was_there(sink: BucketSink, store: MemoryStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise TemporaryError("broke")

    refused = sink.refuse(ADDRESS, REFUSAL, MARK, SOURCE, None)
    with pytest.raises(TemporaryError, match="broke"):
        put(sink, Result(broken()), previous=refused)
    assert read(sink, ADDRESS, MARK) == refused


def test_document_is_stored_as_json(sink: BucketSink, store: MemoryStore) -> None:
    put(sink, Result({"width": 5}, content_type="application/json"))
    assert json.loads(store.read(TARGET)) == {"width": 5}


def test_key_at_the_limit_is_taken_and_one_beyond_is_not(sink: BucketSink) -> None:
    at_limit = "s3://processed/" + "é" * 512
    write(sink, at_limit, Result(b"x"), MARK, SOURCE, None)
    assert read(sink, at_limit, MARK) is not None
    with pytest.raises(PermanentError, match="S3 allows 1024"):
        write(sink, at_limit + "x", Result(b"x"), MARK, SOURCE, None)


def test_missing_bucket_is_found_by_the_check() -> None:
    address = BucketAddress.parse("s3://processed/{key}")
    with pytest.raises(TemporaryError, match="s3://processed: the bucket does not exist"):
        BucketSink(MemoryStore("upload"), address).check()
