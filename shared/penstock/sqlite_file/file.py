"""Connections to one SQLite file, and group commit."""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from penstock.errors import TemporaryError
from penstock.sqlite_file.failures import error_for
from penstock.sqlite_file.layout import Layout, UnusableFile, make_layout, version_of

GROUP_CHANGES = 1000  # a group's bound: about 20 ms, which is what the first caller in it waits for the others
CHECKPOINT_PAGES = 4000  # of 4 KiB: the log is copied back every 16 MiB; SQLite's default of 4 MiB costs a tenth

OutcomeT = TypeVar("OutcomeT")
NoteT = TypeVar("NoteT")

Change = Callable[[sqlite3.Connection, list[NoteT]], OutcomeT]
"""One step of a transaction: what it returns goes to its caller, what it adds to the list to the group's `finish`."""


@dataclass(slots=True, eq=False, repr=False)
class _CommitRequest(Generic[NoteT, OutcomeT]):
    """What one caller wants done in one transaction."""

    changes: Sequence[Change[NoteT, OutcomeT]]
    durable: bool
    outcomes: list[OutcomeT] = field(default_factory=list)
    error: Exception | None = None
    done: bool = False


class _FileState(NamedTuple):
    """Which file stands at a path, and its size in bytes."""

    device: int
    inode: int
    size: int

    def is_same_file(self, other: "_FileState | None") -> bool:
        return other is not None and (self.device, self.inode) == (other.device, other.inode)


@dataclass(slots=True, eq=False, repr=False)
class _Open:
    """A connection, the file and the log that it has open, and whether its commits wait for the disk."""

    db: sqlite3.Connection
    file: _FileState
    log: _FileState | None = None
    durable: bool = True


def _no_finish(_db: sqlite3.Connection, _notes: list[Any]) -> None:
    """End a transaction without a further step."""


