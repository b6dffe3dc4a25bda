"""The bridge's inbox for a console: only for its token, and without what events carry."""

import json
from pathlib import Path

import pytest
from penstock.types import ObjectRef

from tests.integration.processes import running
from tests.paths import EVENTS
from tests.remote_console import TOKEN, Bridge, ask, notification
from tests.served import free_port
from tests.unit.local.conftest import until

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PATHS = [
    ("GET", "/inbox"),
    ("GET", "/inbox/attempts"),
    ("GET", "/inbox/dead-letters"),
    ("POST", "/inbox/replay"),
    ("POST", "/inbox/drop"),
    ("POST", "/inbox/restore"),
]


@pytest.fixture(name="bridge")
def bridge_fixture(tmp_path: Path):  # type: ignore[no-untyped-def]
    bridge = Bridge(tmp_path, "http://127.0.0.1:9")
    yield bridge
    bridge.close()


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_route_asks_for_the_token(bridge: Bridge, method: str, path: str) -> None:
    for given in ({}, {"Authorization": "Bearer other"}, {"Authorization": TOKEN}):
        assert ask(bridge.server.port, method, path, **given).status == 401


def test_what_waits_was_tried_and_died_is_told_without_the_body(bridge: Bridge) -> None:
    ref = ObjectRef("upload", "a b/日本 100%.csv")
    assert ask(bridge.server.port, "POST", "/", notification(ref)).status == 202
    until(lambda: ask(bridge.server.port, "GET", "/inbox", **BEARER).json["dead"])
    [letter] = ask(bridge.server.port, "GET", "/inbox/dead-letters", **BEARER).json["letters"]
    assert (letter["function"], letter["object"]) == ("echo", f"{ref.bucket}/{ref.key}")
    assert letter.keys() == {"id", "function", "origin", "object", "code", "reason", "died"}
    tried = ask(bridge.server.port, "GET", "/inbox/attempts", **BEARER).json["attempts"]
    assert [(each["number"], each["object"]) for each in tried] == [
        (1, f"{ref.bucket}/{ref.key}"),
        (2, f"{ref.bucket}/{ref.key}"),
    ]
    assert ask(bridge.server.port, "GET", "/inbox/dead-letters?after=1", **BEARER).json["letters"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/inbox/drop", {"ids": ["1"]}),
        ("/inbox/replay", {}),
        ("/inbox/drop", b"text"),
        ("/inbox/restore", {"undo": "x"}),
        ("/inbox/replay", b"[" * 100_000),
        ("/inbox/drop", b'{"ids": [' + b"9" * 5000 + b"]}"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_in_words(bridge: Bridge, path: str, body: object) -> None:
    answer = ask(bridge.server.port, "POST", path, body, **BEARER)
    assert answer.status == 400
    assert answer.text.strip()
    assert ask(bridge.server.port, "GET", "/inbox/attempts?after=-1", **BEARER).status == 400


@pytest.mark.long
@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_bridge_tells_a_console_only_where_a_token_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    port = free_port()
    monkeypatch.setenv("CONSOLE_TOKEN", token)
    command = ["bridge", "--to", "echo=http://127.0.0.1:9/", "--inbox", str(tmp_path / "inbox.db"), "--allow-anonymous"]
    command += ["--listen", f"127.0.0.1:{port}", "--attempts", "1"]
    with running(command, tmp_path / "bridge.log") as process:

        def is_ready() -> bool:
            assert process.poll() is None, (tmp_path / "bridge.log").read_text()
            try:
                return ask(port, "GET", "/_/ready").status == 200
            except OSError:
                return False

        until(is_ready)
        if not token:
            assert ask(port, "GET", "/inbox", **BEARER).status in (404, 405)
            return
        assert ask(port, "POST", "/", json.loads((EVENTS / "minio_put.json").read_text())).status == 202
        until(lambda: ask(port, "GET", "/inbox", **BEARER).json["dead"] == 1)
        [tried] = ask(port, "GET", "/inbox/attempts", **BEARER).json["attempts"]
        assert (tried["target"], tried["object"]) == ("echo", "upload/data/small.csv")
