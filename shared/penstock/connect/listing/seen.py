"""What the last rounds showed and told, in one SQLite file: a round tells only what is new, other or gone.

An object counts as another one when its ETag, its size or its time of writing is: new metadata on the same bytes keeps
the ETag and has a new time. A row is written once the target has taken the hint, so a kill loses nothing.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from penstock.errors import ConfigError
from penstock.sqlite_file.failures import error_for
from penstock.types import ObjectRef, ObjectState

_LAYOUT: Final = 1
_SCHEMA: Final = """
CREATE TABLE seen (bucket TEXT, key TEXT, state BLOB, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE watch (what TEXT);
"""
_LISTED: Final = "CREATE TEMP TABLE listed (bucket TEXT, key TEXT, PRIMARY KEY (bucket, key)) WITHOUT ROWID"
_ROWS_AT_ONCE: Final = 1000


class SeenObjects:
    """The file of one watch; one thread uses it, and one process at a time.

    `watched` names what is watched, and where its hints go. Raises `ConfigError` for a file of another watch, one that
    another process uses, and one that is something else.
    """

    def __init__(self, path: Path, watched: str) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
            # What is listed in a round may be a million keys: it goes to a file, not into memory.
            self._db.executescript("PRAGMA temp_store=FILE; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL")
            self.is_new = self._open(watched)
        except sqlite3.Error as exc:
            raise ConfigError(
                f"{path}: not a file of `penstock watch` that can be used now ({exc}); another watch may use it,"
                " else name another file"
            ) from exc

    def _open(self, watched: str) -> bool:
        (layout,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not layout and not tables:
            self._db.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} PRAGMA user_version={_LAYOUT}")
            self._db.execute("INSERT INTO watch VALUES (?)", (watched,))
            self._db.execute("COMMIT")
            return True
        if layout != _LAYOUT:
            raise ConfigError(f"{self._path}: not a file of this version of `penstock watch`; name another one")
        row = self._db.execute("SELECT what FROM watch").fetchone()
        if row is None:  # the start that made the file was killed before it told whose it is
            self._db.execute("INSERT INTO watch VALUES (?)", (watched,))
            return True
        (kept,) = row
        if kept != watched:
            raise ConfigError(
                f"{self._path}: belongs to another watch, {kept}; name another file, or remove it to tell everything"
                " again"
            )
        return False

    def begin(self) -> None:
        """Begin a round: nothing is listed yet. Like the others, raises `TemporaryError` where the disk is full."""
        with self._telling():
            self._db.executescript(f"DROP TABLE IF EXISTS temp.listed; {_LISTED}")

    def listed(self, states: Sequence[ObjectState]) -> list[ObjectState]:
        """Note what a part of a bucket's listing shows; returns what is new or other than what was told."""
        with self._writing():
            self._db.executemany(
                "INSERT OR IGNORE INTO listed VALUES (?, ?)", ((s.ref.bucket, s.ref.key) for s in states)
            )
        with self._telling():
            known = self._known(states)
        return [state for state in states if known.get(state.ref.key) != digest_of(state)]

    def _known(self, states: Sequence[ObjectState]) -> dict[str, bytes]:
        """What was told of these objects of one bucket, by key."""
        if not states:
            return {}
        places = ",".join("?" * len(states))
        rows = self._db.execute(
            f"SELECT key, state FROM seen WHERE bucket = ? AND key IN ({places})",  # noqa: S608 - question marks
            (states[0].ref.bucket, *(state.ref.key for state in states)),
        )
        return dict(rows)

    def told(self, states: Iterable[ObjectState]) -> None:
        """Keep that the target knows these states."""
        rows = ((state.ref.bucket, state.ref.key, digest_of(state)) for state in states)
        with self._writing():
            self._db.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", rows)

    def gone(self) -> Iterator[list[ObjectRef]]:
        """What was told and is not listed any more, in parts; to be asked after a listing that came to its end."""
        bucket = key = ""
        while True:
            with self._telling():
                rows = self._db.execute(
                    "SELECT bucket, key FROM seen WHERE (bucket, key) > (?, ?) AND NOT EXISTS"
                    " (SELECT 1 FROM listed WHERE listed.bucket = seen.bucket AND listed.key = seen.key)"
                    " ORDER BY bucket, key LIMIT ?",
                    (bucket, key, _ROWS_AT_ONCE),
                ).fetchall()
            if not rows:
                return
            yield [ObjectRef(*row) for row in rows]
            bucket, key = rows[-1]

    def forget(self, refs: Iterable[ObjectRef]) -> None:
        """Keep that the target knows that these are gone."""
        with self._writing():
            self._db.executemany(
                "DELETE FROM seen WHERE bucket = ? AND key = ?", ((ref.bucket, ref.key) for ref in refs)
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; an error leaves none open, which each later one would end at."""
        with self._telling():
            self._db.execute("BEGIN")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            subject = f"{self._path}, or the folder for temporary files"
            raise error_for(exc, subject, "name another file with --state") from exc

    def close(self) -> None:
        self._db.close()


def digest_of(state: ObjectState) -> bytes:
    """16 bytes that change when the listing shows another object under the key."""
    modified = state.last_modified.timestamp() if state.last_modified else ""
    return hashlib.blake2b(f"{state.etag}\n{state.size}\n{modified}".encode(), digest_size=16).digest()