class SqliteFile(Generic[NoteT, OutcomeT]):
    """Connections to the file at `path`, opened when first needed.

    `owner` opens every message. `finish` runs at the end of every transaction with what the changes in it noted.
    `recreate` decides what happens when the file is removed or replaced while it is in use: True makes it anew, for
    contents that can be built again; False makes every later call an error, for contents that cannot.

    Every method raises `TemporaryError`, or its subclass `UnusableFile`.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        *,
        owner: str,
        busy_timeout_seconds: float,
        finish: Callable[[sqlite3.Connection, list[NoteT]], None] = _no_finish,
        recreate: bool = True,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> None:
        self.path = path
        self._path = str(path)  # looked at before every read, where a Path would cost more than the look
        self._layout = layout
        self._subject = f"{owner}: database {path}"  # opens every message
        self._busy_timeout_seconds = busy_timeout_seconds
        self._finish = finish
        self._recreate = recreate
        self._checkpoint_pages = checkpoint_pages
        self._queue: deque[_CommitRequest[NoteT, OutcomeT]] = deque()
        self._writing = threading.Lock()
        self._writer: _Open | None = None
        self._readers: deque[_Open] = deque()
        self._cut_short = False
        self._first_seen: _FileState | None = None  # its size is the largest that was seen

    def commit(self, changes: Sequence[Change[NoteT, OutcomeT]], *, durable: bool = True) -> list[OutcomeT]:
        """Run the changes in one transaction, together with those of other threads.

        The thread that gets the lock commits for all that wait; the others find their outcome when they get it.
        `durable` has the commit reach the disk before this returns; otherwise a power cut may undo it, as a whole.
        Raises `TemporaryError`, and then nothing of the group was changed.
        """
        request: _CommitRequest[NoteT, OutcomeT] = _CommitRequest(changes, durable)
        self._queue.append(request)
        while not request.done:
            with self._writing:
                if not request.done:
                    self._commit_group()
        if request.error is not None:
            raise request.error
        return request.outcomes

    def _commit_group(self) -> None:
        group: list[_CommitRequest[NoteT, OutcomeT]] = []
        notes: list[NoteT] = []
        while self._queue and sum(len(request.changes) for request in group) < GROUP_CHANGES:
            group.append(self._queue.popleft())
        error: Exception | None = TemporaryError(f"{self._subject}: the commit was interrupted")
        try:
            writer = self._writer_connection()
            db = writer.db
            self._wait_for_disk(writer, any(request.durable for request in group))
            db.execute("BEGIN IMMEDIATE")
            for request in group:
                request.outcomes = [change(db, notes) for change in request.changes]
            self._finish(db, notes)
            db.execute("COMMIT")
            self._refuse_other_file(writer)  # once more: only what is in the file at the path is stored
            error = None
        except (sqlite3.Error, OSError) as exc:
            error = self._explain(exc)
        except TemporaryError as exc:
            error = exc
        finally:
            if error is not None:
                self._drop_writer()  # closing rolls back
            for request in group:
                request.error, request.done = error, True

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading: many at once, and none waits for a writer."""
        reader: _Open | None = None
        try:
            now = self._look_at_file()
            while reader is None and self._readers:
                with suppress(IndexError):  # another thread took the last one
                    reader = self._readers.pop()
                if reader is not None and not reader.file.is_same_file(now):
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
        self._drop_readers()

    def _writer_connection(self) -> _Open:
        now = self._look_at_file()
        if self._writer is not None and not self._writer.file.is_same_file(now):
            self._drop_writer()  # the file was moved away: writing on would go into the void
        if self._writer is None:
            self._writer = self._open()
        return self._writer

    def _look_at_file(self) -> _FileState | None:
        """The file at the path; raises if it is not the one that was first opened and must not be made anew."""
        seen = self._first_seen  # before the look: the file only grows, so the look cannot find it smaller
        now = self._look(self._path)
        if self._recreate or seen is None:
            return now
        if not seen.is_same_file(now) or now is None:
            raise UnusableFile(
                f"{self._subject}: it was removed or replaced while it was in use, and what it "
                "held with it; put it back, or restart to begin with the file that is there"
            )
        if self._cut_short or now.size < seen.size:
            self._cut_short = True  # for good: what SQLite writes from its memory may make the file long again
            raise UnusableFile(
                f"{self._subject}: it became shorter while it was in use, so what it held may be "
                "lost; stop the process, restore the file or remove it, and start again"
            )
        if now.size > seen.size:
            self._first_seen = now
        return now

    def _refuse_other_file(self, writer: _Open) -> None:
        """Raise unless the path still leads to the file and to the log that the commit went to."""
        now = self._look_at_file()
        if not writer.file.is_same_file(now):
            raise TemporaryError(f"{self._subject}: it was replaced during a commit; try again")
        log = self._look(f"{self._path}-wal")
        if writer.log is None:
            writer.log = log
        if writer.log is None or not writer.log.is_same_file(log):
            # Closed, SQLite copies what the removed log holds into the file, and the next connection makes a new log.
            self._drop_readers()
            raise TemporaryError(f"{self._subject}: its log {self.path}-wal was removed; try again")

    @staticmethod
    def _wait_for_disk(writer: _Open, durable: bool) -> None:
        # In WAL mode FULL syncs the log at each commit, NORMAL at a checkpoint only (sqlite.org/pragma.html).
        if writer.durable != durable:
            writer.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            writer.durable = durable

    def _drop_writer(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.db.close()
            self._writer = None

    def _drop_readers(self) -> None:
        while self._readers:
            with suppress(IndexError, sqlite3.Error):
                self._readers.pop().db.close()

    @staticmethod
    def _look(path: str) -> _FileState | None:
        # Never by opening the file: closing it again would drop SQLite's own locks (sqlite.org/howtocorrupt.html, 2.2).
        try:
            status = os.stat(path)  # noqa: PTH116 - see __init__
        except FileNotFoundError:
            return None
        return _FileState(status.st_dev, status.st_ino, status.st_size)

    def _open(self) -> _Open:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # isolation_level None: we say BEGIN and COMMIT ourselves. Each connection is used by one thread at a time.
        db = sqlite3.connect(
            self.path, timeout=self._busy_timeout_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            version_of(
                db, self._layout, self._subject
            )  # before anything is written: another program's file stays as it is
            self._use_log(db)
            db.execute("PRAGMA synchronous = FULL")
            db.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages}")
            make_layout(db, self._layout, self._subject)
            now = self._look_at_file()
            if now is None:
                raise TemporaryError(f"{self._subject}: it was removed while it was opened")
        except BaseException:
            db.close()
            raise
        if self._first_seen is None:
            self._first_seen = now
        return _Open(db, now)

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

    def _explain(self, error: sqlite3.Error | OSError) -> TemporaryError:
        return error_for(error, self._subject, self._layout.elsewhere)
