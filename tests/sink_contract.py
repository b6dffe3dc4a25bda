"""What every `Sink` promises, as tests: run on a bucket in memory, on SQLite, and on fake and real search servers."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, Protocol

import pytest
from penstock.errors import HandlerError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import Sink
from penstock.sinks.document import SearchableSink
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Result, Write

SOURCE = ObjectRef("upload", "in/rose.txt")
MARK = Mark("s1", "upper", "o", SOURCE.digest)
REFUSAL = Refusal("UnsupportedInput", "not a picture", 415)
OTHER_REFUSAL = Refusal("PermanentError", "exists and is foreign", 422)
MADE = Result({"kind": "text"})

# Who else may have made what is in the place of our target.
FOREIGN: dict[str, Mark | None] = {
    "without a mark": None,
    "of another function": Mark("s1", "other", "o", SOURCE.digest),
    "of another source": Mark("s1", "upper", "o", ObjectRef("upload", "in/tulip.txt").digest),
    "of another store": Mark("s1", "upper", "o", SOURCE.digest_in("east")),
}
of_each_owner = pytest.mark.parametrize("owner", FOREIGN.values(), ids=FOREIGN)

# What is asked of an index that holds `SEARCHED`, and whether it is found: by whole words, by beginnings with `*`, and
# by nothing that a query language of the index would read in another way.
SEARCHED = {"columns": ["email", "birthday"], "first_rows": [["a@b.org", "Müller"], ["日本語", "1e5"]]}
QUERIES: list[tuple[str, bool]] = [
    ("rose", True),
    ("ROSE.jpg", True),
    ("zeiss", True),
    ("birthd*", True),
    ("rose birthd* zeis*", True),
    ("birthd* tulip", False),
    ("BIRTHD*", True),
    ("muller", True),
    ("日本語", True),
    ("birthd", False),
    ("rose tulip", False),
    ('rose" OR "x', False),
    ("rose | other", False),
    ("-other", False),
]

# Documents with what JSON cannot hold, and what the error says of the field.
_ITSELF: dict[str, object] = {}
_ITSELF["self"] = _ITSELF
WRONG: dict[str, tuple[dict[object, object], str]] = {
    "nan": ({"image": {"widths": [1, math.nan]}}, r"image\.widths\[1\]: nan is not a number of JSON"),
    "infinity": ({"width": math.inf, "none": None}, r"width: inf is not a number of JSON"),
    "minus infinity": ({"none": None, "rows": ({"x": -math.inf},)}, r"rows\[0\]\.x: -inf is not a number of JSON"),
    "half a character": ({"csv": {"names": ["a", "\ud800"]}}, r"csv\.names\[1\]: .*surrogate"),
    "half a character in a name": ({"csv": {"\ud800": 1}}, r"csv: the name '\\ud800' is not Unicode text"),
    "a number as name": ({"csv": {1: "a"}}, r"csv: the name 1 is not text"),
    "bytes": ({"text": b"a"}, "cannot be written as JSON: text: JSON has no values of type bytes; give text"),
    "a set": ({"csv": {"names": [{"a"}]}}, r"csv\.names\[0\]: JSON has no values of type set"),
    "a decimal number": ({"sum": Decimal(1)}, "sum: JSON has no values of type Decimal"),
    "an object": ({"text": object()}, "text: JSON has no values of type object"),
    "itself": ({"text": _ITSELF}, "cannot be written as JSON"),
}

KEYS = (
    *("a b", "a+b", "100%", "a&b=c?d#e", 'it\'s "quoted"', "line\nbreak", "日本語/ファイル.csv", "k" * 900, "x//y"),
    *("{a,b}", "back\\slash", "NULL", ":name", "?", "$1", "\U0001f339", "\uffee", "Zebra", "_"),
)

Unmarked = Callable[[str], object]
Broken = Callable[[], object]


def read(sink: Sink, address: str, mark: Mark) -> Entry | None:
    """What is at one address."""
    [entry] = sink.read_many([(address, mark)])
    return entry


def write(
    sink: Sink, address: str, result: Result, mark: Mark, source: ObjectState, previous: Entry | None = None
) -> Entry:
    """Store one result; raises what went wrong."""
    [stored] = sink.write_many([Write(address, result, mark, source, previous)])
    if isinstance(stored, Exception):
        raise stored
    return stored


def state(ref: ObjectRef = SOURCE, etag: str = "e1") -> ObjectState:
    return ObjectState(ref, 12, etag, last_modified=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))


def photograph(key: str = "in/rose.jpg") -> ObjectState:
    """The state of a source with metadata."""
    modified = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    metadata = {"camera": "Zeiss", "a.b": "dots are no paths"}
    return ObjectState(ObjectRef("upload", key), 12, "e1", None, "image/jpeg", metadata, modified)


def put(sink: Sink, key: str = "in/rose.jpg", previous: Entry | None = None, **inside: object) -> Entry:
    """Store the document of one object."""
    source = photograph(key)
    return write(sink, sink.address(source.ref, None), Result({"kind": "a", **inside}), MARK, source, previous)


def listed(sink: SearchableSink, prefix: str = "", start_after: str = "") -> list[str]:
    """The keys of the bucket's documents; on a search server it also makes writes visible to `search`."""
    return [ref.key for ref, _ in sink.entries("upload", prefix, start_after)]


