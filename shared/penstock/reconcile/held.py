"""What the sink holds, in a temporary SQLite file: keys may be many, and memory stays flat."""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from penstock.types import Entry, Mark, ObjectRef

_SCHEMA = """
CREATE TABLE held (
    address TEXT PRIMARY KEY, state TEXT, function TEXT, options TEXT, source TEXT,
    refused INTEGER, etag TEXT, basis TEXT, beside INTEGER, ours INTEGER, bucket TEXT, key TEXT, seen INTEGER DEFAULT 0,
    excluded INTEGER DEFAULT 0
) WITHOUT ROWID
"""


class HeldTarget(NamedTuple):
    """What the sink holds at one address. The mark's fields are None for a target that Penstock did not make."""

    state: str | None
    function: str | None
    options: str | None
    source: str | None
    refused: bool
    etag: str
    basis: str


# Rules of several buckets may list one target, and only that of its source's bucket knows the source.
_ADD = """
INSERT INTO held (address, state, function, options, source, refused, etag, basis, beside, ours, bucket, key)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET bucket=coalesce(bucket, excluded.bucket), key=coalesce(key, excluded.key)
"""
# A target and a refusal of our own, of a source that is there and not taken.
_EXCLUDE = """
UPDATE held SET seen = 1, excluded = 1, bucket = ?, key = ? WHERE address = ? AND function = ? AND source = ?
"""
_TAKE = f"UPDATE held SET seen = 1 WHERE address = ? RETURNING {', '.join(HeldTarget._fields)}"  # noqa: S608


class Held:
    """Targets and refusals by address. Those that belong to a source are marked as seen; the others are orphans."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, entries: Iterable[tuple[ObjectRef | None, Entry, bool]]) -> None:
        """Take in entries, each with its source, where its address tells one, and whether this function made it."""
        rows = (
            (
                entry.address,
                entry.mark.state if entry.mark else None,
                entry.mark.function if entry.mark else None,
                entry.mark.options if entry.mark else None,
                entry.mark.source if entry.mark else None,
                entry.refusal is not None,
                entry.etag or "",
                entry.refusal.basis if entry.refusal else "",
                entry.record != "",
                is_ours,
                source.bucket if source else None,
                source.key if source else None,
            )
            for source, entry, is_ours in entries
        )
        with self._db:
            self._db.executemany(_ADD, rows)

    def count_targets(self) -> int:
        """How many targets there are, without refusals."""
        return self._count("FROM held WHERE NOT refused")

    def take(self, address: str) -> HeldTarget | None:
        """What is held at an address; from now on it counts as seen."""
        found = self._db.execute(_TAKE, (address,)).fetchone()
        return found if found is None else HeldTarget(*found)

    def exclude(self, address: str, source: ObjectRef, mark: Mark) -> None:
        """Note that what this mark's function made at an address is of a source that is not taken any more."""
        self._db.execute(_EXCLUDE, (source.bucket, source.key, address, mark.function, mark.source))

    def count_removals(self, *, with_unseen: bool) -> int:
        """How many targets are excluded, and with `with_unseen` also how many of ours were not seen."""
        removals = self._count("FROM held WHERE excluded AND NOT refused")
        return removals + (self._count("FROM held WHERE NOT seen AND ours AND NOT refused") if with_unseen else 0)

    def excluded(self) -> Iterator[ObjectRef]:
        """The sources of what was excluded."""
        for bucket, key in self._db.execute("SELECT DISTINCT bucket, key FROM held WHERE excluded"):
            yield ObjectRef(bucket, key)

    def unseen(self) -> Iterator[tuple[str, ObjectRef | None, bool, bool]]:
        """What is ours and was not seen: address, source, whether it is a refusal, and whether one beside a target."""
        for address, bucket, key, refused, beside in self._db.execute(
            "SELECT address, bucket, key, refused, beside FROM held WHERE NOT seen AND ours"
        ):
            yield address, ObjectRef(bucket, key) if bucket is not None else None, bool(refused), bool(beside)

    def _count(self, rows: str) -> int:
        (number,) = self._db.execute(f"SELECT count(*) {rows}").fetchone()
        return int(number)


def is_same(held: HeldTarget, mark: Mark) -> bool:
    """Whether a target was made of this content by this function with these options."""
    # Listings do not tell version ids, so the content alone is compared: the same bytes make the same target.
    content = (held.state or "").partition(".")[0]
    return (content, held.function, held.options, held.source) == (mark.state, mark.function, mark.options, mark.source)


@contextmanager
def scratch() -> Iterator[Held]:
    """A table in a temporary file; gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="penstock-reconcile-") as folder,
        closing(sqlite3.connect(Path(folder, "held.db"))) as db,
    ):
        # Nothing in it is worth a sync: it is made anew every time.
        db.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_SCHEMA}")
        yield Held(db)
