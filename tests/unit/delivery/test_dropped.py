"""A drop can be taken back."""

from pathlib import Path

import pytest
from penstock.delivery.deliverer import Message
from penstock.delivery.dropped import Dropped
from penstock.delivery.inbox import Inbox
from penstock.errors import EventError


@pytest.fixture(name="inbox")
def inbox_fixture(tmp_path: Path) -> Inbox:
    made = Inbox(tmp_path / "inbox.sqlite")
    for key in "abc":
        made.store_dead_letter(
            Message(f"lake/{key}", b"body", {"X": "1"}, "origin", "resize"), 415, "no picture", b"{}"
        )
    return made


def test_what_was_dropped_comes_back_as_it_was(inbox: Inbox) -> None:
    dropped = Dropped(inbox)
    first, second, _ = inbox.dead_letters()

    count, name = dropped.drop([first.id, second.id, "999"])
    assert (count, inbox.counts().dead) == (2, 1)
    assert dropped.restore(name) == 2
    back = inbox.dead_letters()[1:]
    assert [(each.message, each.code, each.reason, each.data) for each in back] == [
        (each.message, each.code, each.reason, each.data) for each in (first, second)
    ]


def test_a_drop_is_taken_back_once_and_only_the_last_ones_are_kept(inbox: Inbox) -> None:
    dropped = Dropped(inbox)
    _, first = dropped.drop([inbox.dead_letters()[0].id])
    _, second = dropped.drop([inbox.dead_letters()[0].id])
    assert dropped.restore(second) == 1
    with pytest.raises(EventError, match="cannot be taken back"):
        dropped.restore(second)
    for _ in range(20):
        dropped.drop([])
    with pytest.raises(EventError, match="cannot be taken back"):
        dropped.restore(first)


def test_drops_are_kept_up_to_a_number_of_bytes_and_the_oldest_go(inbox: Inbox) -> None:
    dropped = Dropped(inbox, most_bytes=4500)
    names = [dropped.drop([each.id])[1] for each in inbox.dead_letters()]
    assert all(names)
    inbox.store_dead_letter(Message("lake/d", b"x" * 2000, {}, "origin", "resize"), 415, "no picture")
    [large] = inbox.dead_letters()
    _, last = dropped.drop([large.id])
    with pytest.raises(EventError, match="while they are small"):
        dropped.restore(names[0])
    with pytest.raises(EventError, match="while they are small"):
        dropped.restore(names[1])
    assert (dropped.restore(names[2]), dropped.restore(last)) == (1, 1)
    assert [len(each.message.value) for each in inbox.dead_letters()] == [4, 2000]


def test_a_drop_that_is_too_large_is_dropped_and_has_no_name(inbox: Inbox) -> None:
    dropped = Dropped(inbox, most_bytes=3900)
    small = inbox.dead_letters()[0]
    _, name = dropped.drop([small.id])
    for key in "de":
        inbox.store_dead_letter(Message(f"lake/{key}", b"x" * 1000, {}, "origin", "resize"), 415, "no picture")
    everything = [each.id for each in inbox.dead_letters()]
    assert dropped.drop(everything) == (4, "")
    assert inbox.counts().dead == 0
    assert dropped.restore(name) == 1  # what was kept before is kept


def test_headers_and_answers_count(inbox: Inbox) -> None:
    dropped = Dropped(inbox, most_bytes=10_000)
    inbox.store_dead_letter(Message("k", b"", {"X": "v" * 9000}, "o", "t"), 415, "r")
    inbox.store_dead_letter(Message("k", b"", {}, "o", "t"), 415, "r" * 9000)
    inbox.store_dead_letter(Message("k", b"", {}, "o", "t"), 415, "r", b"d" * 9000)
    for letter in inbox.dead_letters()[3:]:
        assert dropped.drop([letter.id])[1] == ""
