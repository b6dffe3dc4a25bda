"""A durable inbox: what is put in is on disk before `put` returns, and stays until it is finished or dropped.

Messages that are put in together share one commit (`sqlite_file/file.py`), so durability costs little under load. After
a kill every message that was not finished is pending again.

A volume that is full of messages must become empty again, and to remove a message takes space in SQLite's log. So `put`
and `store_dead_letter` keep a reserve: they refuse before the last megabytes of the volume are used. Messages are
finished, replayed and dropped within the reserve. The file itself never becomes smaller; space inside it is used again.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from penstock.delivery.dead_letters import DeadLetter
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox_file import INSERT_DEAD, LAYOUT, MESSAGE_COLUMNS, message_of, numbers_of, row_of
from penstock.delivery.reserve import VolumeReserve
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import ConfigError, TemporaryError
from penstock.json_text import encodable
from penstock.sqlite_file import SqliteFile, UnusableFile

RESERVE_BYTES = 16 * 1024 * 1024
# 4 MiB: what finished messages write to the log before it is used again must fit into the reserve many times.
_CHECKPOINT_PAGES = 1000
# A message of 1 MiB is written a second time when it becomes a dead letter; this many of them fit into the reserve.
_DEAD_PER_COMMIT = 5
# A message has 1 MiB at most, and a page is in memory.
_PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class InboxCounts:
    """How many messages are pending, and how many are dead letters."""

    pending: int
    dead: int


class Inbox:
    """Messages on disk, in the order in which they came. Methods may be called from any thread.

    One process claims; any other may read, replay and drop dead letters meanwhile.

    `put` and `store_dead_letter` refuse when `max_pending` messages wait, or when the volume has less than
    `reserve_bytes` free. `free_bytes` says how many bytes the volume of a folder has free.

    The constructor raises `ConfigError` for a file that cannot be used: another program's, another layout's, damaged,
    or not writable. Every method raises `TemporaryError` when the disk or the database does not answer, and when the
    file was removed, replaced or cut short after the inbox was opened: what is stored then would be lost.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_pending: int = 1_000_000,
        reserve_bytes: int = RESERVE_BYTES,
        busy_timeout_seconds: float = 10.0,
        free_bytes: Callable[[Path], int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self.arrived = threading.Event()
        self._max_pending = max_pending
        self._clock = clock
        self._claimed: dict[str, int] = {}
        self._reserve = VolumeReserve(self.path, reserve_bytes, free_bytes, clock)
        self._pending = _Tally()
        self._file: SqliteFile[None, int | TemporaryError] = SqliteFile(
            self.path,
            LAYOUT,
            owner="inbox",
            busy_timeout_seconds=busy_timeout_seconds,
            recreate=False,
            checkpoint_pages=_CHECKPOINT_PAGES,
        )
        try:
            self.counts()  # with the lock for writing, so that a read-only volume is found
        except UnusableFile as exc:
            raise ConfigError(str(exc)) from exc

    def put(self, messages: Sequence[Message[object]]) -> None:
        """Store messages; they are on disk, or none of them is, when this returns or raises."""
        if not messages:
            return
        rows = [row_of(message, self._clock()) for message in messages]

        def store(db: sqlite3.Connection) -> tuple[int, int]:
            self._refuse_if_full(db, rows)
            db.executemany(f"INSERT INTO pending ({MESSAGE_COLUMNS}) VALUES (?,?,?,?,?,?)", rows)  # noqa: S608
            return len(rows), len(rows)

        self._commit(store)
        self.arrived.set()

    def claim(self, target: str, limit: int) -> list[Message[int]]:
        """The next messages for a target, each given once until `release`; its number is the receipt."""
        with self._file.reader() as db:
            rows = db.execute(
                f"SELECT id, {MESSAGE_COLUMNS} FROM pending WHERE id > ? AND target = ? ORDER BY id LIMIT ?",  # noqa: S608
                (self._claimed.get(target, 0), target, limit),
            ).fetchall()
        if rows:
            self._claimed[target] = rows[-1][0]
        return [message_of(row[1:], row[0]) for row in rows]

    def release(self, target: str) -> None:
        """Let everything that is pending for a target be claimed again."""
        self._claimed.pop(target, None)

    def targets(self) -> set[str]:
        """The targets that pending messages name."""
        with self._file.reader() as db:
            return {target for (target,) in db.execute("SELECT DISTINCT target FROM pending")}

    def finish(self, delivered: Sequence[int], dead: Sequence[tuple[int, Verdict]] = ()) -> None:
        """Delete delivered messages, and make dead letters of those that were given up; both by their numbers.

        It need not reach the disk: lost in a power cut, it leaves messages pending, which are then delivered once more.
        """
        now = self._clock()

        def delete(db: sqlite3.Connection) -> tuple[int, int]:
            gone = db.executemany("DELETE FROM pending WHERE id = ?", [(number,) for number in delivered]).rowcount
            return gone, -gone

        def move(some: Sequence[tuple[int, Verdict]], db: sqlite3.Connection) -> tuple[int, int]:
            gone = 0
            for number, verdict in some:
                db.execute(
                    f"{INSERT_DEAD} SELECT {MESSAGE_COLUMNS}, ?, ?, ?, ? FROM pending WHERE id = ?",  # noqa: S608
                    (now, verdict.code, encodable(verdict.reason), verdict.data, number),
                )
                gone += db.execute("DELETE FROM pending WHERE id = ?", (number,)).rowcount
            return gone, -gone

        if delivered:
            self._commit(delete, durable=False)
        for start in range(0, len(dead), _DEAD_PER_COMMIT):
            self._commit(partial(move, dead[start : start + _DEAD_PER_COMMIT]), durable=False)

    def store_dead_letter(self, message: Message[object], code: int, reason: str, data: bytes = b"") -> None:
        """Store a message that was never in the inbox as a dead letter; it is on disk when this returns."""
        self.store_dead_letters([(message, Verdict(DeliveryOutcome.DEAD, code, reason, data))])

    def store_dead_letters(self, dead: Sequence[tuple[Message[object], Verdict]]) -> None:
        """`store_dead_letter` for several messages in one commit."""
        now = self._clock()
        rows = [
            (*row_of(message, now), now, verdict.code, encodable(verdict.reason), verdict.data)
            for message, verdict in dead
        ]

        def store(db: sqlite3.Connection) -> tuple[int, int]:
            self._refuse_if_full(db, rows)
            db.executemany(f"{INSERT_DEAD} VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
            return len(rows), 0

        self._commit(store)

    def read(self) -> Iterator[DeadLetter]:
        """Every dead letter, oldest first; page by page, so that no read lasts long."""
        after = 0
        while page := self.dead_letters(after=after, limit=_PAGE_ROWS):
            yield from page
            after = int(page[-1].id)

    def dead_letters(self, *, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Dead letters in the order in which they died, those with a number above `after`."""
        with self._file.reader() as db:
            rows = db.execute(
                f"SELECT id, {MESSAGE_COLUMNS}, died, code, reason, data FROM dead WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
                (after, limit),
            ).fetchall()
        return [DeadLetter(str(row[0]), message_of(row[1:7], None), *row[7:]) for row in rows]

    def replay(self, ids: Collection[str]) -> int:
        """Make dead letters pending again, behind everything that waits; returns how many there were."""

        def move(db: sqlite3.Connection) -> tuple[int, int]:
            count = 0
            for number in numbers_of(ids):
                count += db.execute(
                    f"INSERT INTO pending ({MESSAGE_COLUMNS}) SELECT {MESSAGE_COLUMNS} FROM dead WHERE id = ?",  # noqa: S608
                    (number,),
                ).rowcount
                db.execute("DELETE FROM dead WHERE id = ?", (number,))
            return count, count

        count = self._commit(move)
        self.arrived.set()
        return count

    def drop(self, ids: Collection[str]) -> int:
        """Delete dead letters without delivering them; returns how many there were."""
        return self._commit(
            lambda db: (
                db.executemany("DELETE FROM dead WHERE id = ?", [(each,) for each in numbers_of(ids)]).rowcount,
                0,
            )
        )

    def counts(self) -> InboxCounts:
        """How many there are now; another process may have replayed or dropped some."""
        dead = 0

        def count(db: sqlite3.Connection) -> tuple[int, int]:
            nonlocal dead
            (pending,) = db.execute("SELECT count(*) FROM pending").fetchone()
            (dead,) = db.execute("SELECT count(*) FROM dead").fetchone()
            return pending, pending - self._pending.value

        return InboxCounts(self._commit(count, durable=False), dead)

    def pending_by_target(self) -> dict[str, int]:
        """How many messages are pending for each target that has any."""
        with self._file.reader() as db:
            return dict(db.execute("SELECT target, count(*) FROM pending GROUP BY target"))

    def oldest_seconds(self) -> float:
        """Age of the oldest pending message, 0 when there is none."""
        with self._file.reader() as db:
            row = db.execute("SELECT received FROM pending ORDER BY id LIMIT 1").fetchone()
        return max(0.0, self._clock() - row[0]) if row else 0.0

    def close(self) -> None:
        self._file.close()

    def _commit(self, step: Callable[[sqlite3.Connection], tuple[int, int]], *, durable: bool = True) -> int:
        """Run one step, which says what to return and by how much the number of pending messages changes.

        A step that raises `TemporaryError` before it writes fails alone, not with the others of its commit.
        """
        change = 0

        def run(db: sqlite3.Connection, _notes: list[None]) -> int | TemporaryError:
            nonlocal change
            try:
                result, change = step(db)
            except TemporaryError as exc:
                return exc
            self._pending.add(change)
            return result

        try:
            [outcome] = self._file.commit([run], durable=durable)
        except BaseException:
            self._pending.add(-change)
            raise
        if isinstance(outcome, TemporaryError):
            raise outcome
        return outcome

    def _refuse_if_full(self, db: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        waiting = self._pending.value
        if waiting + len(rows) > self._max_pending:
            raise TemporaryError(f"{self.path}: {waiting} messages wait already; see why their targets do not answer")
        self._reserve.take(db, sum([len(field) for row in rows for field in row if isinstance(field, bytes | str)]))


class _Tally:
    """A number that several threads change."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def add(self, change: int) -> None:
        with self._lock:
            self.value += change