def mark_for(ref: ObjectRef, of_state: str = "s1") -> Mark:
    return Mark(of_state, "upper", "o", ref.digest)


def batches(sink: Sink, number: int) -> Sequence[range]:
    return [range(start, min(start + sink.batch_size, number)) for start in range(0, number, sink.batch_size)]


class Index(SearchableSink, Sink, Protocol):
    """A sink that keeps a document for each object."""


class SinkContract:
    """Subclasses give the fixtures `sink`, `unmarked` and `broken`.

    `unmarked` puts something without a mark at an address. `broken` makes the place unreachable, or takes it away.
    """

    @pytest.fixture
    def address(self, sink: Sink) -> str:
        return sink.address(SOURCE, None)

    @pytest.fixture
    def foreign(self, sink: Sink, address: str, unmarked: Unmarked) -> Callable[[Mark | None], Entry]:
        """Puts something foreign in the target's place, and gives it as this function sees it."""

        def put(owner: Mark | None) -> Entry:
            if owner is None:
                unmarked(address)
            else:
                write(sink, address, MADE, owner, state())
            seen = read(sink, address, MARK)
            assert seen is not None
            assert (seen.mark, seen.refusal, seen.beside) == (owner, None, None)
            return seen

        return put

    @pytest.fixture
    def stays(self, sink: Sink, address: str) -> Callable[[Entry], None]:
        """Asserts that what was seen is there still, untouched."""

        def check(seen: Entry) -> None:
            now = read(sink, address, MARK)
            assert now is not None
            assert (now.mark, now.refusal, now.etag, now.size) == (seen.mark, seen.refusal, seen.etag, seen.size)

        return check

    @pytest.fixture
    def refusal(self, sink: Sink, address: str) -> Callable[[], Entry | None]:
        """Our refusal, wherever the sink keeps it."""

        def find() -> Entry | None:
            seen = read(sink, address, MARK)
            return seen and (seen.refusal_of(MARK) or sink.beside(address, MARK))

        return find

    # Ours

    def test_what_was_written_is_read(self, sink: Sink, address: str) -> None:
        assert read(sink, address, MARK) is None
        written = write(sink, address, MADE, MARK, state())
        assert (written.address, written.mark, written.refusal) == (address, MARK, None)
        assert read(sink, address, MARK) == written
        newer = write(sink, address, MADE, mark_for(SOURCE, "s2"), state(etag="e2"), written)
        assert read(sink, address, MARK) == newer
        assert newer.mark is not None
        assert newer.mark.state == "s2"

    def test_write_that_saw_an_older_state_changes_nothing(
        self, sink: Sink, address: str, stays: Callable[[Entry], None]
    ) -> None:
        first = write(sink, address, MADE, MARK, state())
        with pytest.raises(TargetChanged):
            write(sink, address, MADE, MARK, state())
        second = write(sink, address, Result({"kind": "newer"}), MARK, state(), first)
        with pytest.raises(TargetChanged):
            write(sink, address, MADE, MARK, state(), first)
        stays(second)

    def test_refusal_takes_our_target_away_and_a_write_takes_the_refusal_away(
        self, sink: Sink, address: str, refusal: Callable[[], Entry | None]
    ) -> None:
        old = write(sink, address, MADE, MARK, state())
        newer = mark_for(SOURCE, "s2")
        refused = sink.refuse(address, REFUSAL, newer, state(etag="e2"), old)
        assert (refused.address, refused.mark, refused.refusal) == (address, newer, REFUSAL)
        seen = read(sink, address, MARK)
        assert seen is not None
        assert (seen.mark, seen.refusal) == (newer, REFUSAL)
        written = write(sink, address, MADE, MARK, state(), seen)
        assert read(sink, address, MARK) == written
        assert refusal() is None

    def test_refusal_replaces_an_older_one(self, sink: Sink, address: str) -> None:
        first = sink.refuse(address, REFUSAL, MARK, state(), None)
        sink.refuse(address, OTHER_REFUSAL, mark_for(SOURCE, "s2"), state(etag="e2"), read(sink, address, MARK))
        seen = read(sink, address, MARK)
        assert first.refusal == REFUSAL
        assert seen is not None
        assert seen.refusal == OTHER_REFUSAL

    @pytest.mark.parametrize("refuses", [False, True], ids=["target", "refusal"])
    def test_ours_is_removed_once_and_again(self, sink: Sink, address: str, refuses: bool) -> None:
        if refuses:
            ours = sink.refuse(address, REFUSAL, MARK, state(), None)
        else:
            ours = write(sink, address, MADE, MARK, state())
        sink.remove(address, MARK, ours)
        sink.remove(address, MARK, ours)
        assert read(sink, address, MARK) is None

    def test_removal_that_saw_an_older_state_removes_nothing(
        self, sink: Sink, address: str, stays: Callable[[Entry], None]
    ) -> None:
        first = write(sink, address, MADE, MARK, state())
        second = write(sink, address, Result({"kind": "newer"}), mark_for(SOURCE, "s2"), state(), first)
        with pytest.raises(TargetChanged):
            sink.remove(address, MARK, first)
        stays(second)

    def test_refusal_that_saw_an_older_state_removes_nothing(
        self, sink: Sink, address: str, stays: Callable[[Entry], None]
    ) -> None:
        first = write(sink, address, MADE, MARK, state())
        second = write(sink, address, Result({"kind": "newer"}), mark_for(SOURCE, "s2"), state(), first)
        with pytest.raises(TargetChanged):
            sink.refuse(address, REFUSAL, MARK, state(), first)
        stays(second)

    # Foreign

    @of_each_owner
    def test_write_that_saw_nothing_leaves_what_is_foreign(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        stays: Callable[[Entry], None],
    ) -> None:
        seen = foreign(owner)
        with pytest.raises(TargetChanged):
            write(sink, address, Result({"kind": "ours"}), MARK, state())
        stays(seen)

    @of_each_owner
    def test_batch_leaves_what_is_foreign_and_stores_the_rest(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        stays: Callable[[Entry], None],
    ) -> None:
        seen = foreign(owner)
        refs = [ObjectRef("upload", "in/a"), SOURCE, ObjectRef("upload", "in/z")]
        writes = [Write(sink.address(ref, None), MADE, mark_for(ref), state(ref), None) for ref in refs]
        outcomes = [one for part in batches(sink, 3) for one in sink.write_many([writes[number] for number in part])]
        assert [type(one) for one in outcomes] == [Entry, TargetChanged, Entry]
        stays(seen)

    @of_each_owner
    def test_refusal_lies_beside_what_is_foreign(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        stays: Callable[[Entry], None],
        refusal: Callable[[], Entry | None],
    ) -> None:
        seen = foreign(owner)
        refused = sink.refuse(address, REFUSAL, MARK, state(), seen)
        assert (refused.address, refused.mark, refused.refusal) == (address, MARK, REFUSAL)
        stays(seen)
        found = refusal()
        assert found is not None
        assert (found.address, found.mark, found.refusal) == (address, MARK, REFUSAL)
        again = replace(seen, beside=found)
        sink.refuse(address, OTHER_REFUSAL, mark_for(SOURCE, "s2"), state(etag="e2"), again)
        found = refusal()
        assert found is not None
        assert found.refusal == OTHER_REFUSAL
        stays(seen)

    @of_each_owner
    def test_refusals_in_a_batch_lie_beside_what_is_foreign(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        stays: Callable[[Entry], None],
    ) -> None:
        seen = foreign(owner)
        sink.refuse(address, REFUSAL, MARK, state(), seen)
        ref = ObjectRef("upload", "in/b")
        ours = write(sink, sink.address(ref, None), MADE, mark_for(ref), state(ref))
        places = [(ours.address, mark_for(ref)), (address, MARK), (sink.address(ObjectRef("upload", "x"), None), MARK)]
        found = [one for part in batches(sink, 3) for one in sink.read_many([places[number] for number in part])]
        assert found[0] == ours
        assert found[1] is not None
        assert found[1].mark == seen.mark
        assert found[2] is None
        if not sink.refuses_beside:
            assert found[1].beside is not None
            assert found[1].beside.refusal == REFUSAL
        stays(seen)

    @of_each_owner
    def test_refusal_beside_what_is_foreign_is_removed_alone(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        stays: Callable[[Entry], None],
        refusal: Callable[[], Entry | None],
    ) -> None:
        seen = foreign(owner)
        sink.remove(address, MARK, sink.refuse(address, REFUSAL, MARK, state(), seen))
        assert refusal() is None
        stays(seen)

    @of_each_owner
    def test_what_is_foreign_is_never_removed(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        stays: Callable[[Entry], None],
    ) -> None:
        seen = foreign(owner)
        sink.remove(address, MARK, seen)
        stays(seen)

    @of_each_owner
    def test_what_is_foreign_is_taken_over_by_a_write_that_saw_it(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        refusal: Callable[[], Entry | None],
    ) -> None:
        seen = foreign(owner)
        refused = sink.refuse(address, REFUSAL, MARK, state(), seen)
        written = write(sink, address, Result({"kind": "ours"}), MARK, state(), replace(seen, beside=refused))
        assert written.mark == MARK
        assert read(sink, address, MARK) == written
        assert refusal() is None

    def test_refusal_of_another_function_is_not_ours(self, sink: Sink, address: str) -> None:
        other = FOREIGN["of another function"]
        assert other is not None
        theirs = sink.refuse(address, REFUSAL, other, state(), None)
        seen = read(sink, address, MARK)
        assert seen is None or (seen.is_foreign_to(MARK) and seen.refusal_of(MARK) is None)
        sink.refuse(address, OTHER_REFUSAL, MARK, state(), seen)
        now = read(sink, address, other)
        assert now is not None
        found = now.refusal_of(other)
        assert found is not None
        assert found.refusal == theirs.refusal

    # What the handler made wrong

    @pytest.mark.parametrize(("wrong", "says"), WRONG.values(), ids=WRONG)
    def test_document_that_is_not_json_is_a_mistake_of_the_handler(
        self, sink: Sink, address: str, wrong: dict[str, object], says: str, stays: Callable[[Entry], None]
    ) -> None:
        ours = write(sink, address, MADE, MARK, state())
        with pytest.raises(HandlerError, match=says):
            write(sink, address, Result(wrong), mark_for(SOURCE, "s2"), state(etag="e2"), ours)
        stays(ours)
        ref = ObjectRef("upload", "in/b")
        writes = [
            Write(address, Result(wrong), mark_for(SOURCE, "s2"), state(etag="e2"), ours),
            Write(sink.address(ref, None), MADE, mark_for(ref), state(ref), None),
        ]
        outcomes = [one for part in batches(sink, 2) for one in sink.write_many([writes[number] for number in part])]
        assert [type(one) for one in outcomes] == [HandlerError, Entry]
        stays(ours)

    # Batches

    def test_many_are_read_in_the_order_asked(self, sink: Sink) -> None:
        refs = [ObjectRef("upload", f"in/{name}") for name in "acd"]
        for ref in refs:
            write(sink, sink.address(ref, None), MADE, mark_for(ref), state(ref))
        wanted = [ObjectRef("upload", f"in/{name}") for name in "dxacbd"]
        places = [(sink.address(ref, None), mark_for(ref)) for ref in wanted]
        found = [one for part in batches(sink, 6) for one in sink.read_many([places[number] for number in part])]
        assert [one is not None for one in found] == [True, False, True, True, False, True]
        assert found == [read(sink, *place) for place in places]

    def test_each_write_of_a_batch_ends_for_itself(self, sink: Sink) -> None:
        refs = [ObjectRef("upload", f"in/{number}") for number in range(5)]
        taken = write(sink, sink.address(refs[1], None), MADE, mark_for(refs[1]), state(refs[1]))
        impossible = Result({"text": "\ud800"})  # half of a surrogate pair: UTF-8 has no bytes for it
        results = [MADE, MADE, MADE, impossible, MADE]
        writes = [
            Write(sink.address(ref, None), result, mark_for(ref), state(ref), None)
            for ref, result in zip(refs, results, strict=True)
        ]
        outcomes = [one for part in batches(sink, 5) for one in sink.write_many([writes[number] for number in part])]
        assert [isinstance(one, Entry) for one in outcomes] == [True, False, True, False, True]
        assert isinstance(outcomes[1], TargetChanged)
        assert isinstance(outcomes[3], HandlerError)
        for asked, outcome in zip(writes, outcomes, strict=True):
            if isinstance(outcome, Entry):
                assert outcome.address == asked.address
                assert read(sink, asked.address, asked.mark) == outcome
        assert read(sink, taken.address, mark_for(refs[1])) == taken
        assert read(sink, writes[3].address, writes[3].mark) is None

    # Listings

    @of_each_owner
    def test_listing_shows_targets_and_refusals_and_forgets_a_record(
        self,
        sink: Sink,
        address: str,
        owner: Mark | None,
        foreign: Callable[[Mark | None], Entry],
        stays: Callable[[Entry], None],
        refusal: Callable[[], Entry | None],
    ) -> None:
        seen = foreign(owner)
        sink.refuse(address, REFUSAL, MARK, state(), seen)
        listed = {entry.address: (source, entry) for source, entry in sink.entries("upload", "in/")}
        record = sink.refusal_address(address, MARK)
        assert set(listed) == {address, record}
        assert listed[address][1].mark == owner
        assert (listed[record][1].mark, listed[record][1].record) == (MARK, record)
        assert listed[record][0] in (None, SOURCE)
        assert sink.forget(record) == SOURCE
        assert sink.forget(record) is None
        assert refusal() is None
        stays(seen)
        assert [entry.address for _, entry in sink.entries("upload", "in/")] == [address]

    # A place that cannot be reached

    def test_place_that_cannot_be_reached_is_never_taken_for_an_empty_one(
        self, sink: Sink, address: str, broken: Broken
    ) -> None:
        ours = write(sink, address, MADE, MARK, state())
        broken()
        for act in (
            lambda: sink.read_many([(address, MARK)] * min(2, sink.batch_size)),
            lambda: sink.refuse(address, REFUSAL, MARK, state(), ours),
            lambda: list(sink.entries("upload")),
        ):
            with pytest.raises(TemporaryError):
                act()
            broken()

    def test_place_that_cannot_be_reached_fails_every_write(self, sink: Sink, address: str, broken: Broken) -> None:
        write(sink, address, MADE, MARK, state())
        broken()
        writes = [Write(sink.address(SOURCE, None), MADE, MARK, state(), None)] * min(2, sink.batch_size)
        assert [isinstance(one, TemporaryError) for one in sink.write_many(writes)] == [True] * len(writes)


