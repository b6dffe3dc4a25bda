"""One SQLite file for all: layout and migrations, what must be durable, and a file that goes away under the process."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import TemporaryError
from penstock.sqlite_file import Layout, SqliteFile, UnusableFile

from tests.unit.sqlite_levels import FULL, NORMAL, record_levels

ITEMS = "CREATE TABLE items (text TEXT)"
APPLICATION = 4711


def layout(
    version: int = 1,
    statements: Sequence[str] = (ITEMS,),
    migrations: Mapping[int, Sequence[str]] | None = None,
    unversioned: Mapping[str, Sequence[str]] | None = None,
) -> Layout:
    return Layout(statements, version, APPLICATION, "name another file", migrations or {}, unversioned or {})


def opened(path: Path, made: Layout | None = None, *, recreate: bool = True) -> SqliteFile[None, Any]:
    return SqliteFile(path, made or layout(), owner="test", busy_timeout_seconds=1, recreate=recreate)


def add(file: SqliteFile[None, Any], text: str, *, durable: bool = True) -> None:
    file.commit([lambda db, _: db.execute("INSERT INTO items (text) VALUES (?)", (text,)).rowcount], durable=durable)


def texts(file: SqliteFile[None, Any]) -> list[str]:
    with file.reader() as db:
        return [text for (text,) in db.execute("SELECT text FROM items ORDER BY rowid")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.db"


@pytest.fixture
def kept(path: Path) -> Iterator[SqliteFile[None, Any]]:
    """A file that must not be made anew, with one item."""
    file = opened(path, recreate=False)
    add(file, "kept")
    yield file
    file.close()


# Layout


def test_older_layout_is_migrated_step_by_step_and_keeps_its_rows(path: Path) -> None:
    with contextlib.closing(opened(path)) as first:
        add(first, "old")
    migrations = {
        1: ["ALTER TABLE items ADD COLUMN size INTEGER"],
        2: ["UPDATE items SET size = length(text)", "CREATE INDEX sizes ON items (size)"],
    }
    newer = layout(3, ["CREATE TABLE items (text TEXT, size INTEGER)"], migrations)
    with contextlib.closing(opened(path, newer)) as file, file.reader() as db:
        assert db.execute("SELECT text, size FROM items").fetchall() == [("old", 3)]
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        assert db.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall() == [("sizes",)]


def test_failed_migration_changes_nothing(path: Path) -> None:
    with contextlib.closing(opened(path)) as first:
        add(first, "old")
    broken = layout(2, migrations={1: ["ALTER TABLE items ADD COLUMN size INTEGER", "DROP TABLE missing"]})
    with contextlib.closing(opened(path, broken)) as file, pytest.raises(TemporaryError):
        texts(file)
    with contextlib.closing(opened(path)) as again, again.reader() as db:
        assert db.execute("SELECT * FROM items").fetchall() == [("old",)]


def test_older_layout_without_a_migration_is_left_alone(path: Path) -> None:
    with contextlib.closing(opened(path)) as first:
        add(first, "old")
    with (
        contextlib.closing(opened(path, layout(3, migrations={2: []}))) as file,
        pytest.raises(UnusableFile, match=r"version 1, this Penstock knows 3.*name another file"),
    ):
        texts(file)


def test_newer_layout_is_left_alone(path: Path) -> None:
    with contextlib.closing(opened(path, layout(2))) as first:
        add(first, "new")
    with contextlib.closing(opened(path)) as file, pytest.raises(UnusableFile, match="version 2"):
        add(file, "x")


@pytest.mark.parametrize(
    ("statement", "is_taken"),
    [(ITEMS, True), ("CREATE TABLE items (name TEXT)", False), (f"{ITEMS}; CREATE TABLE songs (title TEXT)", False)],
)
def test_file_from_before_there_were_versions_is_taken_if_its_columns_are_right(
    path: Path, statement: str, is_taken: bool
) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(f"{statement}; INSERT INTO items VALUES ('old')")
    before = path.read_bytes()
    with contextlib.closing(opened(path, layout(unversioned={"items": ["text"]}))) as file:
        if is_taken:
            assert texts(file) == ["old"]
            with file.reader() as marked:
                assert marked.execute("PRAGMA user_version").fetchone() == (1,)
            return
        with pytest.raises(UnusableFile, match="belongs to another program"):
            texts(file)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT * FROM items").fetchall() == [("old",)]
    assert before[60:72] == path.read_bytes()[60:72]  # user_version and application_id


def test_database_of_another_program_with_a_mark_of_its_own_is_left_alone(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 1")
    with contextlib.closing(opened(path)) as file, pytest.raises(UnusableFile, match="another program"):
        add(file, "x")


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
