"""What every `Store` promises, as tests: run on the store in memory, on moto and on a real MinIO."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from penstock.errors import PermanentError, SourceChanged, TargetChanged, TemporaryError
from penstock.store import Store
from penstock.store.headers import TAG_COUNT, TAGGING
from penstock.types import ObjectRef, ObjectState

MIB = 1024 * 1024

# Keys as people and programs make them; each must arrive exactly as it is.
KEYS = {
    "plain": "photos/rose.jpg",
    "space": "my photos/rose 1.jpg",
    "plus": "a+b.csv",
    "percent": "100%.csv",
    "percent escape": "a%2Fb%20c.csv",
    "ampersand": "a&b=c;d.csv",
    "question mark": "what?.csv",
    "hash": "no#1.csv",
    "quotes": 'it\'s "it".csv',
    "angle brackets": "<a>|b*c:d.csv",
    "backslash": "a\\b.csv",
    "brackets": "[a]{b}(c)^`~!@$,.csv",
    "leading dot": "..a/.b/c..",
    "spaces at both ends": " a /b ",
    "Japanese": "日本語/ファイル.csv",
    "combining": "e\u0301 is not \u00e9",
    "newline": "two\nlines.csv",
    "tab": "a\tb.csv",
    "900 bytes": "/".join(["x" * 224] * 4),
    "900 bytes in Japanese": "/".join(["語" * 74] * 4),
}


def read(store: Store, ref: ObjectRef) -> bytes:
    """All bytes of an object that is there."""
    opened = store.open(ref)
    assert opened is not None
    return b"".join(opened[1])


def write(store: Store, ref: ObjectRef, *chunks: bytes, **metadata: str) -> ObjectState:
    """Store an object with the content type text/x."""
    return store.put(ref, iter(chunks), content_type="text/x", metadata=metadata)


Unfinished = Callable[[], list[str]]


class Broken(Exception):
    """Raised in the middle of an upload."""


class Died(BaseException):
    """Not even an `Exception`."""


def failing(after: int, error: BaseException, chunk_bytes: int = MIB) -> Iterator[bytes]:
    """Chunks of `after` bytes in all, then `error`."""
    for at in range(0, after, chunk_bytes):
        yield b"x" * min(chunk_bytes, after - at)
    raise error


class StoreContract:
    """Subclasses give the fixtures `store`, `bucket` (empty) and `unfinished` (the keys of its open uploads)."""

    @pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
    def test_key_arrives_exactly_as_it_is(self, store: Store, bucket: str, key: str) -> None:
        ref = ObjectRef(bucket, key)
        write(store, ref, b"one", owner="ann")
        state = store.stat(ref)
        assert state is not None
        assert (state.ref, state.size, state.content_type, dict(state.metadata)) == (ref, 3, "text/x", {"owner": "ann"})
        assert read(store, ref) == b"one"
        assert [found.ref for found in store.list(bucket)] == [ref]
        store.delete(ref)
        assert store.stat(ref) is None
        assert store.open(ref) is None

    def test_trailing_slash_is_a_key_of_its_own(self, store: Store, bucket: str) -> None:
        write(store, ObjectRef(bucket, "photos/"))
        assert store.stat(ObjectRef(bucket, "photos/")) is not None
        assert store.stat(ObjectRef(bucket, "photos")) is None

    def test_all_ways_to_look_tell_the_same_state(self, store: Store, bucket: str) -> None:
        for key in ("plain", "odd\nkey"):
            ref = ObjectRef(bucket, key)
            written = write(store, ref, b"one", owner="ann", note="a=b; c")
            head, stat, opened = store.head(ref), store.stat(ref), store.open(ref)
            assert opened is not None
            assert head is not None
            assert stat is not None
            assert head.token == stat.token == opened[0].token == written.token
            assert len(head.etag) == 32
            list(opened[1])

    def test_empty_object_is_an_object(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "empty")
        assert write(store, ref).size == 0
        assert read(store, ref) == b""

    def test_new_metadata_on_the_same_bytes_is_a_new_state(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        first = write(store, ref, b"one", owner="ann")
        second = write(store, ref, b"one", owner="bob")
        assert first.etag == second.etag
        assert first.token != second.token

    def test_metadata_named_like_a_header_stays_metadata(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        names = {"content-type": "text/lie", "cache-control": "never", "content-language": "tlh"}
        store.put(ref, [b"one"], content_type="text/x", metadata=names)
        state = store.stat(ref)
        assert state is not None
        assert (state.content_type, dict(state.metadata)) == ("text/x", names)

    @pytest.mark.parametrize("size", [3, 6 * MIB], ids=["small", "in parts"])
    @pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
    def test_content_headers_and_tags_are_stored_and_told(self, store: Store, bucket: str, key: str, size: int) -> None:
        ref = ObjectRef(bucket, key)
        content = {
            "cache-control": "max-age=60",
            "content-disposition": 'attachment; filename="a b.csv"',
            "content-encoding": "br",
            "content-language": "de",
        }
        tagging = {TAGGING: "team=blood%20bank&level=1"}
        store.put(ref, [b"x" * size], content_type="text/x", metadata={"owner": "ann"}, headers=content | tagging)
        head, opened = store.head(ref), store.open(ref)
        assert head is not None
        assert opened is not None
        assert b"".join(opened[1]) == b"x" * size  # not decoded
        for state in (head, opened[0]):
            assert {name: value for name, value in state.headers.items() if name in content} == content
            assert dict(state.metadata) == {"owner": "ann"}
            assert store.tags(state) == {"team": "blood bank", "level": "1"}
        assert opened[0].headers[TAG_COUNT] == "2"
        assert head.token == opened[0].token

    def test_new_content_headers_on_the_same_bytes_are_a_new_state(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        tokens = set()
        for headers in ({}, {"content-encoding": "br"}, {"content-encoding": "gzip"}, {"cache-control": "no-cache"}):
            store.put(ref, [b"one"], content_type="text/x", metadata={}, headers=headers)
            state = store.stat(ref)
            assert state is not None
            tokens.add(state.token)
        assert len(tokens) == 4

    def test_object_without_tags_has_none(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        write(store, ref, b"one")
        state = store.stat(ref)
        assert state is not None
        assert TAG_COUNT not in state.headers
        assert store.tags(state) == {}

    def test_missing_object_is_gone(self, store: Store, bucket: str) -> None:
        for key in ("missing", "missing\nodd"):
            ref = ObjectRef(bucket, key)
            assert store.head(ref) is None
            assert store.stat(ref) is None
            assert store.open(ref) is None
            store.delete(ref)

    def test_missing_bucket_is_temporary_and_never_gone(self, store: Store, bucket: str) -> None:
        for key in ("a", "odd\nkey"):
            ref = ObjectRef(f"{bucket}-missing", key)
            for act in (
                lambda ref=ref: store.stat(ref),
                lambda ref=ref: store.open(ref),
                lambda ref=ref: write(store, ref, b"one"),
                lambda ref=ref: write(store, ref, b"x" * 6 * MIB),
                lambda ref=ref: list(store.list(ref.bucket)),
                lambda ref=ref: store.check(ref.bucket),
            ):
                with pytest.raises(TemporaryError, match=r"(?s)missing.*the bucket does not exist"):
                    act()

    def test_bucket_that_answers_is_checked_without_a_complaint(self, store: Store, bucket: str) -> None:
        store.check(bucket)

    def test_read_of_one_state_refuses_another(self, store: Store, bucket: str) -> None:
        for key in ("a", "odd\nkey"):
            ref = ObjectRef(bucket, key)
            first = write(store, ref, b"one")
            opened = store.open(ref, if_etag=first.etag)
            assert opened is not None
            assert b"".join(opened[1]) == b"one"
            write(store, ref, b"two")
            with pytest.raises(SourceChanged, match="changed before it was read"):
                store.open(ref, if_etag=first.etag)
            store.delete(ref)
            assert store.open(ref, if_etag=first.etag) is None

    def test_write_where_nothing_should_be_refuses_what_is_there(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        store.put(ref, [b"one"], content_type="t/x", metadata={}, if_absent=True)
        with pytest.raises(TargetChanged, match="another program wrote it meanwhile"):
            store.put(ref, [b"two"], content_type="t/x", metadata={}, if_absent=True)
        assert read(store, ref) == b"one"

    def test_write_over_one_state_refuses_another(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        first = write(store, ref, b"one")
        second = store.put(ref, [b"two"], content_type="t/x", metadata={}, if_etag=first.etag)
        with pytest.raises(TargetChanged):
            store.put(ref, [b"three"], content_type="t/x", metadata={}, if_etag=first.etag)
        assert read(store, ref) == b"two"
        store.delete(ref)
        with pytest.raises(TargetChanged):
            store.put(ref, [b"four"], content_type="t/x", metadata={}, if_etag=second.etag)
        assert store.stat(ref) is None

    @pytest.mark.parametrize("key", ["large", "large\nodd"], ids=["plain", "odd"])
    def test_object_written_by_somebody_else_during_a_large_write_is_kept(
        self, store: Store, bucket: str, unfinished: Unfinished, key: str
    ) -> None:
        ref = ObjectRef(bucket, key)

        def overtaken(foreign: bytes) -> Iterator[bytes]:
            yield from [b"x" * MIB] * 7
            write(store, ref, foreign)
            yield b"x"

        with pytest.raises(TargetChanged, match="another program wrote it meanwhile"):
            store.put(ref, overtaken(b"foreign"), content_type="t/x", metadata={}, if_absent=True)
        assert read(store, ref) == b"foreign"
        seen = store.head(ref)
        assert seen is not None
        with pytest.raises(TargetChanged):
            store.put(ref, overtaken(b"newer"), content_type="t/x", metadata={}, if_etag=seen.etag)
        assert read(store, ref) == b"newer"
        assert unfinished() == []

    @pytest.mark.parametrize("key", ["large", "large\nodd"], ids=["plain", "odd"])
    def test_large_write_over_the_state_that_was_seen_goes_through(self, store: Store, bucket: str, key: str) -> None:
        ref = ObjectRef(bucket, key)
        store.put(ref, [b"x" * MIB] * 7, content_type="t/x", metadata={}, if_absent=True)
        seen = store.head(ref)
        assert seen is not None
        store.put(ref, [b"y" * MIB] * 7, content_type="t/x", metadata={}, if_etag=seen.etag)
        assert read(store, ref) == b"y" * 7 * MIB

    def test_large_object_goes_in_parts_and_comes_back_whole(self, store: Store, bucket: str) -> None:
        for key in ("large", "large\nodd"):
            ref = ObjectRef(bucket, key)
            parts = [bytes([number]) * (MIB + number) for number in range(12)]
            written = write(store, ref, *parts, owner="ann")
            state = store.stat(ref)
            assert state is not None
            assert (state.size, dict(state.metadata)) == (sum(map(len, parts)), {"owner": "ann"})
            assert written.size == state.size
            assert read(store, ref) == b"".join(parts)

    @pytest.mark.parametrize("size", [5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB])
    def test_size_at_the_edge_of_a_part_is_stored_exactly(self, store: Store, bucket: str, size: int) -> None:
        ref = ObjectRef(bucket, "edge")
        assert write(store, ref, b"x" * size).size == size
        state = store.stat(ref)
        assert state is not None
        assert state.size == size

    @pytest.mark.parametrize("after", [0, 1, 5 * MIB - 1, 5 * MIB, 11 * MIB], ids=str)
    @pytest.mark.parametrize("key", ["new", "new\nodd"], ids=["plain", "odd"])
    def test_failure_while_writing_leaves_neither_object_nor_upload(
        self, store: Store, bucket: str, unfinished: Unfinished, after: int, key: str
    ) -> None:
        ref = ObjectRef(bucket, key)
        with pytest.raises(Broken):
            store.put(ref, failing(after, Broken()), content_type="t/x", metadata={})
        assert store.stat(ref) is None
        assert unfinished() == []

    def test_failure_while_writing_keeps_the_old_object(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        write(store, ref, b"old")
        for after in (1, 6 * MIB):
            with pytest.raises(Broken):
                store.put(ref, failing(after, Broken()), content_type="t/x", metadata={})
        assert read(store, ref) == b"old"

    @pytest.mark.parametrize(
        "error",
        [
            FileNotFoundError("a handler's own file"),
            ValueError("a handler's own value"),
            OSError(28, "No space left on device"),
            PermanentError("no good"),
            TemporaryError("later"),
            Died(),
        ],
        ids=lambda error: type(error).__name__,
    )
    @pytest.mark.parametrize("after", [1, 6 * MIB], ids=["whole", "parts"])
    @pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
    def test_what_the_chunks_raise_is_raised_as_it_is(
        self, store: Store, bucket: str, unfinished: Unfinished, error: BaseException, after: int, key: str
    ) -> None:
        with pytest.raises(type(error)) as caught:
            store.put(ObjectRef(bucket, key), failing(after, error), content_type="t/x", metadata={})
        assert caught.value is error
        assert unfinished() == []

    @pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
    def test_delete_that_expects_another_state_deletes_nothing(self, store: Store, bucket: str, key: str) -> None:
        ref = ObjectRef(bucket, key)
        store.delete(ref, if_still=lambda _state: False)  # nothing is there
        seen = write(store, ref, b"one", owner="ann")
        # The same bytes have the same ETag, with whatever metadata.
        write(store, ref, b"one", owner="bob")
        with pytest.raises(TargetChanged, match="another program wrote it meanwhile"):
            store.delete(ref, if_still=lambda state: (state.etag, state.metadata) == (seen.etag, seen.metadata))
        assert read(store, ref) == b"one"
        store.delete(ref, if_still=lambda state: state.metadata == {"owner": "bob"})
        assert store.stat(ref) is None

    def test_object_is_copied_while_it_is_read(self, store: Store, bucket: str) -> None:
        source, target = ObjectRef(bucket, "source"), ObjectRef(bucket, "target")
        write(store, source, *[b"y" * MIB] * 7)
        opened = store.open(source)
        assert opened is not None
        store.put(target, opened[1], content_type="t/x", metadata={})
        assert read(store, target) == b"y" * 7 * MIB

    def test_unread_object_can_be_let_go(self, store: Store, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        write(store, ref, *[b"y" * MIB] * 3)
        for _ in range(20):
            opened = store.open(ref)
            assert opened is not None
            close = getattr(opened[1], "close", None)
            if close is not None:
                close()
        assert len(read(store, ref)) == 3 * MIB

    def test_listing_is_in_key_order_by_plain_prefix(self, store: Store, bucket: str) -> None:
        # Not "b" itself: MinIO keeps what lies below an object's key, but does not list it.
        for key in ("b/2", "b/10", "b.x", "a", "bb", "B", "日"):
            write(store, ObjectRef(bucket, key), b"x")
        assert [state.ref.key for state in store.list(bucket)] == ["B", "a", "b.x", "b/10", "b/2", "bb", "日"]
        assert [state.ref.key for state in store.list(bucket, "b")] == ["b.x", "b/10", "b/2", "bb"]
        assert [state.ref.key for state in store.list(bucket, "b/")] == ["b/10", "b/2"]
        assert [state.ref.key for state in store.list(bucket, "b", "b/10")] == ["b/2", "bb"]
