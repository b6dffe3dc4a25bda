"""An index in one SQLite file, with full-text search: embedded, durable and fast.

Write-ahead log with synchronous FULL: when a call returns, its document survives a power cut. Calls of
several threads that arrive while a commit is under way share the next one (group commit), so durability
costs one fsync per group, not per document. Several processes may use the same file: each write names the
version it replaces, and `TargetChanged` tells that another was faster.

The full-text table costs more than the document itself, and ten times as much when it is written one row
at a time. So a write only notes that it owes its row. The debt is paid before every search, which therefore
sees all that was written; and in passing, so that it stays under `MAX_BACKLOG`, about two seconds' work.

The file needs a local file system: SQLite's log does not work on NFS (sqlite.org/wal.html).

`PRAGMA user_version` holds the version of the layout below; a file of another version is left alone and
an error says so. The first change of the layout brings the step that turns version 1 into 2.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import orjson

from penstock.errors import PermanentError, TargetChanged, TemporaryError
from penstock.sinks import document
from penstock.sinks.sqlite_file import Change, Layout, SqliteFile
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write

PAGE_ROWS = 500
SMALL_GROUP = 50  # writes in a commit; more come from a batch, which is in a hurry
REFRESH_ROWS = 500  # full-text rows written at once: 10 ms
MAX_BACKLOG = 100_000

_LAYOUT = Layout(
    (
        """CREATE TABLE documents (
            number   INTEGER PRIMARY KEY,   -- the row in `words`
            id       TEXT NOT NULL UNIQUE,  -- bucket/key: no bucket name has a slash, so the first one divides
            version  TEXT NOT NULL,         -- new with every write
            body     TEXT NOT NULL,         -- the document as JSON, but for its `penstock` field: the columns below
            state    TEXT,                  -- the mark; NULL in a document that somebody else put here
            function TEXT,
            options  TEXT,
            source   TEXT,
            refusal  TEXT                   -- JSON; NULL in a document that describes its object
        )""",
        "CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'unicode61 remove_diacritics 2')",
        # Numbers of documents that `words` does not show yet, or not in their present state.
        # Not a column of `documents`: clearing it would write every document a second time.
        "CREATE TABLE backlog (number INTEGER PRIMARY KEY)",
        # No triggers on `words`: FTS5 flushes at each (measured: 30,000 rows/s instead of 70,000).
    ),
    version=1,
    application_id=int.from_bytes(b"Pnst", "big"),
)
_MARK = "state, function, options, source, refusal"
_INSERT = f"INSERT INTO documents (version, body, {_MARK}, id) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING"  # noqa: S608
_UPDATE = f"UPDATE documents SET (version, body, {_MARK}) = (?,?,?,?,?,?,?) WHERE id=? AND version=? RETURNING number"  # noqa: S608

Outcome = Entry | TargetChanged | PermanentError | TemporaryError


class SqliteSink:
    """The documents of one function in the SQLite file at `path`; safe for threads and for several processes."""

    removes_with_source = True
    batch_size = document.BATCH_DOCUMENTS

    def __init__(self, path: str | Path, function: str, *, busy_timeout_seconds: float = 10) -> None:
        self._file: SqliteFile[int, Outcome] = SqliteFile(
            Path(path), _LAYOUT, owner=function, busy_timeout_seconds=busy_timeout_seconds, finish=self._index
        )
        self._token, self._count = token_hex(6), count()
        self._backlog = 0  # what this process added; all that is owed is counted when it matters

    # The protocol

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """`bucket/key`; raises `PermanentError` for a rendition."""
        if rendition is not None:
            raise PermanentError(f"{source}: an index holds one document per object; RENDITIONS need an s3:// sink")
        return f"{source.bucket}/{source.key}"

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        """Mark and refusal of each document, in a query for every `PAGE_ROWS`; None where there is no document."""
        addresses = [address for address, _ in places]
        found: dict[str, Entry] = {}
        with self._file.reader() as db:
            for start in range(0, len(addresses), PAGE_ROWS):
                page = addresses[start : start + PAGE_ROWS]
                marks = ",".join("?" * len(page))
                sql = f"SELECT id, version, length(body), {_MARK} FROM documents WHERE id IN ({marks})"  # noqa: S608
                found |= {row[0]: _entry(*row) for row in db.execute(sql, page)}
        return [found.get(address) for address in addresses]

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """None: a refusal takes the place of the document."""
        del address, mark
        return None

    def write_many(self, writes: Sequence[Write]) -> list[Outcome]:
        """Store a batch in one commit; the outcomes in the same order, errors not raised."""
        moment = document.now()
        changes: list[Change[int, Outcome]] = []
        for write in writes:
            try:
                changes.append(self._describe(write, moment))
            except PermanentError as error:
                changes.append(lambda _db, _written, error=error: error)  # type: ignore[misc]
        try:
            return self._file.commit(changes)
        except TemporaryError as error:
            return [error] * len(changes)

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Replace the document by one that says why this state has none."""
        return self._one(self._store(address, document.delivered(source, document.now()), mark, refusal, previous))

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Delete the document; one that is gone already is no error."""
        del mark

        def change(db: sqlite3.Connection, written: list[int]) -> Outcome:
            del written
            found = db.execute("SELECT number, version FROM documents WHERE id = ?", (address,)).fetchone()
            if found is None:
                return previous
            number, version = found
            if version != previous.etag:
                return self._changed(address)
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
                f"SELECT body, {_MARK} FROM words JOIN documents ON number = words.rowid"  # noqa: S608
                " WHERE words MATCH ? ORDER BY rank LIMIT ? OFFSET ?",
                (match, limit, offset),
            ).fetchall()
        return [_document(*row) for row in found]

    def refresh(self) -> None:
        """Make everything that was written visible to `search`."""
        while self._owes():
            self._file.commit([_pay])
        self._backlog = 0

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The document of one source object."""
        with self._file.reader() as db:
            row = db.execute(
                f"SELECT body, {_MARK} FROM documents WHERE id = ?",  # noqa: S608
                (f"{bucket}/{key}",),
            ).fetchone()
        return None if row is None else _document(*row)

    def entries(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[tuple[ObjectRef, Entry]]:
        """What is recorded for a bucket's objects, in key order; page by page, so that no read lasts long."""
        wanted = f"{bucket}/{prefix}"
        after, comparison = max((wanted, ">="), (f"{bucket}/{start_after}", ">")) if start_after else (wanted, ">=")
        while True:
            with self._file.reader() as db:
                page = db.execute(
                    f"SELECT id, version, length(body), {_MARK} FROM documents"  # noqa: S608
                    f" WHERE id {comparison} ? ORDER BY id LIMIT ?",
                    (after, PAGE_ROWS),
                ).fetchall()
            for row in page:
                if not row[0].startswith(wanted):
                    return
                yield ObjectRef(bucket, row[0][len(bucket) + 1 :]), _entry(*row)
            if len(page) < PAGE_ROWS:
                return
            after, comparison = page[-1][0], ">"

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    # Changes

    def _describe(self, write: Write, moment: str) -> Change[int, Outcome]:
        body = {**document.inside(write.result, write.address), **document.delivered(write.source, moment)}
        return self._store(write.address, body, write.mark, None, write.previous)

    def _store(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> Change[int, Outcome]:
        text, version = document.to_json(body), f"{self._token}-{next(self._count)}"
        refused = document.to_json(asdict(refusal)) if refusal else None
        values = (version, text, mark.state, mark.function, mark.options, mark.source, refused, address)
        stored = Entry(address, mark, refusal, len(text), version)

        def change(db: sqlite3.Connection, written: list[int]) -> Outcome:
            if previous is None:
                cursor = db.execute(_INSERT, values)
                number = cursor.lastrowid if cursor.rowcount == 1 else None
            else:
                found = db.execute(_UPDATE, (*values, previous.etag)).fetchone()
                number = found[0] if found else None
            if number is None:
                return self._changed(address)
            written.append(number)
            return stored

        return change

    def _changed(self, address: str) -> TargetChanged:
        return TargetChanged(f"{address}: its document in {self._file.path} was written by somebody else meanwhile")

    def _one(self, change: Change[int, Outcome]) -> Entry:
        [outcome] = self._file.commit([change])
        if isinstance(outcome, Entry):
            return outcome
        raise outcome

    # Full text

    def _index(self, db: sqlite3.Connection, written: list[int]) -> None:
        """End a transaction: note what it owes, and pay some of it when that has become much."""
        if not written:
            return
        db.executemany("INSERT OR IGNORE INTO backlog VALUES (?)", [(number,) for number in written])
        self._backlog += len(written)
        is_small = len(written) <= SMALL_GROUP
        if self._backlog < (REFRESH_ROWS if is_small else MAX_BACKLOG):
            return
        # What other processes owe counts, and what they paid.
        self._backlog = db.execute("SELECT count(*) FROM backlog").fetchone()[0]
        if is_small:
            self._backlog -= _pay_some(db)
        while self._backlog > MAX_BACKLOG:
            self._backlog -= _pay_some(db)

    def _owes(self) -> bool:
        with self._file.reader() as db:
            return db.execute("SELECT 1 FROM backlog LIMIT 1").fetchone() is not None


def _pay_some(db: sqlite3.Connection) -> int:
    """Write the full-text rows of a few documents that are owed; returns how many debts that settled."""
    owed = db.execute(
        "SELECT number, body FROM backlog LEFT JOIN documents USING (number) ORDER BY number LIMIT ?", (REFRESH_ROWS,)
    ).fetchall()
    words = [(number, document.searchable(orjson.loads(body))) for number, body in owed if body is not None]
    db.executemany("INSERT OR REPLACE INTO words (rowid, text) VALUES (?, ?)", words)
    if owed:
        db.execute("DELETE FROM backlog WHERE number <= ?", (owed[-1][0],))
    return len(owed)


def _pay(db: sqlite3.Connection, written: list[int]) -> Outcome:
    del written
    _pay_some(db)
    return _NOBODY


_NOBODY = Entry("", None)


def _entry(address: str, version: str, size: int, *mark: str | None) -> Entry:
    return Entry(address, *document.read_mark(_mark_field(*mark)), size, version)


def _document(body: str, *mark: str | None) -> dict[str, Any]:
    return {**orjson.loads(body), "penstock": _mark_field(*mark)}


def _mark_field(state: str | None, *rest: str | None) -> dict[str, Any] | None:
    """The document's `penstock` field from its columns."""
    if state is None:
        return None
    function, options, source, refusal = rest
    refused = orjson.loads(refusal) if refusal else None
    return {"state": state, "function": function, "options": options, "source": source, "refusal": refused}
