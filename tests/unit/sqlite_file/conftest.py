"""A small SQLite file with one table, and what tests write to it and read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from penstock.sqlite_file import Layout, SqliteFile

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
