"""One SQLite file for all: what must be durable, and a file that goes away under the process."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import TemporaryError
from penstock.sqlite_file import SqliteFile, UnusableFile

from tests.unit.sqlite_file.conftest import add, opened, texts
from tests.unit.sqlite_levels import FULL, NORMAL, record_levels


@pytest.fixture
def kept(path: Path) -> Iterator[SqliteFile[None, Any]]:
    """A file that must not be made anew, with one item."""
    file = opened(path, recreate=False)
    add(file, "kept")
    yield file
    file.close()


# What must be on the disk


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return record_levels(monkeypatch)


def test_commit_waits_for_the_disk_unless_it_need_not_and_again_afterwards(path: Path, levels: list[int]) -> None:
    with contextlib.closing(opened(path)) as file:
        add(file, "a")
        levels.clear()
        add(file, "b")
        add(file, "c", durable=False)
        add(file, "d", durable=False)
        add(file, "e")
    assert levels == [FULL, NORMAL, NORMAL, FULL]


def test_group_with_one_durable_commit_waits_for_the_disk(path: Path, levels: list[int]) -> None:
    with contextlib.closing(opened(path)) as file:
        add(file, "a")
        levels.clear()
        threads = [
            threading.Thread(target=add, args=(file, text), kwargs={"durable": durable})
            for text, durable in (("c", False), ("d", True))
        ]
        waiting = threading.Event()

        def start_others(db: sqlite3.Connection, _: list[None]) -> int:
            for thread in threads:
                thread.start()
            while sum(thread.is_alive() for thread in threads) < 2:
                waiting.wait(0.01)
            waiting.wait(0.2)  # both have asked by now: they share the next commit, whichever comes first
            return db.execute("INSERT INTO items (text) VALUES ('b')").rowcount

        file.commit([start_others], durable=False)
        for thread in threads:
            thread.join()
        assert sorted(texts(file)) == ["a", "b", "c", "d"]
    # At worst they came apart, and then the durable one has waited by itself.
    assert levels[0] == NORMAL
    assert FULL in levels[1:]


# A file that goes away


def remove(path: Path) -> None:
    for name in ("", "-wal", "-shm"):
        Path(f"{path}{name}").unlink(missing_ok=True)


def test_removed_file_that_must_not_be_made_anew_is_an_error_from_then_on(
    kept: SqliteFile[None, Any], path: Path
) -> None:
    remove(path)
    for _ in range(2):
        with pytest.raises(UnusableFile, match="removed or replaced while it was in use"):
            add(kept, "lost")
        with pytest.raises(UnusableFile, match="removed or replaced"):
            texts(kept)
    assert not path.exists()


def test_replaced_file_that_must_not_be_made_anew_is_an_error(kept: SqliteFile[None, Any], path: Path) -> None:
    with contextlib.closing(opened(path.with_name("other.db"))) as other:
        add(other, "other")
    os.replace(path.with_name("other.db"), path)  # noqa: PTH105
    with pytest.raises(UnusableFile, match="removed or replaced"):
        add(kept, "lost")
    with pytest.raises(UnusableFile, match="removed or replaced"):
        texts(kept)


def test_file_that_is_put_back_works_again(kept: SqliteFile[None, Any], path: Path) -> None:
    os.rename(path, path.with_suffix(".away"))  # noqa: PTH104
    with pytest.raises(UnusableFile):
        add(kept, "lost")
    os.rename(path.with_suffix(".away"), path)  # noqa: PTH104
    add(kept, "more")
    assert texts(kept) == ["kept", "more"]


@pytest.mark.parametrize("size", [0, 4096])
def test_file_that_was_cut_short_is_an_error(path: Path, size: int) -> None:
    with contextlib.closing(opened(path, recreate=False)) as file:
        add(file, "x" * 50_000)
        file.close()  # copies the log into the file
        add(file, "kept")
        os.truncate(path, size)
        with pytest.raises(UnusableFile, match="became shorter"):
            add(file, "lost")
        with pytest.raises(UnusableFile, match="became shorter"):
            texts(file)


def test_commit_during_which_the_file_is_removed_is_not_told_as_stored(kept: SqliteFile[None, Any], path: Path) -> None:
    def remove_meanwhile(db: sqlite3.Connection, _: list[None]) -> int:
        db.execute("INSERT INTO items (text) VALUES ('lost')")
        remove(path)
        return 1

    with pytest.raises(UnusableFile):
        kept.commit([remove_meanwhile])


def test_removed_log_is_told_and_loses_nothing_that_was_stored(kept: SqliteFile[None, Any], path: Path) -> None:
    Path(f"{path}-wal").unlink()
    with pytest.raises(TemporaryError, match=r"its log .* was removed"):
        add(kept, "told as not stored")
    add(kept, "more")
    found = texts(kept)
    assert (found[0], found[-1]) == ("kept", "more")
