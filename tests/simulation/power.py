"""An inbox on a disk that forgets what was not synced when the power is cut.

SQLite syncs a commit when `PRAGMA synchronous` is FULL (in WAL mode; NORMAL syncs at checkpoints only). So the disk
keeps a copy of the database at each commit made under FULL, and a cut brings back the last copy.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
from penstock.delivery.verdict import DeliveryOutcome, Verdict

from tests.simulation.world import Wrong

FULL = 2
_connect = sqlite3.connect


@dataclass
class Disk:
    """What would be read after a power cut, and how often it was synced."""

    path: Path
    image: bytes | None = None
    syncs: int = 0
    ignores_sync: bool = False

    def open(self) -> Inbox:
        """The inbox as it is after a cut: only what was synced is there."""
        for name in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
        if self.image is not None:
            self.path.write_bytes(self.image)
        with patch("sqlite3.connect", self._connect):
            return Inbox(self.path)

    def _connect(self, *given: Any, **how: Any) -> sqlite3.Connection:
        return _connect(*given, **how, factory=self._connection())

    def _connection(self) -> type[sqlite3.Connection]:
        disk = self

        class OnDisk(sqlite3.Connection):
            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                if disk.ignores_sync and "synchronous" in sql:
                    sql = "PRAGMA synchronous=OFF"
                done = super().execute(sql, *parameters)
                if sql.startswith("COMMIT"):
                    disk.committed(self)
                return done

        return OnDisk

    def committed(self, connection: sqlite3.Connection) -> None:
        (level,) = sqlite3.Connection.execute(connection, "PRAGMA synchronous").fetchone()
        (pages,) = sqlite3.Connection.execute(connection, "PRAGMA page_count").fetchone()
        if level >= FULL and pages:  # before its layout a file has no page, and SQLite no image of it
            self.image = bytes(connection.serialize())
            self.syncs += 1


@dataclass
class PowerCuts:
    """One schedule of puts, deliveries, dead letters and power cuts on one inbox."""

    seed: int
    disk: Disk
    promised: set[bytes] = field(default_factory=set)
    finished: set[bytes] = field(default_factory=set)
    buried: set[bytes] = field(default_factory=set)

    def run(self, steps: int = 25) -> None:
        """Raises `Wrong` when something that `put` or `bury` had confirmed is gone after a cut."""
        rng = random.Random(self.seed)
        inbox = self.disk.open()
        for step in range(steps):
            act = rng.choice(("put", "put", "deliver", "dead", "bury", "cut"))
            if act == "put":
                values = [b"%d-%d" % (step, number) for number in range(rng.randint(1, 3))]
                inbox.put([_message(value) for value in values])
                self.promised.update(values)
            elif act == "bury":
                value = b"buried %d" % step
                inbox.store_dead_letter(_message(value), 400, "cannot be read")
                self.buried.add(value)
            elif act == "cut":
                inbox.close()
                inbox = self.disk.open()
                self._judge(inbox)
            else:
                for message in inbox.claim("sink", rng.randint(1, 2)):
                    if act == "dead":
                        inbox.finish([], [(message.receipt, Verdict(DeliveryOutcome.DEAD, 422, "refused"))])
                    else:
                        inbox.finish([message.receipt])
                        self.finished.add(message.value)
        inbox.close()
        inbox = self.disk.open()
        self._judge(inbox)
        inbox.close()

    def _judge(self, inbox: Inbox) -> None:
        dead = {letter.message.value for letter in inbox.dead_letters()}
        pending = {message.value for message in inbox.claim("sink", 10_000)}
        inbox.release("sink")
        if lost := self.promised - self.finished - pending - dead:
            raise Wrong(f"seed {self.seed}: confirmed, and gone after a power cut: {sorted(lost)}")
        if lost := self.buried - dead:
            raise Wrong(f"seed {self.seed}: dead letters gone after a power cut: {sorted(lost)}")


def _message(value: bytes) -> Message[None]:
    return Message(value, value, {}, "test", "sink")


def cut_power(seeds: Iterable[int], folder: Path, *, ignores_sync: bool = False) -> int:
    """Play schedules of power cuts; raises `Wrong` at the first that loses something. Returns the number of syncs."""
    syncs = 0
    for seed in seeds:
        disk = Disk(folder / f"inbox-{seed}.db", ignores_sync=ignores_sync)
        PowerCuts(seed, disk).run()
        syncs += disk.syncs
    return syncs
