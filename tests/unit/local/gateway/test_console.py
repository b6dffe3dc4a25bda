"""The console's page and its first routes: state, objects, dead letters."""

import json
from functools import partial
from urllib.parse import quote

import pytest
from penstock.delivery.deliverer import DeliveryOutcome, Message, Verdict
from penstock.local.gateway.invocations import Invocation
from penstock.types import ObjectRef

from tests.unit.local.conftest import until
from tests.unit.local.gateway.conftest import Running


def test_console_shows_functions_calls_and_dead_letters(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    gateway.request("POST", "/async-function/echo/refuse-early", b"x")
    until(gateway.inbox.dead_letters)
    until(lambda: len(gateway.invocations.recent()) == 2)

    state = gateway.request("GET", "/ui/state").json
    echo = next(entry for entry in state["functions"] if entry["name"] == "echo")
    assert (echo["replicas"], echo["sources"], echo["sink"]) == (1, ["s3://upload/*.csv"], "s3://processed/{key}.gz")
    assert state["invocations"][-1]["object"] == "upload/a.csv"
    assert state["buckets"] == ["processed", "upload"]
    [letter] = state["dead_letters"]
    assert gateway.request("POST", "/ui/replay", {"ids": [letter["id"]]}).json == {"replayed": 1}
    until(gateway.inbox.dead_letters)
    [again] = gateway.inbox.dead_letters()
    assert gateway.request("POST", "/ui/dismiss", {"ids": [int(again.id)]}).json["dropped"] == 1
    assert gateway.inbox.counts().dead == 0


def test_console_shows_what_a_function_assumed(gateway: Running) -> None:
    gateway.request("POST", "/function/echo/event", b"{}")
    sent = {
        "[": [],
        '["First page of 3.", "first of many"]': ["First page of 3.", "first of many"],
        "7": [],
        '["a", 1]': ["a"],
    }

    def listed(calls: int) -> bool:
        return len(gateway.invocations.recent()) == calls

    for number, header in enumerate(sent):
        # A call is listed a moment after its answer was sent.
        until(partial(listed, number + 1))
        gateway.request("POST", "/function/echo/notes", b"x", X_Want_Notes=header)
    until(partial(listed, 1 + len(sent)))

    *direct, event = gateway.request("GET", "/ui/state").json["invocations"]
    assert event["notes"] == ["The encoding was guessed."]
    assert [entry["notes"] for entry in reversed(direct)] == list(sent.values())
    assert "each.notes.map(note => html" in gateway.request("GET", "/ui/files/events.js").text


def test_console_page_is_complete_in_itself(gateway: Running) -> None:
    assert gateway.request("GET", "/").headers["Location"] == "/ui/"
    page = gateway.request("GET", "/ui/")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for loaded in ('src="http', 'href="http', "@import", "innerHTML"):
        assert loaded not in page.text


def test_file_uploaded_in_the_console_can_be_listed_and_read_back(gateway: Running) -> None:
    put = gateway.request("PUT", "/ui/object?bucket=upload&key=a%20b%2Bc.csv", b"a,b\n", Content_Type="text/csv")
    assert put.json == {"bucket": "upload", "key": "a b+c.csv", "size": 4}
    assert [entry["key"] for entry in gateway.request("GET", "/ui/folder?bucket=upload").json["objects"]] == [
        "a b+c.csv"
    ]
    got = gateway.request("GET", "/ui/object?bucket=upload&key=a%20b%2Bc.csv")
    assert (got.body, got.headers["Content-Type"]) == (b"a,b\n", "text/csv")
    assert got.headers["Content-Security-Policy"].startswith("sandbox")
    assert gateway.request("GET", "/ui/object?bucket=upload&key=none").status == 404
    assert gateway.request("PUT", "/ui/object?bucket=elsewhere&key=x", b"x").status == 400


@pytest.mark.parametrize(
    "name", ["日本語.jpg", "猫 100%.jpg", 'a"b.jpg', "é.jpg", "x\ny.csv", "\x1b[2J.csv", "a;b=c.csv"]
)
def test_every_name_can_be_read_back_in_the_console(gateway: Running, name: str) -> None:
    gateway.store.put(ObjectRef("upload", f"folder/{name}"), [b"bytes"], content_type="image/jpeg")

    for show in ("", "&show="):
        answer = gateway.request("GET", f"/ui/object?bucket=upload&key={quote(f'folder/{name}', safe='')}{show}")
        assert (answer.status, answer.body) == (200, b"bytes")
        assert answer.headers["Content-Disposition"].startswith("inline" if show else "attachment")


def test_the_console_does_not_write_what_is_penstocks_own(gateway: Running) -> None:
    answer = gateway.request("PUT", "/ui/object?bucket=upload&key=.penstock/refused/x", b"x")

    assert answer.status == 400
    assert ".penstock/" in answer.text


def test_what_was_tried_with_an_object_is_shown_with_its_trace(gateway: Running) -> None:
    trace = 'Traceback (most recent call last):\n  File "handler.py", line 3, in handle\nKeyError: 7'
    answer = {
        "outcome": "failed",
        "status": 500,
        "source": {"bucket": "upload", "key": "a b.csv"},
        "reason": "unexpected error",
        "incident": "abc",
    }
    gateway.invocations.add(Invocation("echo", "POST", "/event", 500, False, 0.1, 1034, 80, "id", answer))
    line = json.dumps({"message": "unexpected error", "incident": "abc", "trace": trace})
    gateway.crashes.read("echo", gateway.functions.get("echo").logs.path, line)
    message = Message("upload/a b.csv", b"{}", {}, "event", "echo", 1)
    gateway.attempts.waits(message, Verdict(DeliveryOutcome.RETRY, 500, "answered 500"), 1, 20.0)

    found = gateway.request("GET", "/ui/about?bucket=upload&key=a%20b.csv").json
    [tried] = found["attempts"]
    assert (tried["trace"], tried["log"]) == (trace, str(gateway.functions.get("echo").logs.path))
    assert (tried["reason"], tried["status"]) == ("unexpected error", 500)
    assert (found["waiting"][0]["attempt"], found["waiting"][0]["attempts"]) == (2, 2)
    assert [each["function"] for each in found["attempts"]] == ["echo"]
    assert gateway.request("GET", "/ui/state").json["waiting"] == found["waiting"]
    assert gateway.request("GET", "/ui/about?bucket=upload&key=other.csv").json["attempts"] == []


def test_searches_are_not_among_the_invocations_of_the_console(gateway: Running) -> None:
    gateway.request("GET", "/function/echo/?q=words")
    gateway.request("POST", "/function/echo/event", b"{}")
    until(lambda: len(gateway.invocations.recent()) == 2)
    assert [entry["object"] for entry in gateway.request("GET", "/ui/state").json["invocations"]] == ["upload/a.csv"]


def test_the_console_says_which_function_takes_a_file(gateway: Running) -> None:
    taken = gateway.request("GET", "/ui/place?key=donors.csv").json
    assert (taken["bucket"], taken["takers"]) == ("upload", {"upload": ["echo"]})
    assert gateway.request("GET", "/ui/place?key=photo.xyz").json == {
        "bucket": "",
        "takers": {},
        "wants": [["echo", "s3://upload/*.csv"]],
    }
