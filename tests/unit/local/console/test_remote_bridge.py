"""A bridge that is asked: its attempts as invocations, and words where it does not tell."""

import json
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
