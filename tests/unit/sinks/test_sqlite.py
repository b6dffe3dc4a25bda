"""The SQLite index: marks, conditional writes, group commit, full text, and what its errors say."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import EventError, HandlerError, TargetChanged, TemporaryError
from penstock.sinks import document, sqlite_words
from penstock.sinks import sqlite as module
from penstock.sinks.sqlite import SqliteSink
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Result, Write

from tests.sink_contract import SEARCHED, read, write

MARK = Mark(state="s1", function="index", options="o", source="digest")
REFUSAL = Refusal("UnsupportedInput", "not a picture", 415)
# Words of the query language of SQLite, which are words like others here.
FTS5 = ("rose AND in", "text:rose", "NEAR(rose jpg)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "index.db"


@pytest.fixture
def sink(path: Path) -> Iterator[SqliteSink]:
    with contextlib.closing(SqliteSink(path, "index", busy_timeout_seconds=0.2)) as sink:
        yield sink


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Every connection that is opened from now on: settings of SQLite are those of a connection."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connecting(*where: Any, **how: Any) -> sqlite3.Connection:
        opened.append(connect(*where, **how))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connecting)
    return opened


def state(key: str = "in/rose.jpg", etag: str = "e1") -> ObjectState:
    return ObjectState(
        ObjectRef("upload", key),
        size=12,
        etag=etag,
        content_type="image/jpeg",
        metadata={"camera": "Zeiss"},
        last_modified=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    )


def put(sink: SqliteSink, key: str = "in/rose.jpg", previous: Entry | None = None, **inside: object) -> Entry:
    address = sink.address(ObjectRef("upload", key), None)
    return write(sink, address, Result({"kind": "image", **inside}), MARK, state(key), previous)


def keys(found: list[dict[str, object]]) -> list[object]:
    return [document["key"] for document in found]


def test_document_holds_what_is_inside_and_what_was_delivered(sink: SqliteSink) -> None:
    put(sink, image={"width": 3})
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert document.pop("indexed_at").startswith("20")
    assert document == {
        "kind": "image",
        "image": {"width": 3},
        "bucket": "upload",
        "key": "in/rose.jpg",
        "size": 12,
        "etag": "e1",
        "version_id": None,
        "content_type": "image/jpeg",
        "metadata": {"camera": "Zeiss"},
        "last_modified": "2024-05-06T07:08:09+00:00",
        "penstock": {"state": "s1", "function": "index", "options": "o", "source": "digest", "refusal": None},
    }


def test_many_are_read_as_each_alone_and_in_the_order_asked(sink: SqliteSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.sinks.sqlite_rows.PAGE_ROWS", 2)
    for key in ("a", "c", "d"):
        put(sink, key)
    places = [(f"upload/{key}", MARK) for key in "dxacb"]
    assert sink.read_many(places) == [read(sink, *place) for place in places]
    assert [entry is not None for entry in sink.read_many(places)] == [True, False, True, True, False]
    assert sink.read_many([]) == []


def test_unknown_object_has_neither_entry_nor_document(sink: SqliteSink) -> None:
    assert read(sink, "upload/in/rose.jpg", MARK) is None
    assert sink.document("upload", "in/rose.jpg") is None


def test_refusal_replaces_the_document_and_the_next_write_replaces_the_refusal(sink: SqliteSink) -> None:
    old = put(sink, image={"width": 3})
    refused = sink.refuse(old.address, REFUSAL, MARK, state(), old)
    assert refused.refusal == REFUSAL
    assert read(sink, old.address, MARK) == refused
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert "image" not in document
    assert document["penstock"]["refusal"] == {"error": "UnsupportedInput", "reason": "not a picture", "status": 415}
    put(sink, previous=refused)
    again = read(sink, old.address, MARK)
    assert again is not None
    assert again.refusal is None


def test_write_over_a_document_that_was_not_there_before_changes_nothing(sink: SqliteSink) -> None:
    first = put(sink, image={"width": 3})
    with pytest.raises(TargetChanged, match=r"upload/in/rose\.jpg"):
        put(sink, image={"width": 4})
    assert read(sink, first.address, MARK) == first


def test_removed_document_is_gone_from_search_and_removing_it_again_is_no_error(sink: SqliteSink) -> None:
    entry = put(sink)
    assert keys(sink.search("rose")) == ["in/rose.jpg"]
    sink.remove(entry.address, MARK, entry)
    sink.remove(entry.address, MARK, entry)
    assert read(sink, entry.address, MARK) is None
    assert sink.search("rose") == []


def test_document_of_somebody_else_has_no_mark(sink: SqliteSink, path: Path) -> None:
    sink.check()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO documents (id, version, body) VALUES ('upload/in/rose.jpg', 'v', '{\"a\": 1}')")
    entry = read(sink, "upload/in/rose.jpg", MARK)
    assert entry == Entry("upload/in/rose.jpg", mark=None, size=8, etag="v")
    assert sink.document("upload", "in/rose.jpg") == {"a": 1, "penstock": None}


def test_result_that_is_no_document_is_a_mistake_of_the_handler(sink: SqliteSink) -> None:
    with pytest.raises(HandlerError, match="takes a mapping"):
        write(sink, "upload/a", Result(b"bytes"), MARK, state("a"), None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ROSE", True),
        ("rose.jpg", True),
        ("zeiss rose", True),
        ("müller", True),
        *((each, False) for each in FTS5),
    ],
)
def test_search_has_no_operators_and_folds_letters(sink: SqliteSink, query: str, found: bool) -> None:
    put(sink, csv=SEARCHED)
    other = replace(state("tulip.bin"), metadata={})
    write(sink, sink.address(other.ref, None), Result({"kind": "image"}), MARK, other, None)
    assert keys(sink.search(query)) == (["in/rose.jpg"] if found else [])


@pytest.mark.parametrize("query", ["", "   ", '"', "*", "' -- ", "()"])
def test_search_without_a_word_is_a_bad_request(sink: SqliteSink, query: str) -> None:
    with pytest.raises(EventError, match="no word"):
        sink.search(query)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 101}, {"offset": -1}, {"offset": 10**6}])
def test_search_out_of_range_is_a_bad_request(sink: SqliteSink, wrong: dict[str, int]) -> None:
    with pytest.raises(EventError, match="expected a whole number from"):
        sink.search("rose", **wrong)


def test_search_pages_through_all_hits(sink: SqliteSink) -> None:
    for number in range(5):
        put(sink, f"{number}.csv")
    pages = [keys(sink.search("csv", limit=2, offset=offset)) for offset in (0, 2, 4)]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(str(key) for page in pages for key in page) == [f"{number}.csv" for number in range(5)]


def test_search_sees_the_present_words_only(sink: SqliteSink) -> None:
    first = put(sink, text={"beginning": "apple"})
    put(sink, previous=first, text={"beginning": "pear"})
    assert sink.search("apple") == []
    assert keys(sink.search("pear")) == ["in/rose.jpg"]


def batch(count: int, word: str = "csv") -> list[Write]:
    return [
        Write(f"upload/{number:05}", Result({"kind": word}), MARK, state(f"{number:05}"), None)
        for number in range(count)
    ]


def test_search_sees_a_large_batch_at_once(sink: SqliteSink) -> None:
    size = 3 * sqlite_words.SMALL_GROUP
    assert all(isinstance(outcome, Entry) for outcome in sink.write_many(batch(size)))
    assert len(sink.search("csv", limit=100)) == 100
    assert len(sink.search("csv", limit=100, offset=100)) == size - 100


def test_search_after_a_large_batch_of_changes_sees_the_present_words_only(sink: SqliteSink) -> None:
    size = 2 * sqlite_words.SMALL_GROUP
    entries = [outcome for outcome in sink.write_many(batch(size)) if isinstance(outcome, Entry)]
    sink.remove(entries[0].address, MARK, entries[0])  # before its words were written
    changed = [
        Write(write.address, Result({"kind": "text"}), MARK, write.source, entry)
        for write, entry in zip(batch(size)[1:], entries[1:], strict=True)
    ]
    sink.write_many(changed)
    assert sink.search("csv") == []
    assert len(sink.search("text", limit=100)) == size - 1


def test_full_text_backlog_stays_bounded(sink: SqliteSink, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_words, "MAX_BACKLOG", 300)
    monkeypatch.setattr(sqlite_words, "REFRESH_ROWS", 100)
    for start in range(0, 1000, 100):
        sink.write_many(batch(1000)[start : start + 100])
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM backlog").fetchone()[0] <= 300


def test_entries_come_in_the_order_of_the_store_and_within_the_prefix(sink: SqliteSink) -> None:
    names = ["a/1", "a/2", "a/é", "a/日", "a0", "b/1"]
    for name in reversed(names):
        put(sink, name)
    assert [ref.key for ref, _ in sink.entries("upload")] == sorted(names, key=str.encode)
    assert [ref.key for ref, _ in sink.entries("upload", "a/")] == ["a/1", "a/2", "a/é", "a/日"]
    assert [ref.key for ref, _ in sink.entries("upload", "a/", start_after="a/2")] == ["a/é", "a/日"]
    assert [ref.key for ref, _ in sink.entries("upload", "b/", start_after="a/2")] == ["b/1"]
    assert [ref.key for ref, _ in sink.entries("upload", "a/1", start_after="a/1")] == [], "after, and not from, a key"
    assert list(sink.entries("uploa")) == []


def test_entries_page_through_more_than_one_page(sink: SqliteSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 7)
    sink.write_many(batch(21))
    assert [ref.key for ref, _ in sink.entries("upload")] == [f"{number:05}" for number in range(21)]


def test_threads_share_commits_and_each_gets_its_own_outcome(sink: SqliteSink) -> None:
    outcomes: dict[int, Entry] = {}

    def work(first: int) -> None:
        for number in range(first, first + 25):
            outcomes[number] = put(sink, str(number))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: entry.address for number, entry in outcomes.items()} == {n: f"upload/{n}" for n in range(200)}
    assert all(read(sink, entry.address, MARK) == entry for entry in outcomes.values())
    assert len({entry.etag for entry in outcomes.values()}) == 200


def test_processes_write_one_file_without_losing_anything(path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from penstock.sinks.sqlite import SqliteSink
        from penstock.types import Entry, Mark, ObjectRef, ObjectState, Result, Write
        sink = SqliteSink(sys.argv[1], "index")
        for number in range(50):
            ref = ObjectRef("upload", f"{sys.argv[2]}/{number}")
            mark, state = Mark("s", "f", "o", "d"), ObjectState(ref, 1, "e")
            [stored] = sink.write_many([Write(sink.address(ref, None), Result({}), mark, state, None)])
            assert isinstance(stored, Entry), stored
    """)
    children = [subprocess.Popen([sys.executable, "-c", program, path, str(name)]) for name in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    with contextlib.closing(SqliteSink(path, "index")) as sink:
        assert sum(1 for _ in sink.entries("upload")) == 150


def test_write_is_on_disk_before_it_returns(sink: SqliteSink, path: Path, tmp_path: Path) -> None:
    put(sink)
    copy = tmp_path / "copy.db"  # what a crash would leave: the file and its log, nothing flushed afterwards
    copy.write_bytes(path.read_bytes())
    Path(f"{copy}-wal").write_bytes(Path(f"{path}-wal").read_bytes())
    with contextlib.closing(SqliteSink(copy, "index")) as after:
        assert after.document("upload", "in/rose.jpg") is not None


def test_every_commit_waits_for_the_disk(sink: SqliteSink, connections: list[sqlite3.Connection]) -> None:
    put(sink)
    assert connections
    for each in connections:
        assert each.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL, sqlite.org/pragma.html
        assert each.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_locked_database_is_a_temporary_error_and_then_works(sink: SqliteSink, path: Path) -> None:
    sink.check()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TemporaryError, match="locked") as failure:
            put(sink)
        assert failure.value.retry_after == 1
        assert sink.search("rose") == []  # readers do not wait
    put(sink)


