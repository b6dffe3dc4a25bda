"""Reading rows of an index in SQLite."""

import sqlite3
from collections.abc import Sequence
from functools import cache

from penstock.sinks.rows import MARK, entry_of
from penstock.types import Entry

PAGE_ROWS = 500


def entries_of(db: sqlite3.Connection, ids: Sequence[str]) -> list[Entry | None]:
    """What is recorded under these ids; None where there is no document."""
    found: dict[str, Entry] = {}
    for start in range(0, len(ids), PAGE_ROWS):
        page = ids[start : start + PAGE_ROWS]
        for row in db.execute(_select(len(page)), page):
            found[row[0]] = entry_of(*row)
    return [found.get(name) for name in ids]


@cache
def _select(count: int) -> str:
    """The query for so many documents; at most `PAGE_ROWS`."""
    places = ",".join("?" * count)
    return f"SELECT id, version, length(body), {MARK} FROM documents WHERE id IN ({places})"  # noqa: S608
