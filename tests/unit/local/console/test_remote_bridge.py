"""A bridge that is asked: its attempts as invocations, and words where it does not tell."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from penstock.errors import ConfigError, TemporaryError
from penstock.local.console.records import records_of
from penstock.local.console.remote.bridge import BridgeInbox
from pytest_httpserver import HTTPServer as Peer


def attempt(number: int, **changes: Any) -> dict[str, Any]:
    answer = {"outcome": "processed", "source": {"bucket": "upload", "key": "a.csv", "size": 8}, "targets": []}
    found = {
        "number": number,
        "target": "compress",
        "object": "upload/a.csv",
        "origin": "webhook",
        "code": 200,
        "outcome": "delivered",
        "reason": "",
        "answer": json.dumps(answer),
        "seconds": 0.5,
        "at": 1000.0 + number,
    }
    return found | changes


def inbox_of(peer: Peer) -> BridgeInbox:
    return BridgeInbox(peer.url_for("/"), "token")


def test_each_attempt_comes_once_and_after_a_restart_of_the_bridge_all_come(httpserver: Peer) -> None:
    def answers(after: str, run: str, *numbers: int) -> None:
        document = {"run": run, "attempts": [attempt(number) for number in numbers]}
        httpserver.expect_ordered_request(
            "/inbox/attempts", query_string=f"after={after}", headers={"Authorization": "Bearer token"}
        ).respond_with_json(document)

    answers("0", "one", 1, 2)
    answers("2", "one", 3)
    answers("3", "two")
    answers("0", "two", 1)
    inbox = inbox_of(httpserver)
    assert [len(inbox.new_attempts()) for _ in range(3)] == [2, 1, 1]
    httpserver.check_assertions()


def test_an_attempt_without_an_outcome_still_names_its_object(httpserver: Peer) -> None:
    failed = attempt(1, code=503, outcome="retry", reason="503: no room", answer="no room")
    httpserver.expect_request("/inbox/attempts").respond_with_json({"run": "one", "attempts": [failed]})
    [invocation] = inbox_of(httpserver).new_attempts()
    [record] = records_of(invocation)
    assert (record["bucket"], record["key"]) == ("upload", "a.csv")
    assert (record["outcome"], record["status"], record["reason"]) == ("failed", 503, "503: no room")


@pytest.mark.parametrize(
    ("status", "words"), [(404, "set CONSOLE_TOKEN"), (401, "answered 401"), (503, "answered 503"), (200, "no JSON")]
)
def test_a_bridge_that_does_not_tell_is_named(httpserver: Peer, status: int, words: str) -> None:
    httpserver.expect_request("/inbox").respond_with_data("text", status)
    with pytest.raises(TemporaryError, match=words):
        inbox_of(httpserver).overview()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="bridge 'bridge:8080'"):
        BridgeInbox("bridge:8080", "token")


CALLS: dict[str, Callable[[BridgeInbox], object]] = {
    "overview": lambda inbox: inbox.overview(),
    "letters": lambda inbox: inbox.letters(0, 10),
    "attempts": lambda inbox: inbox.new_attempts(),
    "replay": lambda inbox: inbox.replay(["1"]),
    "drop": lambda inbox: inbox.drop(["1"]),
    "restore": lambda inbox: inbox.restore("a"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "said", ["{}", "[]", "7", '{"pending": [], "letters": 7, "run": 1, "replayed": "x"}', "[" * 100_000]
)
def test_json_of_another_server_is_told_and_breaks_nothing(
    httpserver: Peer, call: Callable[[BridgeInbox], object], said: str
) -> None:
    httpserver.expect_request(re.compile("/inbox.*")).respond_with_data(said, content_type="application/json")
    with pytest.raises(TemporaryError, match="bridge http://"):
        call(inbox_of(httpserver))


@pytest.mark.parametrize("odd", [7, {}, {"number": "x"}, attempt(1, seconds="x"), attempt(1, answer=[])])
def test_attempts_that_cannot_be_read_are_told_and_asked_for_again(httpserver: Peer, odd: Any) -> None:
    inbox = inbox_of(httpserver)
    first = {"run": "one", "attempts": [odd]}
    httpserver.expect_ordered_request("/inbox/attempts", query_string="after=0").respond_with_json(first)
    with pytest.raises(TemporaryError, match="its attempts cannot be read"):
        inbox.new_attempts()
    good = {"run": "one", "attempts": [attempt(1)]}
    httpserver.expect_ordered_request("/inbox/attempts", query_string="after=0").respond_with_json(good)
    assert len(inbox.new_attempts()) == 1


def test_letters_end_where_a_page_is_empty(httpserver: Peer) -> None:
    httpserver.expect_oneshot_request("/inbox/dead-letters").respond_with_json({"letters": [], "more": True})
    assert inbox_of(httpserver).letters(0, 10) == []
