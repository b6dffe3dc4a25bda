"""A page hears what happens, hears what it missed when it comes back, and is told when that is not known any more."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from penstock.errors import TemporaryError
from penstock.local.console.feed import Feed


def feed(*, state: str = '{"pending": 0}', **settings: Any) -> Feed:
    return Feed(lambda: state, refresh_seconds=0.01, **settings)


def record(key: str) -> dict[str, Any]:
    return {"key": key}


def messages(stream: Iterator[str], count: int) -> list[dict[str, str]]:
    """The next messages with data, each as its fields."""
    found = []
    for text in stream:
        # One piece may hold the state and records after it: each is a message of its own.
        for part in text.split("\n\n"):
            fields = dict(
                line.split(": ", 1) for line in part.splitlines() if not line.startswith(":") and ": " in line
            )
            if "data" in fields:
                found.append(fields)
        if len(found) >= count:
            break
    return found


def keys(message: dict[str, str]) -> list[str]:
    return [each["key"] for each in json.loads(message["data"])]


def test_a_page_hears_the_state_and_then_what_happens() -> None:
    made = feed()
    made.add(record("before"))
    stream = made.stream()

    assert messages(stream, 1) == [{"event": "state", "data": '{"pending": 0}'}]
    made.add(record("a"))
    made.add(record("b"))
    [message] = messages(stream, 1)
    assert (message["event"], keys(message)) == ("records", ["a", "b"])


def test_a_page_that_comes_back_hears_what_it_missed_and_nothing_twice() -> None:
    made = feed()
    stream = made.stream()
    messages(stream, 1)
    made.add(record("heard"))
    [message] = messages(stream, 1)
    made.add(record("missed"))

    _, again = messages(made.stream(message["id"]), 2)
    assert keys(again) == ["missed"]
    assert again["id"] == made.last_id


@pytest.mark.parametrize("wrong", ["of-another-run", "0000-1", "x", "-", "0000-99999999"])
def test_a_page_of_another_run_is_told_to_read_all_anew(wrong: str) -> None:
    made = feed()
    made.add(record("a"))

    first = messages(made.stream(wrong), 1)[0]
    assert first["event"] == "reset"
    assert first["id"] == made.last_id


@pytest.mark.parametrize("number", ["9" * 5000, "²", "-1", "1.0", ""])
def test_a_page_of_this_run_whose_number_is_none_is_told_to_read_all_anew(number: str) -> None:
    made = feed()
    made.add(record("a"))
    run = made.last_id.partition("-")[0]
    assert messages(made.stream(f"{run}-{number}"), 1)[0]["event"] == "reset"


def test_a_page_that_missed_more_than_is_kept_is_told_so() -> None:
    made = feed(kept=2)
    start = made.last_id
    made.add(record("a"))
    made.add(record("b"))
    assert messages(made.stream(start), 2)[1]["event"] == "records"

    made.add(record("c"))
    assert messages(made.stream(start), 1)[0]["event"] == "reset"


def test_the_state_is_sent_again_only_when_it_differs() -> None:
    states = itertools.chain(["1", "1", "1", "2"], itertools.repeat("2"))
    made = Feed(lambda: next(states), refresh_seconds=0.001)

    assert [message["data"] for message in messages(made.stream(), 2)] == ["1", "2"]


def test_a_page_hears_a_comment_when_nothing_happens() -> None:
    stream = feed(heartbeat_seconds=0.0).stream()
    messages(stream, 1)
    assert next(stream).startswith(":")


def test_pages_are_bounded_and_a_place_comes_back() -> None:
    made = feed(max_pages=2)
    made.enter()
    made.enter()
    with pytest.raises(TemporaryError, match="2 console pages are open already"):
        made.enter()
    made.leave()
    made.enter()


def test_records_are_given_in_pages_newest_first() -> None:
    made = feed(kept=5)
    for number in range(8):
        made.add(record(str(number)))

    assert [each["key"] for each in made.recent(2)] == ["7", "6"]
    assert [each["key"] for each in made.recent(9, before=made.recent(2)[-1]["n"])] == ["5", "4", "3"]
    assert [each["key"] for each in made.recent(9, wanted=lambda each: each["key"] in "46")] == ["6", "4"]
