"""Several processes that make one SQLite file at the same moment: each one finds it whole, and its own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from penstock.sqlite_file.layout import Layout, make_layout, version_of

ROUNDS = 40
PROCESSES = 8
PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from penstock.sqlite_file import Layout, SqliteFile

    layout = Layout(("CREATE TABLE a (text TEXT)", "CREATE TABLE b (text TEXT)"), 1, 4711, "name another file")
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        file = SqliteFile(folder / line.strip(), layout, owner="test", busy_timeout_seconds=60)
        try:
            file.commit([lambda db, _: db.execute("INSERT INTO a VALUES ('x')").rowcount])
            print("ok", flush=True)
        except Exception as exc:
            print(repr(exc), flush=True)
        file.close()
    """
)


@pytest.mark.long
def test_eight_processes_make_one_file_at_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    try:
        for number in range(ROUNDS):
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(f"{number}.db\n")
                process.stdin.flush()
            said = [process.stdout.readline().strip() for process in processes if process.stdout is not None]
            assert said == ["ok"] * PROCESSES
            with closing(sqlite3.connect(tmp_path / f"{number}.db")) as db:
                assert db.execute("SELECT count(*) FROM a").fetchone() == (PROCESSES,)
    finally:
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


def test_file_that_is_made_between_two_looks_at_it_belongs_to_no_other_program(tmp_path: Path) -> None:
    """The moment that the processes rarely meet: made after the look for its owner, before the look for its tables."""
    path = tmp_path / "items.db"
    layout = Layout(("CREATE TABLE items (text TEXT)",), 1, 4711, "name another file")
    made = threading.Event()

    def make() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as other:
            make_layout(other, layout, "test")
        made.set()

    maker = threading.Thread(target=make)

    class Looking(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if "sqlite_master" in sql and not maker.is_alive() and not made.is_set():
                maker.start()
                made.wait(0.5)  # a reader's transaction holds it back, so it may not come yet
            return super().execute(sql, *parameters)

    path.touch()
    with closing(sqlite3.connect(path, isolation_level=None, factory=Looking)) as db:
        assert version_of(db, layout, "test") in (0, 1)
        maker.join()
        assert version_of(db, layout, "test") == 1