class IndexContract(SinkContract):
    """What every index promises besides. Subclasses give the fixture `small_pages`: a listing takes several pages."""

    more_keys: ClassVar[tuple[str, ...]] = ()
    # How a write ends that another one was faster than.
    overtaken: ClassVar[tuple[type[Exception], ...]] = (TargetChanged,)

    def test_rendition_is_refused(self, sink: Index) -> None:
        with pytest.raises(PermanentError, match="RENDITIONS"):
            sink.address(SOURCE, "thumb")

    def test_document_written_again_after_its_removal_is_not_taken_for_the_old_one(self, sink: Index) -> None:
        first = put(sink)
        sink.remove(first.address, MARK, first)
        with pytest.raises(TargetChanged):
            put(sink, previous=first)
        second = put(sink)
        with pytest.raises(TargetChanged):
            sink.remove(first.address, MARK, first)
        assert read(sink, first.address, MARK) == second

    @pytest.mark.usefixtures("small_pages")
    def test_every_key_is_stored_and_listed_in_the_order_of_the_store(self, sink: Index) -> None:
        keys = [*KEYS, *self.more_keys]
        entries = [put(sink, key) for key in keys]
        assert sink.read_many([(entry.address, MARK) for entry in entries]) == entries
        for key in keys:
            document = sink.document("upload", key)
            assert document is not None
            assert document["key"] == key
        ordered = sorted(keys, key=str.encode)
        assert listed(sink) == ordered
        assert listed(sink, "a") == [key for key in ordered if key.startswith("a")]
        assert listed(sink, start_after=ordered[3]) == ordered[4:]
        assert ordered[3] not in listed(sink, ordered[3], ordered[3]), "after, and not from, a key"
        assert list(sink.entries("other")) == []

    def test_of_many_threads_that_replace_one_version_exactly_one_succeeds(self, sink: Index) -> None:
        first = put(sink)
        start = threading.Barrier(6)

        def work(_number: int) -> Entry | None:
            start.wait(60)
            try:
                return put(sink, previous=first)
            except self.overtaken:
                return None

        with ThreadPoolExecutor(6) as pool:
            [winner] = [entry for entry in pool.map(work, range(6)) if entry]
        assert read(sink, first.address, MARK) == winner


class SearchContract(IndexContract):
    """What every index promises that can be searched by words."""

    def test_search_does_not_find_a_refusal_beside_a_foreign_document(
        self, sink: Index, address: str, unmarked: Unmarked
    ) -> None:
        unmarked(address)
        sink.refuse(address, REFUSAL, MARK, state(), read(sink, address, MARK))
        put(sink, "in/other.txt")
        listed(sink)
        for text in ("rose", "refused", "picture", "penstock", "upper"):
            assert sink.search(text) == []
        assert [found["key"] for found in sink.search("in")] == ["in/other.txt"]


class WordsContract(SearchContract):
    """What words find, asked of an index that has a query language of its own."""

    @pytest.mark.parametrize(("query", "found"), QUERIES)
    def test_search_finds_documents_with_every_word(self, sink: Index, query: str, found: bool) -> None:
        put(sink, csv=SEARCHED)
        write(sink, sink.address(SOURCE, None), MADE, MARK, state(ObjectRef("upload", "tulip.bin")))
        listed(sink)
        assert [document["key"] for document in sink.search(query)] == (["in/rose.jpg"] if found else [])
