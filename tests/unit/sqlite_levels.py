"""Whether SQLite's commits wait for the disk, seen at each commit of the real connections."""

import sqlite3
from typing import Any

import pytest

FULL, NORMAL = 2, 1  # sqlite.org/pragma.html#pragma_synchronous


class RecordingConnection(sqlite3.Connection):
    """A connection that notes at each commit what `PRAGMA synchronous` says."""

    levels: list[int]

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql == "COMMIT":
            [level] = super().execute("PRAGMA synchronous").fetchone()
            self.levels.append(level)
        return super().execute(sql, parameters)


def record_levels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The level of each commit of every connection that is opened from here on."""
    found: list[int] = []
    connect = sqlite3.connect

    def recording(*args: Any, **options: Any) -> sqlite3.Connection:
        made = connect(*args, factory=RecordingConnection, **options)
        made.levels = found
        return made

    monkeypatch.setattr(sqlite3, "connect", recording)
    return found
