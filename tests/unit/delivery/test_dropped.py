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
