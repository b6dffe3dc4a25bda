"""Rows of an index in SQLite as entries and as documents."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator

import pytest
from penstock.sinks.rows import MARK, document_of, id_of
from penstock.sinks.sqlite_rows import PAGE_ROWS, entries_of
from penstock.types import Mark, ObjectRef, Refusal

REFUSAL = {"error": "UnsupportedInput", "reason": "not a picture", "status": 415}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"CREATE TABLE documents (id, version, body, {MARK})")
        yield db


def put(db: sqlite3.Connection, name: str, *mark: str | None) -> None:
    db.execute("INSERT INTO documents VALUES (?,?,?,?,?,?,?,?)", (name, "v1", "{}", *mark))


def test_a_row_is_an_entry_with_its_mark_and_refusal(db: sqlite3.Connection) -> None:
    put(db, "upload/a", "s", "index", "o", "digest", None)
    put(db, "upload/b", "s", "index", "o", "digest", json.dumps(REFUSAL))
    good, refused = entries_of(db, ["upload/a", "upload/b"])
    assert good is not None
    assert (good.mark, good.refusal, good.etag) == (Mark("s", "index", "o", "digest"), None, "v1")
    assert refused is not None
    assert refused.refusal == Refusal("UnsupportedInput", "not a picture", 415)


def test_a_row_without_a_whole_mark_is_a_foreign_document(db: sqlite3.Connection) -> None:
    put(db, "upload/a", "s", None, "o", "digest", None)
    [found] = entries_of(db, ["upload/a"])
    assert found is not None
    assert found.mark is None


def test_entries_come_in_the_order_in_which_they_were_asked_for(db: sqlite3.Connection) -> None:
    names = [id_of(ObjectRef("upload", f"{number}")) for number in range(PAGE_ROWS + 2)]
    for name in reversed(names):
        put(db, name, "s", "index", "o", "digest", None)
    found = entries_of(db, [*names, "upload/none"])
    assert [entry.address if entry else None for entry in found] == [*names, None]


def test_a_document_has_its_mark_and_refusal_again() -> None:
    assert document_of('{"kind": "image"}', None, None, None, None, None) == {"kind": "image", "penstock": None}
    found = document_of("{}", "s", "index", "o", "digest", json.dumps(REFUSAL))
    assert found["penstock"] == {
        "state": "s",
        "function": "index",
        "options": "o",
        "source": "digest",
        "refusal": REFUSAL,
    }
