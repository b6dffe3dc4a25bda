"""The reserve of a volume: what would reach into it is refused, and space inside the file counts as free."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.delivery.reserve import LOOK_SECONDS, VolumeReserve, free_bytes_of
from penstock.errors import TemporaryError

RESERVE = 1_000_000


class Volume:
    """Says how much is free, and counts how often it was asked."""

    def __init__(self, free: int) -> None:
        self.free, self.looks, self.now = free, 0, 1000.0

    def free_bytes(self, _folder: Path) -> int:
        self.looks += 1
        return self.free


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE a (b BLOB)")
        db.commit()
        yield db


def reserve(path: Path, volume: Volume) -> VolumeReserve:
    return VolumeReserve(path, RESERVE, volume.free_bytes, lambda: volume.now)


def test_bytes_count_twice_once_for_the_log_and_once_for_the_file(path: Path, db: sqlite3.Connection) -> None:
    volume = Volume(RESERVE + 2000)
    reserve(path, volume).take(db, 1000)
    with pytest.raises(TemporaryError, match=r"inbox\.db: the volume has 1002000 bytes free, and 1000000 are kept"):
        reserve(path, volume).take(db, 1001)


def test_the_volume_is_looked_at_again_when_the_last_look_is_used_up_or_old(path: Path, db: sqlite3.Connection) -> None:
    volume = Volume(RESERVE + 10_000)
    kept = reserve(path, volume)
    kept.take(db, 1)
    kept.take(db, 1)
    assert volume.looks == 1
    kept.take(db, 4000)
    assert volume.looks == 2
    volume.now += LOOK_SECONDS
    kept.take(db, 1)
    assert volume.looks == 3
    volume.now -= 10 * LOOK_SECONDS
    kept.take(db, 1)
    assert volume.looks == 4


def test_what_deleted_rows_left_in_the_file_is_free(path: Path, db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO a VALUES (zeroblob(100000))")
    db.commit()
    volume = Volume(RESERVE - 1)
    with pytest.raises(TemporaryError):
        reserve(path, volume).take(db, 1000)
    db.execute("DELETE FROM a")
    db.commit()
    reserve(path, volume).take(db, 1000)
    volume.free = RESERVE // 2 - 1  # the log takes its space from the volume in any case
    with pytest.raises(TemporaryError):
        reserve(path, volume).take(db, 1000)


def test_the_log_may_have_to_go_into_the_file_and_counts(path: Path, db: sqlite3.Connection) -> None:
    path.with_name("inbox.db-wal").write_bytes(bytes(500))
    with pytest.raises(TemporaryError):
        reserve(path, Volume(RESERVE + 2 * 1000 + 499)).take(db, 1000)
    reserve(path, Volume(RESERVE + 2 * 1000 + 500)).take(db, 1000)


def test_free_bytes_are_those_of_the_volume(tmp_path: Path) -> None:
    assert free_bytes_of(tmp_path) > 0