def test_full_disk_is_a_temporary_error_and_changes_nothing(
    sink: SqliteSink, connections: list[sqlite3.Connection]
) -> None:
    put(sink, "before")
    for each in connections:
        pages = each.execute("PRAGMA page_count").fetchone()[0]
        each.execute(f"PRAGMA max_page_count = {pages}")  # the limit raises what a full disk raises: SQLITE_FULL
    with pytest.raises(TemporaryError, match="disk is full"):
        put(sink, text={"beginning": "x" * 100_000})
    assert read(sink, "upload/in/rose.jpg", MARK) is None
    put(sink)


def test_folder_that_cannot_be_made_is_a_temporary_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TemporaryError, match=r"file/index\.db"):
        SqliteSink(tmp_path / "file" / "index.db", "index").check()


def test_read_only_database_is_a_temporary_error_that_says_so(
    path: Path, connections: list[sqlite3.Connection]
) -> None:
    with contextlib.closing(SqliteSink(path, "index")) as sink:
        put(sink)
    connections.clear()
    reader = SqliteSink(path, "index")
    reader.check()
    # Raises SQLITE_READONLY, also for root, whom modes do not stop.
    for each in connections:
        each.execute("PRAGMA query_only = ON")
    with pytest.raises(TemporaryError, match="mount a writable volume"):
        put(reader, "other")
    reader.close()


