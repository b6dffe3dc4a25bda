"""The full-text table of an index in SQLite, brought up to date behind the writes.

A row of full text costs more than the document itself, and ten times as much when it is written one at a time. So a
write only notes its document in the backlog. The backlog is worked off before every search, which therefore sees all
that was written. When it is long, a write works some of it off too. So it stays under `MAX_BACKLOG`: two seconds.
"""

import sqlite3
from collections.abc import Sequence

import orjson

from penstock.sinks import document

SMALL_GROUP = 50  # writes in a commit; more come from a batch, which is in a hurry
REFRESH_ROWS = 500  # full-text rows written at once: 10 ms
MAX_BACKLOG = 100_000

LAYOUT = (
    "CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'unicode61 remove_diacritics 2')",
    # Numbers of documents that `words` does not show yet, or not in their present state.
    # Not a column of `documents`: clearing it would write every document a second time.
    "CREATE TABLE backlog (number INTEGER PRIMARY KEY)",
    # No triggers on `words`: FTS5 flushes at each (measured: 30,000 rows/s instead of 70,000).
)


class Backlog:
    """What this process added to the backlog. What all processes added is counted only when this is much."""

    def __init__(self) -> None:
        self._added = 0

    def note(self, db: sqlite3.Connection, written: Sequence[int]) -> None:
        """Note the documents that a transaction wrote, and work some of the backlog off when it is long."""
        if not written:
            return
        db.executemany("INSERT OR IGNORE INTO backlog VALUES (?)", [(number,) for number in written])
        self._added += len(written)
        is_small = len(written) <= SMALL_GROUP
        if self._added < (REFRESH_ROWS if is_small else MAX_BACKLOG):
            return
        self._added = db.execute("SELECT count(*) FROM backlog").fetchone()[0]
        if is_small:
            self._added -= work_off(db)
        while self._added > MAX_BACKLOG:
            self._added -= work_off(db)

    def forget(self) -> None:
        """The backlog is empty now."""
        self._added = 0


def is_pending(db: sqlite3.Connection) -> bool:
    """Whether the full text of some document is not written yet."""
    return db.execute("SELECT 1 FROM backlog LIMIT 1").fetchone() is not None


def work_off(db: sqlite3.Connection) -> int:
    """Write the full text of a few documents of the backlog; returns how many."""
    pending = db.execute(
        "SELECT number, body FROM backlog LEFT JOIN documents USING (number) ORDER BY number LIMIT ?", (REFRESH_ROWS,)
    ).fetchall()
    words = [(number, document.searchable(orjson.loads(body))) for number, body in pending if body is not None]
    db.executemany("INSERT OR REPLACE INTO words (rowid, text) VALUES (?, ?)", words)
    if pending:
        db.execute("DELETE FROM backlog WHERE number <= ?", (pending[-1][0],))
    return len(pending)
