"""Whose database a file is, which version of its layout it has, and the steps from one version to the next."""

import sqlite3
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from penstock.errors import TemporaryError


class UnusableFile(TemporaryError):
    """An inbox or index file is another program's, of another layout, damaged or not writable; at start: exit code 78.

    A restart does not help, so a process that needs the file refuses to start. It is temporary all the same: an
    operator can put the right file there.

    To do: put the right file there, or name another one.
    """


class Layout(NamedTuple):
    """What the file must hold, and whose database it is.

    `statements` make a new file of this `version`. `migrations` has the statements that turn version N into N + 1,
    by N. `unversioned` has columns by table: a file that has just these and no version is taken for version 1,
    because it was made before there were versions. `elsewhere` tells the operator how to use another file.
    """

    statements: Sequence[str]
    version: int
    application_id: int
    elsewhere: str
    migrations: Mapping[int, Sequence[str]] = MappingProxyType({})
    unversioned: Mapping[str, Sequence[str]] = MappingProxyType({})


def version_of(db: sqlite3.Connection, layout: Layout, subject: str) -> int:
    """The version of the file's layout, 0 for an empty file; writes nothing.

    Raises `UnusableFile`, which `subject` opens, for another program's database.
    """
    if db.in_transaction:
        return _version_of(db, layout, subject)
    # In one transaction: another process may make the file between two of these looks.
    db.execute("BEGIN")
    try:
        return _version_of(db, layout, subject)
    finally:
        db.execute("COMMIT")


def _version_of(db: sqlite3.Connection, layout: Layout, subject: str) -> int:
    application, version = _first(db, "PRAGMA application_id"), int(_first(db, "PRAGMA user_version"))
    if application == layout.application_id:
        return version
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
    tables = {name: _columns(db, name) for (name,) in found}
    if not tables and not application:
        return 0
    if not application and not version and tables == {name: list(to) for name, to in layout.unversioned.items()}:
        return 1
    raise UnusableFile(f"{subject} belongs to another program, or to a Penstock that is too old; {layout.elsewhere}")


def make_layout(db: sqlite3.Connection, layout: Layout, subject: str) -> None:
    """Bring the file to the layout's version in one transaction; raises `UnusableFile` if there is no way."""
    if _is_present(db, layout, subject):
        return
    db.execute("BEGIN IMMEDIATE")
    version = version_of(db, layout, subject)  # once more: another process may have made it meanwhile
    for statement in _statements_from(version, layout, subject):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {layout.application_id}")
    db.execute(f"PRAGMA user_version = {layout.version}")
    db.execute("COMMIT")


def _is_present(db: sqlite3.Connection, layout: Layout, subject: str) -> bool:
    """Whether the file has this layout, and its version too: a file of version 1 from before versions has none."""
    version = version_of(db, layout, subject)
    return version == layout.version and int(_first(db, "PRAGMA user_version")) == version


def _statements_from(version: int, layout: Layout, subject: str) -> list[str]:
    """What turns a file of this version into one of the present layout; raises `UnusableFile` if nothing does."""
    if version == 0:
        return list(layout.statements)
    steps = range(version, layout.version)
    if version > layout.version or not all(step in layout.migrations for step in steps):
        raise UnusableFile(
            f"{subject}: its layout is version {version}, this Penstock knows {layout.version}; "
            f"use the Penstock that made it, or {layout.elsewhere}"
        )
    return [statement for step in steps for statement in layout.migrations[step]]


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _first(db: sqlite3.Connection, sql: str) -> Any:
    return db.execute(sql).fetchone()[0]
