"""The durable inbox: what is put in survives, in order, until it is done, and gives way when full."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox, InboxCounts
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import ConfigError, TemporaryError


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    box = Inbox(tmp_path / "inbox.db")
    yield box
    box.close()


def message(number: int, target: str = "compress") -> Message:
    return Message(f"upload/{number}", b"%d" % number, {"X-Number": str(number)}, f"test@{number}", target)


def refused(reason: str, data: bytes = b"") -> Verdict:
    return Verdict(DeliveryOutcome.DEAD, 422, reason, data)


def values(messages: Sequence[Message[object]]) -> list[bytes]:
    return [message.value for message in messages]


def test_message_comes_back_as_it_was_put(inbox: Inbox) -> None:
    sent: list[Message[object]] = [
        Message(b"\xff\x00", b"\x00body", {"ce-subject": "a b"}, "webhook", "t"),
        Message("ключ", b"", {}, "", "t"),
    ]
    inbox.put(sent)
    assert inbox.claim("t", 10) == sent


def test_messages_are_claimed_once_and_in_order(inbox: Inbox) -> None:
    inbox.put([message(number) for number in range(5)])
    assert values(inbox.claim("compress", 3)) == [b"0", b"1", b"2"]
    assert values(inbox.claim("compress", 3)) == [b"3", b"4"]
    assert inbox.claim("compress", 3) == []
    inbox.put([message(5)])
    assert values(inbox.claim("compress", 3)) == [b"5"]


def test_targets_are_claimed_apart(inbox: Inbox) -> None:
    inbox.put([message(1, "a"), message(2, "b"), message(3, "a")])
    assert values(inbox.claim("b", 10)) == [b"2"]
    assert values(inbox.claim("a", 10)) == [b"1", b"3"]
    assert inbox.targets() == {"a", "b"}


def test_pending_messages_are_counted_by_target(inbox: Inbox) -> None:
    inbox.put([message(0), message(1, "resize"), message(2, "resize")])
    assert inbox.pending_by_target() == {"compress": 1, "resize": 2}
    [claimed] = inbox.claim("compress", 10)
    assert inbox.pending_by_target()["compress"] == 1
    inbox.finish([claimed.receipt])
    assert inbox.pending_by_target() == {"resize": 2}


def test_unfinished_messages_are_pending_again_after_a_restart(tmp_path: Path) -> None:
    first = Inbox(tmp_path / "inbox.db")
    first.put([message(number) for number in range(3)])
    claimed = first.claim("compress", 3)
    first.finish([claimed[1].receipt])
    first.close()
    second = Inbox(tmp_path / "inbox.db")
    assert values(second.claim("compress", 10)) == [b"0", b"2"]
    second.close()


def test_number_of_a_finished_message_is_never_used_again(inbox: Inbox) -> None:
    inbox.put([message(1)])
    inbox.finish([inbox.claim("compress", 1)[0].receipt])
    inbox.put([message(2)])
    assert values(inbox.claim("compress", 1)) == [b"2"]


def test_released_messages_are_claimed_again(inbox: Inbox) -> None:
    inbox.put([message(1)])
    inbox.claim("compress", 1)
    inbox.release("compress")
    assert values(inbox.claim("compress", 1)) == [b"1"]


def test_dead_letter_keeps_the_message_and_why_it_died(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.db", clock=lambda: 1000.0)
    inbox.put([message(1)])
    [claimed] = inbox.claim("compress", 1)
    inbox.finish([], [(claimed.receipt, refused("not an image", b"{}"))])
    [letter] = inbox.dead_letters()
    assert (letter.message, claimed.receipt) == (message(1), 1)
    assert (letter.code, letter.reason, letter.data) == (422, "not an image", b"{}")
    assert letter.died == 1000.0
    assert list(inbox.read()) == [letter]
    assert inbox.dead_letters(after=int(letter.id)) == []
    assert inbox.counts() == InboxCounts(pending=0, dead=1)
    inbox.close()


def test_message_stored_as_a_dead_letter_was_never_pending(inbox: Inbox) -> None:
    inbox.store_dead_letter(message(1), 400, "not JSON")
    assert inbox.counts() == InboxCounts(pending=0, dead=1)
    assert inbox.claim("compress", 1) == []


def test_replayed_dead_letter_waits_behind_the_others(inbox: Inbox) -> None:
    inbox.put([message(1), message(2)])
    for claimed in inbox.claim("compress", 1):
        inbox.finish([], [(claimed.receipt, refused("why"))])
    [letter] = inbox.dead_letters()
    assert inbox.replay([letter.id, "999"]) == 1
    assert values(inbox.claim("compress", 10)) == [b"2", b"1"]
    assert inbox.counts() == InboxCounts(pending=2, dead=0)


@pytest.mark.parametrize("number", [0, -1, 2**63, -(2**70)])
def test_id_that_no_row_can_have_finds_no_dead_letter(inbox: Inbox, number: int) -> None:
    assert (inbox.replay([str(number)]), inbox.drop([str(number)])) == (0, 0)


def test_dropped_dead_letter_is_gone(inbox: Inbox) -> None:
    inbox.store_dead_letter(message(1), 400, "why")
    inbox.store_dead_letter(message(2), 400, "why")
    [first, second] = inbox.dead_letters()
    assert inbox.drop([first.id, "999"]) == 1
    assert inbox.dead_letters() == [second]


def test_full_inbox_takes_nothing_of_a_put_that_does_not_fit(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.db", max_pending=3)
    inbox.put([message(1), message(2)])
    with pytest.raises(TemporaryError, match="2 messages wait"):
        inbox.put([message(3), message(4)])
    inbox.put([message(5)])
    assert values(inbox.claim("compress", 10)) == [b"1", b"2", b"5"]
    inbox.finish([1])
    inbox.put([message(6)])
    inbox.close()


def test_locked_database_is_a_temporary_error_and_keeps_nothing(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.db", busy_timeout_seconds=0)
    other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError, match=r"inbox\.db"):
        inbox.put([message(1)])
    other.execute("ROLLBACK")
    other.close()
    inbox.put([message(2)])
    assert values(inbox.claim("compress", 10)) == [b"2"]
    inbox.close()


def test_directory_that_cannot_hold_an_inbox_is_named(tmp_path: Path) -> None:
    (tmp_path / "inbox.db").mkdir()
    with pytest.raises(ConfigError, match=r"inbox\.db"):
        Inbox(tmp_path / "inbox.db")


def test_puts_from_many_threads_all_arrive(inbox: Inbox) -> None:
    def put(start: int) -> None:
        for number in range(start, start + 25):
            inbox.put([message(number)])

    threads = [threading.Thread(target=put, args=(start,)) for start in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {int(value) for value in values(inbox.claim("compress", 1000))} == set(range(200))
    assert inbox.counts() == InboxCounts(pending=200, dead=0)


def test_everything_acknowledged_before_a_kill_is_still_there(tmp_path: Path) -> None:
    program = """
import sys
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
inbox = Inbox(sys.argv[1])
number = 0
while True:
    inbox.put([Message("k", b"%d" % number, {}, "test", "compress")])
    print(number, flush=True)
    number += 1
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "inbox.db")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(50)]
    child.kill()
    acknowledged += [int(line) for line in child.stdout.read().split()]
    child.wait()
    child.stdout.close()
    inbox = Inbox(tmp_path / "inbox.db")
    stored = [int(value) for value in values(inbox.claim("compress", 1_000_000))]
    inbox.close()
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) - len(acknowledged) <= 1


def test_half_of_a_surrogate_pair_in_key_origin_or_reason_is_kept_as_its_escape(inbox: Inbox) -> None:
    inbox.put([Message("upload/\ud800", b"body", {"X": "\ud800"}, "webhook \udfff", "t")])
    [claimed] = inbox.claim("t", 10)
    assert (claimed.key, claimed.origin) == ("upload/\\ud800", "webhook \\udfff")
    inbox.finish([], [(claimed.receipt, refused("answered \ud800"))])
    inbox.store_dead_letter(claimed, 422, "answered \udfff")
    assert [each.reason for each in inbox.read()] == ["answered \\ud800", "answered \\udfff"]
