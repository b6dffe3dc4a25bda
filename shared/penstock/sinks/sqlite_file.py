"""One SQLite file shared by threads and processes: its connections, group commit, and what its errors mean.

Nothing here knows what is stored; `sqlite` does.
"""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from penstock.errors import TemporaryError

GROUP_CHANGES = 1000  # a group's bound: about 20 ms, which is what the first caller in it waits for the others
CHECKPOINT_PAGES = 4000  # of 4 KiB: the log is copied back every 16 MiB; SQLite's default of 4 MiB costs a tenth

_REMEDIES = {
    "SQLITE_BUSY": "another process keeps it locked; find out which, or give each function its own file",
    "SQLITE_LOCKED": "another process keeps it locked; find out which, or give each function its own file",
    "SQLITE_FULL": "the disk is full; free space or enlarge the volume",
    "SQLITE_READONLY": "it cannot be written; mount a writable volume there and check the owner",
    "SQLITE_PERM": "it cannot be written; mount a writable volume there and check the owner",
    "SQLITE_CANTOPEN": "it cannot be opened; check that its folder exists, is writable and on a local disk",
    "SQLITE_IOERR": "reading or writing failed; check the disk, and that it is not a network file system",
    "SQLITE_CORRUPT": "it is damaged; restore a copy, or move it away and run `penstock reconcile` to build it anew",
    "SQLITE_NOTADB": "it is not a SQLite database; name another file, or move it away and run `penstock reconcile`",
}

OutcomeT = TypeVar("OutcomeT")
NoteT = TypeVar("NoteT")

Change = Callable[[sqlite3.Connection, list[NoteT]], OutcomeT]
"""One step of a transaction: what it returns goes to its caller, what it adds to the list to the group's `finish`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the file must hold: SQL statements that make it, its version, and whose database it is."""

    statements: Sequence[str]
    version: int
    application_id: int


@dataclass(slots=True, eq=False)
class _Job(Generic[NoteT, OutcomeT]):
    """What one caller wants done in one transaction."""

    changes: Sequence[Change[NoteT, OutcomeT]]
    outcomes: list[OutcomeT] = field(default_factory=list)
    error: Exception | None = None
    done: bool = False


@dataclass(slots=True)
class _Open:
    """A connection, and which file it has open."""

    db: sqlite3.Connection
    inode: tuple[int, int]


