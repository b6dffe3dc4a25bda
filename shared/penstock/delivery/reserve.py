"""Space that a database keeps free on its volume, so that what it holds can always be finished and removed."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from penstock.errors import TemporaryError

LOOK_SECONDS = 1.0


class VolumeReserve:
    """Refuses what would leave less than `reserve_bytes` free on the volume of the database at `path`.

    SQLite's log takes space for a deletion too. The file itself never becomes smaller: rows that are deleted leave
    space inside it, which is used again and counts as free here. Not safe for threads: called within a transaction.
    """

    def __init__(
        self,
        path: Path,
        reserve_bytes: int,
        free_bytes: Callable[[Path], int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._reserve_bytes = reserve_bytes
        self._free_bytes = free_bytes or free_bytes_of
        self._clock = clock
        self._spare_bytes, self._looked_at = 0, 0.0

    def take(self, db: sqlite3.Connection, size_bytes: int) -> None:
        """Reserve so many more bytes for the database; raises `TemporaryError` when they are not free."""
        # Twice: once in the log, once in the file.
        size = 2 * size_bytes
        # What was free at the last look is used up first; other programs write to the volume too, so not for long. A
        # clock that was set back does not tell how long ago that was.
        now = self._clock()
        if size <= self._spare_bytes and 0 <= now - self._looked_at < LOOK_SECONDS:
            self._spare_bytes -= size
            return
        # What is in the log now may have to go into the file as well.
        needed = self._reserve_bytes + size + self._log_bytes()
        free = self._free_bytes(self._path.parent)
        self._spare_bytes, self._looked_at = (free - needed) // 2, now
        if free >= needed:
            return
        (unused,) = db.execute("PRAGMA freelist_count").fetchone()
        (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
        # The log takes its space from the volume in any case.
        if free < self._reserve_bytes // 2 or free + unused * page_bytes < needed:
            raise TemporaryError(
                f"{self._path}: the volume has {free} bytes free, and {self._reserve_bytes} are kept to finish what is "
                "stored; see why the targets do not answer, drop dead letters, or enlarge the volume"
            )

    def _log_bytes(self) -> int:
        try:
            return self._path.with_name(f"{self._path.name}-wal").stat().st_size
        except FileNotFoundError:
            return 0


def free_bytes_of(folder: Path) -> int:
    """Bytes that a process without privileges may still write on the volume of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
