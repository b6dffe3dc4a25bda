"""An index in one SQLite file, with full-text search: embedded, durable and fast.

Write-ahead log with synchronous FULL: when a call returns, its document survives a power cut. Calls of
several threads that arrive while a commit is under way share the next one (group commit), so durability
costs one fsync per group, not per document. Several processes may use the same file: each write names the
version it replaces, and `TargetChanged` tells that another was faster.

Full text is written behind the documents, and before every search (sqlite_words).

The file needs a local file system: SQLite's log does not work on NFS (sqlite.org/wal.html).

`PRAGMA user_version` holds the version of the layout below; a file of another version is left alone and
an error says so. The first change of the layout brings the step that turns version 1 into 2.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

from penstock.errors import TargetChanged, TemporaryError
from penstock.sinks import document, sqlite_words
from penstock.sinks.document import Stored
from penstock.sinks.rows import MARK, RECORDS, document_of, id_of, members_of, recorded_entries
from penstock.sinks.sqlite_rows import PAGE_ROWS, entries_of
from penstock.sqlite_file import Change, Layout, SqliteFile
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write

_LAYOUT = Layout(
    (
        """CREATE TABLE documents (
            number   INTEGER PRIMARY KEY,   -- the row in `words`
            id       TEXT NOT NULL UNIQUE,  -- bucket/key: no bucket name has a slash, so the first one divides
            version  TEXT NOT NULL,         -- new with every write
            body     TEXT NOT NULL,         -- the document as JSON, but for its `penstock` field: the columns below
            state    TEXT,                  -- the mark; NULL in a document of another program
            function TEXT,
            options  TEXT,
            source   TEXT,
            refusal  TEXT                   -- JSON; NULL in a document that describes its object
        )""",
        *sqlite_words.LAYOUT,
    ),
    version=1,
    application_id=int.from_bytes(b"Pnst", "big"),
    elsewhere="name another file in SINK, or move this one away, and run `penstock reconcile` to fill it",
)
_INSERT = f"INSERT INTO documents (version, body, {MARK}, id) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING"  # noqa: S608
_UPDATE = f"UPDATE documents SET (version, body, {MARK}) = (?,?,?,?,?,?,?) WHERE id=? AND version=? RETURNING number"  # noqa: S608


class SqliteSink:
    """The documents of one function in the SQLite file at `path`; safe for threads and for several processes."""

    removes_with_source = True
    refuses_beside = False
    batch_size = document.BATCH_DOCUMENTS

    def __init__(self, path: str | Path, function: str, *, busy_timeout_seconds: float = 10) -> None:
        self._backlog = sqlite_words.Backlog()
        self._file: SqliteFile[int, Stored] = SqliteFile(
            Path(path), _LAYOUT, owner=function, busy_timeout_seconds=busy_timeout_seconds, finish=self._backlog.note
        )
        self._token, self._count = token_hex(6), count()

    # The protocol

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """`bucket/key`; raises `PermanentError` for a rendition."""
        document.check_whole(source, rendition)
        return id_of(source)

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        """Mark and refusal of each document; None where there is none. One query reads up to `PAGE_ROWS` of them."""
        with self._file.reader() as db:
            entries = entries_of(db, [address for address, _ in places])
            return document.with_refusals(entries, places, lambda refs: entries_of(db, [id_of(ref) for ref in refs]))

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """The refusal that is kept beside a foreign document, if there is one."""
        with self._file.reader() as db:
            [record] = entries_of(db, [id_of(document.refusal_ref(mark))])
        return document.as_beside(address, record)

    def write_many(self, writes: Sequence[Write]) -> list[Stored]:
        """Store a batch in one commit; the outcomes in the same order, errors not raised."""
        return document.write_each(writes, self._change, self._stored)

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Replace our document by one that says why this state has none; leave a foreign one, and say so beside it."""
        record = self.refusal_address(address, mark)
        return document.refuse(address, refusal, mark, source, previous, record=record, store=self._store)

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Delete our document; one that is gone already is left so."""
        if previous.is_foreign_to(mark):
            return
        place = previous.record or address

        def change(db: sqlite3.Connection, written: list[int]) -> Stored:
            del written
            found = db.execute("SELECT number, version FROM documents WHERE id = ?", (place,)).fetchone()
            if found is None:
                return previous
            number, version = found
            if version != previous.etag:
                return self._changed(place)
            db.execute("DELETE FROM words WHERE rowid = ?", (number,))
            db.execute("DELETE FROM documents WHERE number = ?", (number,))
            return previous

        self._one(change)

    def check(self) -> None:
        """Create the file when there is none, and take the write lock once, so that a read-only disk is found."""
        self._file.commit([])
        with self._file.reader() as db:
            db.execute("SELECT 1 FROM documents LIMIT 1").fetchone()

    # Beyond the protocol: see SearchableSink

    def search(self, text: str, *, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """Documents that contain every word, best first; raises `EventError` for a text without words."""
        words = document.query_words(text, limit, offset)
        # Quoted, a word is never an operator of FTS5's own query language.
        match = " ".join(f'"{word[:-1]}"*' if word.endswith("*") else f'"{word}"' for word in words)
        self.refresh()
        with self._file.reader() as db:
            found = db.execute(
                f"SELECT body, {MARK} FROM words JOIN documents ON number = words.rowid"  # noqa: S608
                " WHERE words MATCH ? ORDER BY rank LIMIT ? OFFSET ?",
                (match, limit, offset),
            ).fetchall()
        return [document_of(*row) for row in found]

    def refresh(self) -> None:
        """Make everything that was written visible to `search`."""
        while self._is_pending():
            self._file.commit([_work_off])
        self._backlog.forget()

    def _is_pending(self) -> bool:
        with self._file.reader() as db:
            return sqlite_words.is_pending(db)

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The document of one source object."""
        with self._file.reader() as db:
            row = db.execute(
                f"SELECT body, {MARK} FROM documents WHERE id = ?",  # noqa: S608
                (f"{bucket}/{key}",),
            ).fetchone()
        return None if row is None else document_of(*row)

    def entries(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[tuple[ObjectRef, Entry]]:
        """What is recorded for a bucket's objects, in key order; then the refusals beside foreign documents.

        Page by page, so that no read lasts long.
        """
        return recorded_entries(self._page, PAGE_ROWS, bucket, prefix, start_after)

    def refusal_address(self, address: str, mark: Mark) -> str:
        """The id of the row of a refusal beside a foreign document."""
        del address
        return id_of(document.refusal_ref(mark))

    def forget(self, record: str) -> ObjectRef | None:
        """Delete the refusal beside a foreign document, and return its source."""
        with self._file.reader() as db:
            row = db.execute("SELECT body FROM documents WHERE id = ?", (record,)).fetchone()
        if row is None:
            return None

        def change(db: sqlite3.Connection, written: list[int]) -> Stored:
            del written
            db.execute("DELETE FROM documents WHERE id = ?", (record,))
            return _NOTHING

        self._one(change)
        return document.source_of_record(members_of(row[0]))

    def _page(self, comparison: str, after: str, with_body: bool) -> Sequence[Any]:
        column = "body" if with_body else "NULL"
        with self._file.reader() as db:
            return db.execute(
                f"SELECT id, version, length(body), {MARK}, {column} FROM documents"  # noqa: S608
                f" WHERE id {comparison} ? ORDER BY id LIMIT ?",
                (after, PAGE_ROWS),
            ).fetchall()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    # Changes

    def _change(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> Change[int, Stored]:
        text, version = document.to_json(body), f"{self._token}-{next(self._count)}"
        refused = document.to_json(refusal.record) if refusal else None
        values = (version, text, mark.state, mark.function, mark.options, mark.source, refused, address)
        stored = Entry(address, mark, refusal, len(text), version)

        def change(db: sqlite3.Connection, written: list[int]) -> Stored:
            if previous is None:
                cursor = db.execute(_INSERT, values)
                number = cursor.lastrowid if cursor.rowcount == 1 else None
            else:
                found = db.execute(_UPDATE, (*values, previous.etag)).fetchone()
                number = found[0] if found else None
            if number is None:
                return self._changed(address)
            if previous is not None and previous.beside is not None:
                db.execute("DELETE FROM documents WHERE id = ?", (previous.beside.record,))
            if not address.startswith(RECORDS):  # no search finds a refusal beside a foreign document
                written.append(number)
            return stored

        return change

    def _changed(self, address: str) -> TargetChanged:
        return TargetChanged(f"{address}: its document in {self._file.path} was written by another program meanwhile")

    def _store(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> Entry:
        return self._one(self._change(address, body, mark, refusal, previous))

    def _stored(self, changes: Sequence[Change[int, Stored]]) -> list[Stored]:
        try:
            return self._file.commit(changes)
        except TemporaryError as error:
            return [error] * len(changes)

    def _one(self, change: Change[int, Stored]) -> Entry:
        [outcome] = self._file.commit([change])
        if isinstance(outcome, Entry):
            return outcome
        raise outcome


def _work_off(db: sqlite3.Connection, written: list[int]) -> Stored:
    del written
    sqlite_words.work_off(db)
    return _NOTHING


_NOTHING = Entry("", None)
