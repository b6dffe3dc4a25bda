"""Layouts: older ones are migrated, and those of others are left alone."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from penstock.errors import TemporaryError
from penstock.sqlite_file import UnusableFile

from tests.unit.sqlite_file.conftest import ITEMS, add, layout, opened, texts


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
