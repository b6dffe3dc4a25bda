"""The file of a watch: whose it is, and what makes an object another one."""

import contextlib
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from penstock.connect.listing.seen import SeenObjects, digest_of
from penstock.errors import ConfigError, TemporaryError
from penstock.types import ObjectRef, ObjectState

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def state(**other: Any) -> ObjectState:
    return replace(ObjectState(ObjectRef("upload", "a"), 1, "1", last_modified=NOW), **other)


@pytest.mark.parametrize(
    "other", [{"size": 2}, {"etag": "2"}, {"last_modified": None}], ids=lambda each: str(list(each))
)
def test_size_etag_and_time_make_another_object(other: dict[str, Any]) -> None:
    assert digest_of(state()) == digest_of(state())
    assert digest_of(state(**other)) != digest_of(state())


def test_what_was_told_is_known_after_an_end(tmp_path: Path) -> None:
    seen = SeenObjects(tmp_path / "watch.db", "x")
    assert seen.is_new
    seen.begin()
    assert seen.listed([state()]) == [state()]
    seen.told([state()])
    seen.close()
    seen = SeenObjects(tmp_path / "watch.db", "x")
    assert not seen.is_new
    seen.begin()
    assert list(seen.gone()) == [[state().ref]]
    assert seen.listed([state()]) == []
    assert list(seen.gone()) == []
    seen.close()


def test_file_of_another_watch_is_refused(tmp_path: Path) -> None:
    SeenObjects(tmp_path / "watch.db", "s3://upload/").close()
    with pytest.raises(ConfigError, match=r"belongs to another watch, s3://upload/"):
        SeenObjects(tmp_path / "watch.db", "s3://upload/other/")
    with pytest.raises(ConfigError, match=r"can be used now .*another watch may use it"):
        SeenObjects(tmp_path / "held.db", "x"), SeenObjects(tmp_path / "held.db", "x")
    (tmp_path / "text.db").write_text("no database at all, only text that is long enough to be one " * 20)
    with pytest.raises(ConfigError, match=r"not a file of `penstock watch`"):
        SeenObjects(tmp_path / "text.db", "x")


def test_full_disk_is_told_and_ends_with_the_space_that_was_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connect_and_keep(*args: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*args, **options))
        return made[-1]

    monkeypatch.setattr(sqlite3, "connect", connect_and_keep)
    seen = SeenObjects(tmp_path / "watch.db", "x")
    seen.begin()
    many = [state(ref=ObjectRef("upload", f"{number:0900}")) for number in range(200)]
    seen.listed(many)
    [db] = made
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages + 1}")
    for _ in range(2):
        with pytest.raises(
            TemporaryError, match=r"watch.db, or the folder for temporary files: .*the disk is full; free"
        ):
            seen.told(many)
    db.execute("PRAGMA max_page_count=1000000")
    seen.told(many)
    assert seen.listed(many) == []
    seen.close()


def test_file_of_a_start_that_was_killed_is_used(tmp_path: Path) -> None:
    """Killed between its tables and the row that says whose it is."""
    SeenObjects(tmp_path / "watch.db", "x").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "watch.db")) as db, db:
        db.execute("DELETE FROM watch")
    seen = SeenObjects(tmp_path / "watch.db", "y")
    assert seen.is_new
    seen.close()
    with pytest.raises(ConfigError, match="belongs to another watch, y"):
        SeenObjects(tmp_path / "watch.db", "x")
