"""The inbox's file: what is on the disk, what keeps room for finishing, and files that must not be used."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox, InboxCounts
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import ConfigError, TemporaryError

from tests.unit.sqlite_levels import FULL, NORMAL, record_levels

MIB = 1024 * 1024
REFUSED = Verdict(DeliveryOutcome.DEAD, 422, "not an image", b"{}")
# As it was made before files had a version.
OLD_LAYOUT = """
CREATE TABLE IF NOT EXISTS pending (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    headers TEXT NOT NULL, origin TEXT NOT NULL, received REAL NOT NULL);
CREATE TABLE IF NOT EXISTS dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
    headers TEXT NOT NULL, origin TEXT NOT NULL, received REAL NOT NULL,
    died REAL NOT NULL, code INTEGER NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.db"


class Volume:
    """How much is free, as the test says; and a clock, because an inbox does not look more than once a second."""

    free = 100 * MIB
    now = 0.0

    def __call__(self, _folder: Path) -> int:
        return self.free

    def clock(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def volume() -> Volume:
    return Volume()


@pytest.fixture
def inbox(path: Path, volume: Volume) -> Iterator[Inbox]:
    box = Inbox(path, reserve_bytes=16 * MIB, free_bytes=volume, clock=volume.clock)
    yield box
    box.close()


def message(number: int, size: int = 10) -> Message:
    return Message("k", b"%d" % number * size, {}, f"test@{number}", "compress")


# On the disk


def test_messages_and_dead_letters_wait_for_the_disk_and_finished_ones_do_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = record_levels(monkeypatch)
    with contextlib.closing(Inbox(path)) as inbox:
        inbox.put([message(1), message(2), message(3)])
        first, second, third = (each.receipt for each in inbox.claim("compress", 3))
        steps: list[tuple[Callable[[], object], int]] = [
            (lambda: inbox.finish([first]), NORMAL),
            (lambda: inbox.put([message(4)]), FULL),
            (lambda: inbox.finish([], [(second, REFUSED)]), NORMAL),
            (lambda: inbox.store_dead_letter(message(5), 400, "not JSON"), FULL),
            (lambda: inbox.finish([third]), NORMAL),
            (lambda: inbox.store_dead_letters([(message(6), REFUSED)]), FULL),
            (lambda: inbox.replay(["1"]), FULL),
            (lambda: inbox.drop(["2"]), FULL),
        ]
        for step, expected in steps:
            levels.clear()
            step()
            assert levels == [expected]


# Room to finish


def test_intake_ends_before_the_volume_is_full_and_finishing_goes_on(inbox: Inbox, volume: Volume) -> None:
    inbox.put([message(number) for number in range(4)])
    inbox.store_dead_letter(message(9), 400, "not JSON")
    volume.free = 16 * MIB
    with pytest.raises(TemporaryError, match=r"16777216 bytes free.*drop dead letters, or enlarge the volume"):
        inbox.put([message(4)])
    with pytest.raises(TemporaryError, match="bytes free"):
        inbox.store_dead_letter(message(5), 400, "not JSON")
    volume.free = 0
    numbers = [each.receipt for each in inbox.claim("compress", 10)]
    inbox.finish(numbers[:2], [(number, REFUSED) for number in numbers[2:]])
    assert inbox.counts() == InboxCounts(pending=0, dead=3)
    assert inbox.replay(["2"]) == 1
    assert inbox.drop(["1", "3"]) == 2
    assert inbox.counts() == InboxCounts(pending=1, dead=0)


def test_message_that_would_reach_into_the_reserve_is_refused_and_a_smaller_one_is_not(
    inbox: Inbox, volume: Volume
) -> None:
    volume.free = 18 * MIB
    with pytest.raises(TemporaryError, match="bytes free"):
        inbox.put([message(1, size=2 * MIB)])
    inbox.put([message(1)])


def test_volume_is_looked_at_again_after_the_clock_was_set_back(inbox: Inbox, volume: Volume) -> None:
    inbox.put([message(1)])
    volume.now = -86_400.0
    volume.free = 1 * MIB  # another program has filled it
    with pytest.raises(TemporaryError, match="bytes free"):
        inbox.put([message(2)])


def test_space_that_finished_messages_left_in_the_file_is_used_again(inbox: Inbox, volume: Volume) -> None:
    inbox.put([message(number, size=MIB) for number in range(8)])
    volume.free = 15 * MIB
    with pytest.raises(TemporaryError, match="bytes free"):
        inbox.put([message(8)])
    inbox.finish([each.receipt for each in inbox.claim("compress", 8)])
    inbox.close()  # copies the log into the file, which leaves it empty
    inbox.put([message(8)])
    volume.free = 7 * MIB  # the last half is for the log alone
    with pytest.raises(TemporaryError, match="bytes free"):
        inbox.put([message(9)])


def test_refused_put_does_not_count_as_waiting(path: Path, volume: Volume) -> None:
    with contextlib.closing(Inbox(path, max_pending=1, free_bytes=volume, clock=volume.clock)) as inbox:
        volume.free = 0
        with pytest.raises(TemporaryError):
            inbox.put([message(1)])
        volume.free = 100 * MIB
        inbox.put([message(1)])


# A file that goes away


def remove(path: Path) -> None:
    for name in ("", "-wal", "-shm"):
        Path(f"{path}{name}").unlink(missing_ok=True)


def test_inbox_whose_file_was_removed_stores_nothing_more_and_says_so(inbox: Inbox, path: Path) -> None:
    inbox.put([message(1)])
    [claimed] = inbox.claim("compress", 1)
    remove(path)
    for step in (
        lambda: inbox.put([message(2)]),
        lambda: inbox.store_dead_letter(message(2), 400, "why"),
        lambda: inbox.finish([], [(claimed.receipt, REFUSED)]),
        lambda: inbox.claim("compress", 1),
        inbox.counts,
    ):
        with pytest.raises(TemporaryError, match="removed or replaced while it was in use"):
            step()
    assert not path.exists()


@pytest.mark.parametrize("other", ["an inbox", "a database of another program", "a text"])
def test_inbox_whose_file_was_replaced_stores_nothing_more_and_leaves_the_other_alone(
    inbox: Inbox, path: Path, other: str
) -> None:
    inbox.put([message(1)])
    remove(path)
    if other == "an inbox":
        Inbox(path).close()
    elif other == "a text":
        path.write_text("a text " * 2000)
    else:
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE theirs (word TEXT)")
            database.commit()
    before = path.read_bytes()
    with pytest.raises(TemporaryError, match="removed or replaced while it was in use"):
        inbox.put([message(2)])
    with pytest.raises(TemporaryError, match="removed or replaced while it was in use"):
        inbox.store_dead_letter(message(2), 400, "why")
    assert path.read_bytes() == before


def test_inbox_whose_file_was_truncated_stores_nothing_more_and_says_so(inbox: Inbox, path: Path) -> None:
    inbox.put([message(1)])
    os.truncate(path, 0)
    for _ in range(2):
        with pytest.raises(TemporaryError, match="became shorter"):
            inbox.put([message(2)])


# A file that must not be used


def test_inbox_of_an_earlier_penstock_is_taken_over_with_what_it_holds(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.executescript(OLD_LAYOUT)
        db.execute("INSERT INTO pending VALUES (7, 'compress', 'k', x'31', '{}', 'webhook', 1000.0)")
        db.execute("INSERT INTO dead VALUES (3, 'resize', 'k', x'32', '{}', 'webhook', 1.0, 2.0, 422, 'why', x'')")
    for _ in range(2):
        with contextlib.closing(Inbox(path)) as inbox:
            assert [(each.receipt, each.value) for each in inbox.claim("compress", 10)] == [(7, b"1")]
            assert [(letter.id, letter.reason) for letter in inbox.read()] == [("3", "why")]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("CREATE TABLE songs (title TEXT)", "belongs to another program"),
        (
            OLD_LAYOUT.replace(" origin TEXT NOT NULL,", ""),
            "belongs to another program, or to a Penstock that is too old",
        ),
        ("PRAGMA application_id = 1349405038; PRAGMA user_version = 9; CREATE TABLE x (y)", "layout is version 9"),
    ],
)
def test_other_database_is_a_configuration_error_and_left_alone(path: Path, script: str, words: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)
        before = db.execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(ConfigError, match=rf"inbox\.db.*{words}.*name another file"):
        Inbox(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT sql FROM sqlite_master").fetchall() == before


def test_file_that_is_not_a_database_is_a_configuration_error(path: Path) -> None:
    path.write_text("events, one a line\n" * 100)
    with pytest.raises(ConfigError, match="not a SQLite database"):
        Inbox(path)
    assert path.read_text().startswith("events")


@pytest.mark.parametrize("is_there", [False, True])
def test_volume_that_cannot_be_written_is_a_configuration_error(is_there: bool) -> None:
    # Root is not stopped by modes, so the process gives its rights up; pytest's own folders would stop it as well.
    program = """
import os, sys
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    Inbox(sys.argv[1])
except ConfigError as exc:
    print(exc)
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inbox.db"
        if is_there:
            Inbox(path).close()
            path.chmod(0o444)
        Path(folder).chmod(0o555)
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
        Path(folder).chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"inbox: database {path}: " in done.stdout
    assert "writable" in done.stdout
