"""The runtime's rules (docs/architecture.md), one by one, on a store in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from penstock import Context, Event, Forbidden, NothingToDo, PermanentError, Result, TemporaryError, UnsupportedInput
from penstock.errors import SourceChanged
from penstock.reconcile.engine import reconcile
from penstock.settings.config import SourceRule
from penstock.sinks.bucket import mark_of
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.lake import SOURCE, TARGET, Lake, Options, upper

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


# Rule 1: what is not for this function


@pytest.mark.parametrize("key", ["a.csv", "photos/", ".penstock/refused/upper/1.json", ".penstock/x.txt"])
def test_key_outside_the_sources_is_ignored_without_a_request(make_lake: MakeLake, key: str) -> None:
    lake = make_lake(sources=(SourceRule("upload", suffix=".txt"), SourceRule("upload", suffix="/")))
    outcome = lake.agree(ObjectRef("upload", key))
    assert (outcome.kind, outcome.status, lake.requests) == ("ignored", 204, [])


def test_bucket_outside_the_allow_list_is_forbidden_and_nothing_is_read(lake: Lake) -> None:
    with pytest.raises(Forbidden, match=r"'secret' is no source of upper; its sources: upload"):
        lake.agree(ObjectRef("secret", "a.txt"))
    assert lake.requests == []


def test_own_target_bucket_is_not_on_the_allow_list(lake: Lake) -> None:
    with pytest.raises(Forbidden):
        lake.agree(TARGET)


def test_function_without_a_sink_says_what_to_set() -> None:
    lake = Lake()
    parts = replace(lake.runtime.parts, sink=None)
    lake.runtime.parts = parts
    with pytest.raises(TemporaryError, match="set SOURCE, SINK and MINIO_ENDPOINT"):
        lake.agree()


# Rule 2: present states, and what gone means


def test_new_object_costs_five_requests(lake: Lake) -> None:
    lake.put(b"one")
    assert lake.requests_of() == [
        "HEAD processed/a.txt",
        "GET refusal",
        "GET upload/a.txt",
        "PUT processed/a.txt",
        "HEAD upload/a.txt",
    ]
    assert lake.read() == b"ONE"


def test_unchanged_object_costs_two_requests_and_no_write(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    assert lake.requests_of() == ["HEAD processed/a.txt", "HEAD upload/a.txt"]


def test_changed_object_costs_six_requests(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")
    assert lake.requests_of() == [
        "HEAD processed/a.txt",
        "HEAD upload/a.txt",
        "GET refusal",
        "GET upload/a.txt",
        "PUT processed/a.txt",
        "HEAD upload/a.txt",
    ]
    assert lake.read() == b"TWO"


def test_refused_object_costs_six_requests_when_it_is_tried_again(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    assert lake.requests_of() == [
        "HEAD processed/a.txt",
        "GET refusal",
        "HEAD upload/a.txt",
        "GET upload/a.txt",
        "HEAD upload/a.txt",
    ]


def test_source_that_never_was_leaves_nothing(lake: Lake) -> None:
    assert lake.requests_of() == ["HEAD processed/a.txt", "GET refusal", "GET upload/a.txt"]
    assert lake.keys() == []


def test_removed_source_keeps_its_target_unless_told_otherwise(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.delete()
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("ignored", 204)
    assert "kept as configured" in outcome.reason
    assert lake.read() == b"ONE"


def test_removed_source_takes_its_target_along_where_configured(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    lake.delete()
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.changed) == ("removed", 200, True)
    assert lake.keys() == []


def test_missing_source_bucket_is_temporary_and_removes_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    del lake.store._buckets["upload"]
    with pytest.raises(TemporaryError, match="bucket does not exist"):
        lake.agree()
    assert lake.read() == b"ONE"


def test_missing_target_bucket_is_temporary_and_runs_nothing(make_lake: MakeLake) -> None:
    calls: list[str] = []

    def note(event: Event[Any], _context: Context[Any]) -> Result:
        calls.append(event.name)
        return Result(b"")

    lake = make_lake(note, store=MemoryStore("upload"))
    lake.put(b"one")
    with pytest.raises(TemporaryError, match="s3://processed: the bucket does not exist"):
        lake.agree()
    assert calls == []


# Rule 3: marks


def test_target_carries_state_function_options_and_source(lake: Lake) -> None:
    source = lake.put(b"one", metadata={"owner": "ann"}, content_type="text/plain")
    lake.agree()
    target = lake.state(TARGET)
    assert target is not None
    mark = mark_of(target)
    assert mark is not None
    assert (mark.state, mark.function, mark.source) == (source.token, "upper", SOURCE.digest)
    assert target.content_type == "text/plain"
    assert target.metadata["owner"] == "ann"


def test_redelivery_writes_nothing_and_gives_the_same_answer(lake: Lake) -> None:
    lake.put(b"one")
    first, second = lake.agree(), lake.agree()
    assert first.changed
    assert not second.changed
    assert replace(first, changed=False, source=None, entries={}) == replace(
        second, changed=False, source=None, entries={}
    )
    assert [(entry.address, entry.mark, entry.size) for entry in first.entries.values()] == [
        (entry.address, entry.mark, entry.size) for entry in second.entries.values()
    ]


def test_same_bytes_with_new_metadata_are_a_new_state(lake: Lake) -> None:
    lake.put(b"one", metadata={"owner": "ann"})
    lake.agree()
    lake.put(b"one", metadata={"owner": "bob"})
    assert lake.agree().changed
    target = lake.state(TARGET)
    assert target is not None
    assert target.metadata["owner"] == "bob"


def test_same_bytes_with_a_new_content_type_are_a_new_state(lake: Lake) -> None:
    lake.put(b"one", content_type="text/plain")
    lake.agree()
    lake.put(b"one", content_type="text/csv")
    assert lake.agree().changed


def test_same_bytes_as_a_new_version_are_a_new_state(make_lake: MakeLake) -> None:
    lake = make_lake(store=MemoryStore("upload", "processed", versioned=True))
    lake.put(b"one")
    lake.agree()
    lake.put(b"one")
    assert lake.agree().changed


def test_new_options_make_the_target_anew(make_lake: MakeLake) -> None:
    store = MemoryStore("upload", "processed")
    lake = make_lake(store=store)
    lake.put(b"one")
    lake.agree()
    assert not make_lake(store=store, config_options={"times": "1"}).agree().changed
    assert make_lake(store=store, config_options={"times": "2"}).agree().changed
    assert store.read(TARGET) == b"ONEONE"


def test_target_without_a_mark_is_never_overwritten(lake: Lake) -> None:
    lake.put(b"mine", TARGET)
    lake.put(b"one")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 422)
    assert outcome.reason.endswith(FOREIGN)
    assert lake.read() == b"mine"
    assert len(lake.refusals()) == 1


def test_target_without_a_mark_is_never_removed(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"mine", TARGET)
    lake.put(b"one")
    lake.agree()
    lake.delete()
    lake.agree()
    assert lake.keys() == ["a.txt"]
    assert lake.read() == b"mine"


def test_refused_source_leaves_a_foreign_target_alone(lake: Lake) -> None:
    lake.put(b"mine", TARGET)
    lake.put(b"bad")
    assert lake.agree().kind == "refused"
    assert lake.read() == b"mine"


def test_foreign_target_is_refused_once_not_at_every_delivery(lake: Lake) -> None:
    lake.put(b"mine", TARGET)
    lake.put(b"one")
    first = lake.agree()
    lake.requests.clear()
    second = lake.agree()
    assert (first.changed, second.changed) == (True, False)
    assert not {"PUT", "DELETE"} & {verb for verb, _ in lake.requests}


def test_target_of_another_source_is_never_overwritten(make_lake: MakeLake) -> None:
    lake = make_lake(sink="s3://processed/{stem}")
    png, jpeg = ObjectRef("upload", "a.png"), ObjectRef("upload", "a.jpg")
    lake.put(b"png", png)
    lake.put(b"jpeg", jpeg)
    assert lake.agree(png).kind == "processed"
    outcome = lake.agree(jpeg)
    assert outcome.kind == "refused"
    assert "was made by upper from another source" in outcome.reason
    assert outcome.reason.endswith("give each source its own target in SINK, or remove it")
    assert lake.read(ObjectRef("processed", "a")) == b"PNG"
    lake.delete(jpeg)
    lake.agree(jpeg)
    assert lake.keys() == ["a"]


def test_target_of_another_function_is_never_overwritten(make_lake: MakeLake) -> None:
    store = MemoryStore("upload", "processed")
    lake = make_lake(store=store)
    lake.put(b"one")
    lake.agree()
    other = make_lake(store=store, function="other", remove_with_source=True)
    assert other.agree().kind == "refused"
    other.delete()
    other.agree()
    assert store.read(TARGET) == b"ONE"


def test_mark_of_a_source_is_not_carried_on(lake: Lake) -> None:
    lake.put(b"one", metadata={"penstock-state": "x", "penstock-else": "y", "owner": "ann"})
    lake.agree()
    target = lake.state(TARGET)
    source = lake.state(SOURCE)
    assert target is not None
    assert source is not None
    assert target.metadata["penstock-state"] == source.token
    assert set(target.metadata) == {
        "owner",
        "penstock-state",
        "penstock-function",
        "penstock-options",
        "penstock-source",
    }


def test_metadata_over_two_kilobytes_is_a_permanent_refusal_that_says_so(lake: Lake) -> None:
    lake.put(b"one", metadata={"note": "x" * 1900})
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 422)
    assert "user metadata would be" in outcome.reason
    assert "the store takes 2048" in outcome.reason
    assert lake.read() is None


# Rule 4: exactly that state, and the look after


def test_source_overwritten_between_event_and_read_is_processed_as_it_is_now(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")

    def overwrite(verb: str, ref: ObjectRef) -> None:
        if verb == "GET" and ref == SOURCE:
            lake.before = None
            lake.put(b"three")

    lake.before = overwrite
    assert lake.agree().kind == "processed"
    assert lake.read() == b"THREE"


def test_source_with_new_metadata_between_look_and_read_is_read_again(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"two", metadata={"owner": "ann"})

    def touch(verb: str, ref: ObjectRef) -> None:
        if verb == "GET" and ref == SOURCE:
            lake.before = None
            lake.put(b"two", metadata={"owner": "bob"})

    lake.before = touch
    lake.agree()
    target = lake.state(TARGET)
    assert target is not None
    assert target.metadata["owner"] == "bob"


def test_source_deleted_between_look_and_read_leaves_no_new_target(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")

    def delete(verb: str, ref: ObjectRef) -> None:
        if verb == "GET" and ref == SOURCE:
            lake.before = None
            lake.delete()

    lake.before = delete
    assert lake.agree().kind == "removed"
    assert lake.keys() == []


def test_source_overwritten_while_the_result_is_written_is_processed_again(lake: Lake) -> None:
    lake.put(b"one")

    def overwrite(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT":
            lake.before = None
            lake.put(b"two")

    lake.before = overwrite
    outcome = lake.agree()
    assert outcome.source == lake.state(SOURCE)
    assert lake.read() == b"TWO"


def test_source_that_never_rests_is_a_temporary_error_after_three_rounds(lake: Lake) -> None:
    lake.put(b"0")
    writes = iter(range(1, 100))

    def overwrite(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT":
            lake.put(str(next(writes)).encode())

    lake.before = overwrite
    with pytest.raises(TemporaryError, match="kept changing") as caught:
        lake.agree()
    assert caught.value.retry_after == 1
    assert [verb for verb, _ in lake.requests].count("PUT") == 3


def test_target_written_by_somebody_else_meanwhile_is_looked_at_again(lake: Lake) -> None:
    lake.put(b"one")

    def interfere(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT" and ref == TARGET:
            lake.before = None
            lake.put(b"foreign", TARGET)

    lake.before = interfere
    assert lake.agree().kind == "refused"
    assert lake.read() == b"foreign"


def test_handler_sees_the_state_that_the_mark_names(make_lake: MakeLake) -> None:
    seen: list[tuple[bytes, int, str, dict[str, str]]] = []

    def note(event: Event[Any], _context: Context[Any]) -> Result:
        seen.append((event.body.read(), event.size, event.content_type, dict(event.metadata)))
        return Result(b"")

    lake = make_lake(note)
    lake.put(b"one", content_type="text/x", metadata={"k": "v"})
    lake.agree()
    lake.put(b"three", content_type="text/y", metadata={})
    lake.agree()
    assert seen == [(b"one", 3, "text/x", {"k": "v"}), (b"three", 5, "text/y", {})]


# Rule 5: all or nothing


def test_failed_transform_leaves_no_object(make_lake: MakeLake) -> None:
    def broken(event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            yield event.body.read()
            raise RuntimeError("half way")

        return Result(chunks())

    lake = make_lake(broken)
    lake.put(b"one")
    with pytest.raises(RuntimeError, match="half way"):
        lake.agree()
    assert lake.keys() == []


def test_failed_transform_keeps_the_old_target(make_lake: MakeLake) -> None:
    def broken(event: Event[Any], _context: Context[Any]) -> Result:
        data = event.body.read()
        if data == b"two":
            raise TemporaryError("later", retry_after=7)
        return Result(data)

    lake = make_lake(broken)
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")
    with pytest.raises(TemporaryError, match="later"):
        lake.agree()
    assert lake.read() == b"one"
    assert lake.refusals() == []


def test_refusal_in_the_middle_of_the_result_leaves_no_object(make_lake: MakeLake) -> None:
    def late(event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            yield event.body.read()
            raise UnsupportedInput("the second half is no good")

        return Result(chunks())

    lake = make_lake(late)
    lake.put(b"one")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 415)
    assert lake.read() is None


def _breaking_store(at: int) -> MemoryStore:
    """A store whose source connection breaks after `at` bytes, as `S3ObjectStore` reports it."""

    class Breaking(MemoryStore):
        broken = True

        def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> Any:
            found = super().open(ref, if_etag=if_etag)
            if found is None or ref.bucket != "upload" or not self.broken:
                return found
            state, chunks = found

            def cut() -> Iterator[bytes]:
                yield b"".join(chunks)[:at]
                raise TemporaryError(f"{ref}: the connection broke while it was read")

            return state, cut()

    return Breaking("upload", "processed")


def test_handler_that_takes_a_broken_connection_for_bad_input_refuses_nothing(make_lake: MakeLake) -> None:
    def decoder(event: Event[Any], _context: Context[Any]) -> Result:
        try:
            return Result(event.body.read())
        except Exception as exc:
            raise UnsupportedInput(f"{event.name}: truncated") from exc

    lake = make_lake(decoder, store=_breaking_store(2))
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []


def test_handler_that_overlooks_a_broken_connection_writes_no_half_result(make_lake: MakeLake) -> None:
    def lenient(event: Event[Any], _context: Context[Any]) -> Result:
        try:
            event.body.peek(100)
        except TemporaryError:
            return Result(b"only the beginning")
        return Result(b"all")

    lake = make_lake(lenient, store=_breaking_store(2))
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []


def test_lazy_result_that_overlooks_a_broken_connection_is_not_stored(make_lake: MakeLake) -> None:
    def lenient(event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            try:
                yield from event.body
            except TemporaryError:
                yield b"?"

        return Result(chunks())

    lake = make_lake(lenient, store=_breaking_store(2))
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []


def test_second_rendition_never_works_on_what_a_broken_connection_left(make_lake: MakeLake) -> None:
    def lenient(event: Event[Any], _context: Context[Any]) -> Result:
        try:
            return Result(event.body.read())
        except TemporaryError:
            return Result(b"?")

    lake = make_lake(
        lenient,
        store=_breaking_store(2),
        sink="s3://processed/{rendition}/{key}",
        renditions={"one": {}, "two": {}},
    )
    lake.put(b"good bytes")
    with pytest.raises(TemporaryError, match="the connection broke"):
        lake.agree()
    assert lake.keys() == []


# Rule 6: a target or a recorded refusal


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
    assert "longer than 1024 bytes" in outcome.reason
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


# Renditions: one source, several targets, each rule for each


def _renditions(make_lake: MakeLake, **how: Any) -> Lake:
    return make_lake(
        sink="s3://processed/{rendition}/{key}", renditions={"one": {"times": "1"}, "two": {"times": "2"}}, **how
    )


def test_renditions_are_made_from_one_fetch(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake)
    lake.put(b"ab")
    assert lake.requests_of() == [
        "HEAD processed/one/a.txt",
        "GET refusal",
        "HEAD processed/two/a.txt",
        "GET refusal",
        "GET upload/a.txt",
        "PUT processed/one/a.txt",
        "PUT processed/two/a.txt",
        "HEAD upload/a.txt",
    ]
    assert lake.read(ObjectRef("processed", "one/a.txt")) == b"AB"
    assert lake.read(ObjectRef("processed", "two/a.txt")) == b"ABAB"


def test_only_the_rendition_that_does_not_agree_is_made(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake)
    lake.put(b"ab")
    lake.agree()
    lake.delete(ObjectRef("processed", "two/a.txt"))
    made = [request for request in lake.requests_of() if request.startswith("PUT")]
    assert made == ["PUT processed/two/a.txt"]


def test_one_refused_rendition_refuses_the_event_and_keeps_the_other(make_lake: MakeLake) -> None:
    def picky(event: Event[Options], context: Context[Options]) -> Result:
        if context.rendition == "two":
            raise UnsupportedInput("not twice")
        return upper(event, context)

    lake = _renditions(make_lake, handle=picky)
    lake.put(b"ab")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.reason) == ("refused", 415, "not twice")
    assert lake.read(ObjectRef("processed", "one/a.txt")) == b"AB"
    assert len(lake.refusals()) == 1


def test_renditions_share_what_is_computed_once(make_lake: MakeLake) -> None:
    computed: list[str] = []

    def sharing(event: Event[Options], context: Context[Options]) -> Result:
        def decode() -> bytes:
            computed.append(str(context.rendition))
            return event.body.read()

        return Result(context.shared("decoded", decode) * event.options.times)

    lake = _renditions(make_lake, handle=sharing)
    lake.put(b"ab")
    lake.agree()
    assert computed == ["one"]
    assert lake.read(ObjectRef("processed", "two/a.txt")) == b"abab"


def test_removed_source_takes_all_renditions_along(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake, remove_with_source=True)
    lake.put(b"ab")
    lake.agree()
    lake.delete()
    lake.agree()
    assert lake.keys() == []


# Handing over to a Job


def test_large_source_is_handed_over_and_nothing_is_written(make_lake: MakeLake) -> None:
    handed: list[ObjectRef] = []

    def offload(state: Any) -> str:
        handed.append(state.ref)
        return "handed to job penstock-upper-1"

    lake = make_lake(offload=offload, offload_above_bytes=3)
    lake.put(b"four")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.reason) == ("offloaded", 202, "handed to job penstock-upper-1")
    assert handed == [SOURCE]
    assert lake.keys() == []


def test_large_source_that_agrees_already_is_not_handed_over(make_lake: MakeLake) -> None:
    store = MemoryStore("upload", "processed")
    lake = make_lake(store=store)
    lake.put(b"four")
    lake.agree()
    with_jobs = make_lake(store=store, offload=lambda _state: pytest.fail("handed over"), offload_above_bytes=3)
    assert with_jobs.agree().kind == "processed"


# Body mode


def test_body_mode_gives_what_the_handler_returns(lake: Lake) -> None:
    result = lake.runtime.transform("a.txt", 3, "text/plain", {"times": "2"}, [b"on", b"e"])
    assert result == Result(b"ONEONE", content_type="text/plain", metadata={}, name="a.txt")


def test_body_mode_makes_the_rendition_that_is_asked_for(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake)
    assert lake.runtime.transform("a", 2, "t/x", {"rendition": "two"}, [b"ab"]).body == b"ABAB"
    assert lake.runtime.transform("a", 2, "t/x", {}, [b"ab"]).body == b"AB"
    with pytest.raises(PermanentError, match="rendition 'big' is unknown; upper has: one, two"):
        lake.runtime.transform("a", 2, "t/x", {"rendition": "big"}, [b"ab"])


def test_nothing_to_do_is_an_error_of_its_own_in_body_mode(lake: Lake) -> None:
    with pytest.raises(NothingToDo):
        lake.runtime.transform("a", 4, "t/x", {}, [b"done"])


def test_changed_source_is_a_temporary_error() -> None:
    assert issubclass(SourceChanged, TemporaryError)
