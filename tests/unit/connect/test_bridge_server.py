"""The bridge as a process, and its inbox file: one that must not be used, and one that goes away."""

import contextlib
import json
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from penstock.connect.bridge.callbacks import read_callbacks
from penstock.connect.bridge.server import BridgeServer
from penstock.connect.bridge.settings import SELF, BridgeConfig
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox
from pytest_httpserver import HTTPServer

from tests.integration.processes import running
from tests.paths import EVENTS
from tests.served import free_port
from tests.waiting import wait_until

PUT = (EVENTS / "minio_put.json").read_bytes()


def command(inbox: Path, address: str) -> list[str]:
    return ["bridge", "--to", "http://127.0.0.1:9/", "--inbox", str(inbox), "--listen", address, "--allow-anonymous"]


def ask(address: str, path: str, body: bytes | None = None) -> tuple[int, str]:
    """Status and text; 0 while there is no server yet."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", body) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()
    except OSError:
        return 0, ""


@pytest.mark.parametrize("content", ["another program", "no database"])
def test_bridge_does_not_start_on_a_file_that_is_not_its_own(tmp_path: Path, content: str) -> None:
    inbox = tmp_path / "inbox.db"
    if content == "another program":
        with contextlib.closing(sqlite3.connect(inbox)) as db:
            db.execute("CREATE TABLE songs (title TEXT)")
    else:
        inbox.write_text("events, one a line\n" * 100)
    before = inbox.read_bytes()
    argv = [sys.executable, "-m", "penstock.cli", *command(inbox, f"127.0.0.1:{free_port()}")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 78, done.stderr
    assert f"inbox: database {inbox}" in done.stderr
    assert "name another file" in done.stderr
    assert inbox.read_bytes() == before


@pytest.mark.long
@pytest.mark.parametrize("how", ["removed", "truncated"])
def test_bridge_whose_inbox_goes_away_answers_503_from_then_on_and_says_so(tmp_path: Path, how: str) -> None:
    inbox, address = tmp_path / "inbox.db", f"127.0.0.1:{free_port()}"
    with running(command(inbox, address), tmp_path / "bridge.log") as process:
        while ask(address, "/_/ready")[0] != 200:
            assert process.poll() is None, (tmp_path / "bridge.log").read_text()
        assert ask(address, "/", PUT)[0] == 202
        if how == "removed":
            inbox.unlink()
        else:
            with inbox.open("r+b") as file:
                file.truncate()
        words = {"removed": "removed or replaced while it was in use", "truncated": "became shorter"}[how]
        for _ in range(3):
            status, text = ask(address, "/", PUT)
            assert (status, words in text) == (503, True), text
        while ask(address, "/_/ready")[0] == 200:
            assert process.poll() is None, (tmp_path / "bridge.log").read_text()
        assert words in ask(address, "/_/ready")[1]
    assert words in (tmp_path / "bridge.log").read_text()


def test_each_target_says_how_many_events_wait_for_it_also_when_none_does(tmp_path: Path) -> None:
    """KEDA reads these numbers. It takes one that is missing for a failure, so 0 is said too."""
    address = f"127.0.0.1:{free_port()}"
    argv = command(tmp_path / "inbox.db", address)
    named = [
        "--to",
        "asleep=http://127.0.0.1:9/",
        "--to",
        "other=http://127.0.0.1:9/",
        "--only",
        "other=s3://no-such/*",
    ]
    argv[1:3] = named
    with running(argv, tmp_path / "bridge.log") as process:
        while ask(address, "/_/ready")[0] != 200:
            assert process.poll() is None, (tmp_path / "bridge.log").read_text()
        assert ask(address, "/", PUT)[0] == 202
        lines = ask(address, "/metrics")[1].splitlines()
    assert 'penstock_inbox_target_pending{target="asleep"} 1.0' in lines
    assert 'penstock_inbox_target_pending{target="other"} 0.0' in lines


_HEAD = b"POST PATH HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
# Each with the status of its answer.
_NOT_WHOLE = {
    "shorter than it said": (_HEAD + b"Content-Length: 900\r\n\r\n" + PUT[:400], 503),
    "whole JSON, but shorter than it said": (_HEAD + b"Content-Length: 9000\r\n\r\n" + PUT, 503),
    "a chunk that breaks off": (_CHUNKED + b"384\r\n" + PUT[:400], 503),
    "a length with a sign": (_CHUNKED + b"-5\r\n" + PUT[:5] + b"\r\n0\r\n\r\n", 400),
    "a length of Python": (_CHUNKED + b"0x5\r\n" + PUT[:5] + b"\r\n0\r\n\r\n", 400),
    "no end of a chunk": (_CHUNKED + b"5\r\n" + PUT[:5] + b"XX0\r\n\r\n", 400),
    "packed on the way": (_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\n" + PUT[:5] + b"\r\n0\r\n\r\n", 400),
    "a line end in an extension": (_CHUNKED + b"5;a\nb\r\n" + PUT[:5] + b"\r\n0\r\n\r\n", 400),
}


def test_bodies_that_are_not_whole_are_answered_in_words_and_are_neither_stored_nor_dead_letters(
    tmp_path: Path,
) -> None:
    inbox, address = tmp_path / "inbox.db", f"127.0.0.1:{free_port()}"
    host, _, port = address.partition(":")
    with running(command(inbox, address), tmp_path / "bridge.log", {"CONSOLE_TOKEN": "hunter2"}) as process:
        while ask(address, "/_/ready")[0] != 200:
            assert process.poll() is None, (tmp_path / "bridge.log").read_text()
        for path in (b"/", b"/dead-letters", b"/inbox/replay"):
            for name, (request, status) in _NOT_WHOLE.items():
                data = request.replace(b"PATH", path, 1).replace(b"\r\n", b"\r\nAuthorization: Bearer hunter2\r\n", 1)
                with socket.create_connection((host, int(port)), timeout=60) as connection:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    with connection.makefile("rb") as answer:
                        head, _, body = answer.read().partition(b"\r\n\r\n")
                assert int(head.split()[1]) == status, (path, name, head, body)
                assert b"text/plain" in head, (path, name, head)
                assert b"broke off" in body or b"malformed" in body, (path, name, body)
        asked = urllib.request.Request(f"http://{address}/inbox", headers={"Authorization": "Bearer hunter2"})
        with urllib.request.urlopen(asked) as answer:
            counts = json.load(answer)
        assert (counts["pending"], counts["dead"]) == (0, 0)
        assert "Traceback" not in (tmp_path / "bridge.log").read_text()


def test_a_replayed_letter_that_the_bridge_cannot_give_to_itself_is_no_outcome_of_a_function(
    tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own target is where a replayed letter goes, and no function: receivers would look for one named bridge."""
    monkeypatch.setattr("penstock.connect.bridge.server.set_up_logging", lambda _level: None)
    httpserver.expect_request("/shop").respond_with_data("thanks")
    policy = Policy(attempts=1, timeout_seconds=5)
    config = BridgeConfig(
        ("127.0.0.1", free_port()),  # where no server listens, so the bridge does not reach itself
        "",
        tmp_path / "inbox.db",
        (HttpTarget("compress", "http://127.0.0.1:9/"),),
        policy,
        1.0,
        {},
        callbacks=read_callbacks(f"shop={httpserver.url_for('/shop')}", (), None, policy),
    )
    server = BridgeServer(config)
    client = server.load().test_client()
    inbox = Inbox(config.inbox)
    try:
        destination = {"ce-knativeerrordest": "http://resize.penstock.svc/event", "ce-knativeerrorcode": "422"}
        assert client.post("/dead-letters", data=PUT, headers=destination).status_code == 202
        [letter] = inbox.dead_letters()
        assert inbox.replay([letter.id]) == 1
        wait_until(lambda: [each.id for each in inbox.dead_letters()] not in ([], [letter.id]))
        assert inbox.dead_letters()[0].message.target == SELF
        wait_until(lambda: 'penstock_outcomes_pending{to="shop"} 0.0' in client.get("/metrics").text.splitlines())
    finally:
        server.close()
        inbox.close()
    assert [json.loads(request.data)["function"] for request, _ in httpserver.log] == ["resize"]