def test_damaged_file_is_a_temporary_error_that_names_it(path: Path, sink: SqliteSink) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but a text that is long enough to be taken for one" * 100)
    with pytest.raises(TemporaryError, match=r"index\.db.*not a SQLite database"):
        sink.check()
    with pytest.raises(TemporaryError, match="reconcile"):
        read(sink, "upload/a", MARK)


def test_database_of_another_program_is_left_alone(path: Path, sink: SqliteSink) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(TemporaryError, match="another program"):
        sink.check()


def test_database_of_a_newer_layout_is_left_alone(path: Path, sink: SqliteSink) -> None:
    put(sink)
    sink.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(TemporaryError, match="layout is version 2"):
        sink.check()


def test_file_moved_away_is_noticed_before_the_next_write(path: Path, sink: SqliteSink) -> None:
    put(sink, "old")
    os.rename(path, path.with_suffix(".old"))  # noqa: PTH104
    for name in ("-wal", "-shm"):
        Path(f"{path}{name}").unlink(missing_ok=True)
    put(sink, "new")
    with contextlib.closing(SqliteSink(path, "index")) as fresh:
        assert [ref.key for ref, _ in fresh.entries("upload")] == ["new"]


def test_closed_sink_opens_again(sink: SqliteSink) -> None:
    put(sink)
    sink.close()
    assert sink.document("upload", "in/rose.jpg") is not None


@pytest.mark.parametrize("body", ["no JSON", "[1]", "", '{"source": 7}', '{"source": {"bucket": 1}}'])
def test_odd_row_of_another_program_ends_no_listing(sink: SqliteSink, path: Path, body: str) -> None:
    """Among the documents, and among the refusals beside foreign documents, which every reconcile reads."""
    put(sink, "a")
    rows = [("upload/odd", "1", body), (f"{document.RECORDS_BUCKET}/{document.RECORDS_PREFIX}index/odd", "1", body)]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executemany("INSERT INTO documents (id, version, body) VALUES (?, ?, ?)", rows)
    assert [ref.key for ref, _ in sink.entries("upload")] == ["a", "odd"]
    found = sink.document("upload", "odd")
    assert found is not None
    assert found["penstock"] is None
    assert sink.forget(rows[1][0]) is None
