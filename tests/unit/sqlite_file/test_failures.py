"""Which remedy an error of SQLite names, and whether the same call may work soon."""

import errno
import sqlite3
from pathlib import Path

import pytest
from penstock.sqlite_file import UnusableFile
from penstock.sqlite_file.failures import error_for

SUBJECT, ELSEWHERE = "index: database /data/index.db", "name another file in SINK"


def test_a_locked_file_is_free_soon(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    one, other = (sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2))
    one.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        other.execute("BEGIN IMMEDIATE")
    found = error_for(caught.value, SUBJECT, ELSEWHERE)
    one.close()
    other.close()
    assert found.retry_after == 1
    assert str(found).startswith(f"{SUBJECT}: database is locked: another process keeps it locked")


def test_a_file_of_another_kind_is_unusable(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("a text that is long enough to be looked at as a database" * 100)
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        db.execute("SELECT * FROM a")
    db.close()
    found = error_for(caught.value, SUBJECT, ELSEWHERE)
    assert isinstance(found, UnusableFile)
    assert str(found).endswith(f"it is not a SQLite database; {ELSEWHERE}")


@pytest.mark.parametrize(("code", "unusable"), [(errno.EACCES, True), (errno.EROFS, True), (errno.EIO, False)])
def test_errors_of_the_file_system(code: int, unusable: bool) -> None:
    assert isinstance(error_for(OSError(code, "x"), SUBJECT, ELSEWHERE), UnusableFile) is unusable