class SqliteFile(Generic[NoteT, OutcomeT]):
    """Connections to the file at `path`, opened when first needed.

    `finish` runs at the end of every transaction with what the changes in it noted.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        *,
        owner: str,
        busy_timeout_seconds: float,
        finish: Callable[[sqlite3.Connection, list[NoteT]], None],
    ) -> None:
        self.path = path
        self._path = str(path)  # asked for its inode before every read, where a Path would cost more than the question
        self._layout = layout
        self._owner = owner
        self._busy_timeout_seconds = busy_timeout_seconds
        self._finish = finish
        self._queue: deque[_Job[NoteT, OutcomeT]] = deque()
        self._writing = threading.Lock()
        self._writer: _Open | None = None
        self._readers: deque[_Open] = deque()

    def commit(self, changes: Sequence[Change[NoteT, OutcomeT]]) -> list[OutcomeT]:
        """Run the changes in one transaction, together with those of other threads; on disk when this returns.

        The thread that gets the lock commits for all that wait. The others find their outcome when they get it.
        Raises `TemporaryError`, and then nothing of the group was changed.
        """
        job: _Job[NoteT, OutcomeT] = _Job(changes)
        self._queue.append(job)
        while not job.done:
            with self._writing:
                if not job.done:
                    self._commit_group()
        if job.error is not None:
            raise job.error
        return job.outcomes

    def _commit_group(self) -> None:
        group: list[_Job[NoteT, OutcomeT]] = []
        notes: list[NoteT] = []
        while self._queue and sum(len(job.changes) for job in group) < GROUP_CHANGES:
            group.append(self._queue.popleft())
        error: Exception | None = TemporaryError(f"{self._owner}: database {self.path}: the commit was interrupted")
        try:
            db = self._writer_connection()
            db.execute("BEGIN IMMEDIATE")
            for job in group:
                job.outcomes = [change(db, notes) for change in job.changes]
            self._finish(db, notes)
            db.execute("COMMIT")
            error = None
        except (sqlite3.Error, OSError) as exc:
            error = self._explain(exc)
        except TemporaryError as exc:
            error = exc
        finally:
            if error is not None:
                self._drop_writer()  # closing rolls back
            for job in group:
                job.error, job.done = error, True

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading: many at once, and none waits for a writer."""
        reader: _Open | None = None
        try:
            inode = self._inode()
            while reader is None and self._readers:
                with suppress(IndexError):  # another thread took the last one
                    reader = self._readers.pop()
                if reader is not None and reader.inode != inode:
                    reader.db.close()
                    reader = None
            if reader is None:
                reader = self._open()
            yield reader.db
            self._readers.append(reader)
            reader = None
        except (sqlite3.Error, OSError) as exc:
            raise self._explain(exc) from exc
        finally:
            if reader is not None:
                reader.db.close()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._writing:
            self._drop_writer()
        while self._readers:
            self._readers.pop().db.close()

    def _writer_connection(self) -> sqlite3.Connection:
        if self._writer is not None and self._writer.inode != self._inode():
            self._drop_writer()  # the file was moved away: writing on would go into the void
        if self._writer is None:
            self._writer = self._open()
        return self._writer.db

    def _drop_writer(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.db.close()
            self._writer = None

    def _inode(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - see __init__
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _open(self) -> _Open:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # isolation_level None: we say BEGIN and COMMIT ourselves. Each connection is used by one thread at a time.
        db = sqlite3.connect(
            self.path, timeout=self._busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._use_log(db)
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self._make_layout(db)
            inode = self._inode()
            if inode is None:
                raise TemporaryError(f"{self._owner}: database {self.path}: it was removed while it was opened")
        except BaseException:
            db.close()
            raise
        return _Open(db, inode)

    def _use_log(self, db: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as exc:
                # Two processes that make the file at once: SQLite does not wait for this lock by itself.
                if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _make_layout(self, db: sqlite3.Connection) -> None:
        if self._version(db) == self._layout.version:
            return
        db.execute("BEGIN IMMEDIATE")
        version = self._version(db)  # once more: another process may have made it meanwhile
        if version == 0:
            for statement in self._layout.statements:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {self._layout.application_id}")
            db.execute(f"PRAGMA user_version = {self._layout.version}")
        db.execute("COMMIT")
        if version not in (0, self._layout.version):
            raise TemporaryError(
                f"{self._owner}: database {self.path}: its layout is version {version}, this Penstock knows "
                f"{self._layout.version}; upgrade the function, or name another file and run `penstock reconcile`"
            )

    def _version(self, db: sqlite3.Connection) -> int:
        """The layout's version, 0 for an empty file; raises `TemporaryError` for another program's database."""
        if _first(db, "PRAGMA application_id") == self._layout.application_id:
            return int(_first(db, "PRAGMA user_version"))
        if _first(db, "SELECT count(*) FROM sqlite_master"):
            raise TemporaryError(
                f"{self._owner}: database {self.path} belongs to another program; name another file in SINK"
            )
        return 0

    def _explain(self, error: sqlite3.Error | OSError) -> TemporaryError:
        name = getattr(error, "sqlite_errorname", None) or ""
        kind = "_".join(name.split("_")[:2])  # SQLITE_READONLY_DBMOVED is a kind of SQLITE_READONLY
        remedy = _REMEDIES.get(kind, "check the file and its folder")
        retry_after = 1.0 if kind in ("SQLITE_BUSY", "SQLITE_LOCKED") else None
        return TemporaryError(f"{self._owner}: database {self.path}: {error}: {remedy}", retry_after=retry_after)


def _first(db: sqlite3.Connection, sql: str) -> Any:
    return db.execute(sql).fetchone()[0]
