"""A durable inbox: what is put in is on disk before `put` returns, and stays until it is done or dropped.

SQLite in WAL mode with synchronous FULL: a commit is an fsync. Puts that arrive together share one
commit, so durability costs little under load. After a kill everything not done is pending again.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.delivery.deliverer import Message
from penstock.errors import TemporaryError

# AUTOINCREMENT: a deleted row's number must not come back, because `claim` goes on after the last one it gave.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    headers TEXT NOT NULL, origin TEXT NOT NULL, received REAL NOT NULL);
CREATE TABLE IF NOT EXISTS dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    headers TEXT NOT NULL, origin TEXT NOT NULL, received REAL NOT NULL,
    died REAL NOT NULL, code INTEGER NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL);
"""
_MESSAGE = "target, key, value, headers, origin, received"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up. `received` and `died` are seconds since the epoch; `data` is the last answer."""

    id: int
    message: Message
    received: float
    died: float
    code: int
    reason: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Counts:
    pending: int
    dead: int


class Inbox:
    """Messages on disk, in the order in which they came. Methods may be called from any thread.

    One process claims; any other may read, replay and drop dead letters meanwhile. Every method raises
    `TemporaryError` when the disk or the database does not answer, and `put` when `max_pending` is reached.
    """

    def __init__(
        self, path: str | Path, *, max_pending: int = 1_000_000, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = Path(path)
        self._max_pending = max_pending
        self._clock = clock
        self._claimed: dict[str, int] = {}
        self._waiting: list[_Ticket] = []
        self._waiting_lock = threading.Lock()
        self._writer = threading.Lock()
        self.arrived = threading.Event()
        with _temporary(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=10)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
            (self._pending,) = self._connection.execute("SELECT count(*) FROM pending").fetchone()

    def put(self, messages: Sequence[Message]) -> None:
        """Store messages; they are on disk, or none of them is, when this returns or raises."""
        if not messages:
            return
        ticket = _Ticket(messages)
        with self._waiting_lock:
            self._waiting.append(ticket)
        # Whoever gets the lock commits for all who wait; the others find their ticket settled.
        with self._writer:
            if not ticket.settled:
                self._commit_waiting()
        if ticket.error is not None:
            raise ticket.error
        self.arrived.set()

    def claim(self, target: str, limit: int) -> list[Message]:
        """The next messages for a target, each given once until `release`; its number is the `receipt`."""
        with self._writer, _temporary(self.path):
            rows = self._connection.execute(
                f"SELECT id, {_MESSAGE} FROM pending WHERE id > ? AND target = ? ORDER BY id LIMIT ?",  # noqa: S608
                (self._claimed.get(target, 0), target, limit),
            ).fetchall()
        if rows:
            self._claimed[target] = rows[-1][0]
        return [_message(row[1:], row[0]) for row in rows]

    def release(self, target: str) -> None:
        """Let everything that is pending for a target be claimed again."""
        self._claimed.pop(target, None)

    def targets(self) -> set[str]:
        """The targets that pending messages name."""
        with self._writer, _temporary(self.path):
            return {target for (target,) in self._connection.execute("SELECT DISTINCT target FROM pending")}

    def done(self, ids: Iterable[int]) -> None:
        """Forget delivered messages."""
        self.settle(list(ids))

    def dead(self, id: int, code: int, reason: str, data: bytes = b"") -> None:  # noqa: A002 - the row's name
        """Make one message a dead letter: `code` is the last status, `data` the start of the last answer."""
        self.settle((), [(id, code, reason, data)])

    def settle(
        self,
        done: Sequence[int],
        dead: Sequence[tuple[int, int, str, bytes]] = (),
        buried: Sequence[tuple[Message, int, str, bytes]] = (),
    ) -> None:
        """`done` and `dead` for many messages, and `buried`: dead letters that never were in the inbox.

        All in one commit, which reaches the disk before this returns only if something is buried. Lost with the
        power, the rest leaves messages pending: they are delivered once more, never less.
        """
        if not (done or dead or buried):
            return
        now, gone = self._clock(), 0
        with self._transaction(durable=bool(buried)) as run:
            for number, code, reason, data in dead:
                run.execute(
                    f"INSERT INTO dead ({_MESSAGE}, died, code, reason, data)"  # noqa: S608
                    f" SELECT {_MESSAGE}, ?, ?, ?, ? FROM pending WHERE id = ?",
                    (now, code, reason, data, number),
                )
                gone += run.execute("DELETE FROM pending WHERE id = ?", (number,)).rowcount
            if done:
                gone += run.executemany("DELETE FROM pending WHERE id = ?", [(n,) for n in done]).rowcount
            run.executemany(
                f"INSERT INTO dead ({_MESSAGE}, died, code, reason, data) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                [(*_row(message, now), now, code, reason, data) for message, code, reason, data in buried],
            )
        self._pending -= gone

    def bury(self, message: Message, code: int, reason: str, data: bytes = b"") -> None:
        """Store a message as a dead letter at once; it is on disk when this returns."""
        self.settle((), (), [(message, code, reason, data)])

    def dead_letters(self, *, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Dead letters in the order in which they died, those with a number above `after`."""
        with self._writer, _temporary(self.path):
            rows = self._connection.execute(
                f"SELECT id, {_MESSAGE}, died, code, reason, data FROM dead WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
                (after, limit),
            ).fetchall()
        return [DeadLetter(row[0], _message(row[1:7]), row[6], *row[7:]) for row in rows]

    def dead_letter(self, id: int) -> DeadLetter | None:  # noqa: A002 - the row's name
        found = self.dead_letters(after=id - 1, limit=1)
        return found[0] if found and found[0].id == id else None

    def replay(self, ids: Iterable[int]) -> int:
        """Make dead letters pending again, behind everything that waits already; says how many there were."""
        count = 0
        with self._transaction() as run:
            for number in ids:
                count += run.execute(
                    f"INSERT INTO pending ({_MESSAGE}) SELECT {_MESSAGE} FROM dead WHERE id = ?",  # noqa: S608
                    (number,),
                ).rowcount
                run.execute("DELETE FROM dead WHERE id = ?", (number,))
        self._pending += count
        self.arrived.set()
        return count

    def drop(self, ids: Iterable[int]) -> int:
        """Delete dead letters for good; says how many there were."""
        with self._transaction() as run:
            return run.executemany("DELETE FROM dead WHERE id = ?", [(number,) for number in ids]).rowcount

    def counts(self) -> Counts:
        with self._writer, _temporary(self.path):
            (pending,) = self._connection.execute("SELECT count(*) FROM pending").fetchone()
            (dead,) = self._connection.execute("SELECT count(*) FROM dead").fetchone()
            self._pending = pending  # another process may have replayed some
        return Counts(pending, dead)

    def oldest_seconds(self) -> float:
        """Age of the oldest pending message, 0 when there is none."""
        with self._writer, _temporary(self.path):
            row = self._connection.execute("SELECT received FROM pending ORDER BY id LIMIT 1").fetchone()
        return max(0.0, self._clock() - row[0]) if row else 0.0

    def close(self) -> None:
        with self._writer:
            self._connection.close()

    def _commit_waiting(self) -> None:
        with self._waiting_lock:
            tickets, self._waiting = self._waiting, []
        now = self._clock()
        accepted: list[_Ticket] = []
        room = self._max_pending - self._pending
        for ticket in tickets:
            ticket.settled = True
            if len(ticket.messages) <= room:
                room -= len(ticket.messages)
                accepted.append(ticket)
            else:
                ticket.error = TemporaryError(
                    f"{self.path}: {self._pending} messages wait already; see why their targets do not answer"
                )
        try:
            with self._begun() as run:
                run.executemany(
                    f"INSERT INTO pending ({_MESSAGE}) VALUES (?,?,?,?,?,?)",  # noqa: S608
                    (_row(message, now) for ticket in accepted for message in ticket.messages),
                )
        except TemporaryError as exc:
            for ticket in accepted:
                ticket.error = exc
        else:
            self._pending += sum(len(ticket.messages) for ticket in accepted)

    @contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        with self._writer:
            if durable:
                with self._begun() as run:
                    yield run
                return
            self._connection.execute("PRAGMA synchronous=NORMAL")
            try:
                with self._begun() as run:
                    yield run
            finally:
                self._connection.execute("PRAGMA synchronous=FULL")

    @contextmanager
    def _begun(self) -> Iterator[sqlite3.Connection]:
        with _temporary(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


class _Ticket:
    __slots__ = ("error", "messages", "settled")

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self.settled = False
        self.error: TemporaryError | None = None


@contextmanager
def _temporary(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise TemporaryError(f"{path}: {exc}; check the volume's space and permissions") from exc


def _row(message: Message, now: float) -> tuple[str, bytes | str, bytes, str, str, float]:
    return message.target, message.key, message.value, json.dumps(dict(message.headers)), message.origin, now


def _message(row: Sequence[Any], receipt: int | None = None) -> Message:
    target, key, value, headers, origin = row[:5]
    return Message(key, value, json.loads(headers), origin, target, receipt)
