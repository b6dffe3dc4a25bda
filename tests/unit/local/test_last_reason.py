"""Why an object is pending, asked of the gateway of the local stack, or of a bridge."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import TemporaryError
from penstock.local.address import keep_address
from penstock.local.console.remote.bridge import BridgeInbox
from penstock.local.last_reason import BridgeReasons, last_reason
from penstock.settings.config import StoreSettings
from penstock.types import ObjectRef

from tests.remote_console import TOKEN, Bridge, ask, notification
from tests.unit.local.conftest import until

REF = ObjectRef("upload", "a & b.txt")
SETTINGS = StoreSettings("http://127.0.0.1:9", "penstock", "secret")
OLD = {"id": 7, "function": "upper", "code": 500, "reason": "IndexError: old", "died": 10.0}
NEW = {"id": 9, "function": "upper", "code": 500, "reason": "IndexError: new", "died": 20.0}
WAITING = {
    "function": "upper",
    "object": "upload/a & b.txt",
    "attempt": 3,
    "attempts": 10,
    "at": 0.0,
    "reason": "answered 503",
}


class Gateway:
    """Answers every question with `body`, and keeps the paths that were asked for."""

    def __init__(self) -> None:
        self.body = b""
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def knows(self, waiting: list[dict[str, Any]], dead_letters: list[dict[str, Any]]) -> None:
        self.body = json.dumps({"waiting": waiting, "dead_letters": dead_letters}).encode()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    gateway = Gateway()
    keep_address(tmp_path, SETTINGS, gateway=gateway.url, password="secret")
    yield gateway
    gateway.stop()


def test_attempt_that_waits_comes_before_dead_letters_and_the_last_letter_counts(
    tmp_path: Path, gateway: Gateway
) -> None:
    gateway.knows([WAITING], [OLD, NEW])
    assert last_reason(tmp_path, "upper", REF) == "retrying, attempt 3 of 10, next in 0 s: answered 503"
    assert gateway.asked == ["/ui/about?bucket=upload&key=a+%26+b.txt"]
    gateway.knows([], [NEW, OLD])
    assert last_reason(tmp_path, "upper", REF) == ("given up: IndexError: new; after mending it: penstock dlq replay 9")
    assert last_reason(tmp_path, "other", REF) == ""


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"waiting": [{}], "dead_letters": []}'])
def test_another_server_on_that_port_knows_nothing(tmp_path: Path, gateway: Gateway, body: bytes) -> None:
    gateway.body = body
    assert last_reason(tmp_path, "upper", REF) == ""


def test_stack_that_does_not_run_or_answer_knows_nothing(tmp_path: Path) -> None:
    assert last_reason(tmp_path, "upper", REF) == ""
    keep_address(tmp_path, SETTINGS)
    assert last_reason(tmp_path, "upper", REF) == ""
    keep_address(tmp_path, SETTINGS, gateway="http://127.0.0.1:9")
    assert last_reason(tmp_path, "upper", REF) == ""


NOWHERE = "http://127.0.0.1:9"


def reasons(bridge: Bridge) -> BridgeReasons:
    return BridgeReasons(BridgeInbox(bridge.server.url, TOKEN))


def uploaded(bridge: Bridge) -> None:
    assert ask(bridge.server.port, "POST", "/", notification(REF)).status == 202


def test_bridge_says_which_attempt_waits_and_why_the_last_one_failed(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, NOWHERE, wait_seconds=1e6)
    try:
        uploaded(bridge)
        until(lambda: reasons(bridge).last_reason("echo", REF))
        said = reasons(bridge).last_reason("echo", REF)
        assert re.fullmatch(r"retrying, attempt 2 of 2, next in \d+ s: cannot connect to .*", said), said
        assert reasons(bridge).last_reason("other", REF) == ""
        assert reasons(bridge).last_reason("echo", ObjectRef(REF.bucket, "other.txt")) == ""
    finally:
        bridge.close()


def test_bridge_says_what_became_a_dead_letter(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, NOWHERE)
    try:
        uploaded(bridge)
        until(lambda: reasons(bridge).last_reason("echo", REF).startswith("given up: "))
        said = reasons(bridge).last_reason("echo", REF)
        assert re.fullmatch(r"given up: cannot connect to .*; dead letter 1 of the bridge", said), said
        assert reasons(bridge).last_reason("other", REF) == ""
    finally:
        bridge.close()


def test_bridge_before_a_broker_waits_for_every_function_and_names_the_one_that_gave_up(tmp_path: Path) -> None:
    bridge = Bridge(tmp_path, NOWHERE, wait_seconds=1e6, broker=NOWHERE)
    try:
        uploaded(bridge)
        until(lambda: reasons(bridge).last_reason("upper", REF).startswith("retrying, attempt 2"))
    finally:
        bridge.close()
    (tmp_path / "another").mkdir()
    bridge = Bridge(tmp_path / "another", NOWHERE, broker=NOWHERE)
    try:
        headers = {
            "ce-knativeerrordest": "http://upper.penstock.svc.cluster.local/",
            "ce-knativeerrorcode": "503",
            "ce-knativeerrordata": base64.b64encode(b"the store does not answer").decode(),
        }
        assert ask(bridge.server.port, "POST", "/dead-letters", notification(REF), **headers).status == 202
        said = reasons(bridge).last_reason("upper", REF)
        assert "the store does not answer; dead letter 1 of the bridge" in said
        assert reasons(bridge).last_reason("other", REF) == ""
    finally:
        bridge.close()


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"{}", b'{"waiting": [{}], "letters": [], "more": false, "pending": 0, "dead": 0}'],
)
def test_what_is_no_bridge_is_an_error_in_words(gateway: Gateway, body: bytes) -> None:
    gateway.body = body
    with pytest.raises(TemporaryError, match="bridge http"):
        BridgeReasons(BridgeInbox(gateway.url, TOKEN)).last_reason("upper", REF)
