"""Outcomes from a real bridge: through kills, to receivers that hang, fail and redirect, and to the example."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.delivery.inbox import Inbox, InboxCounts
from penstock.errors import UnsupportedInput
from penstock.runtime.answers import Failure, failure_document, outcome_document
from penstock.runtime.outcome import Outcome
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.integration.connect_helpers import Penstock
from tests.paths import EVENTS, EXAMPLES
from tests.served import free_port

PUT = (EVENTS / "minio_put.json").read_bytes()
REF = ObjectRef("upload", "donors.csv")
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
QUICK = {"MIN_WAIT_SECONDS": "0.05", "MAX_WAIT_SECONDS": "0.2", "OUTCOME_ATTEMPTS": "5", "OUTCOME_HMAC_KEY": KEY}


@pytest.fixture
def servers() -> Iterator[HTTPServer]:
    """Functions and receivers, which may hang beside each other."""
    with HTTPServer(threaded=True) as server:
        yield server


def function(server: HTTPServer, path: str = "/function") -> str:
    """A function that answers for the object as Penstock's do."""
    answer = outcome_document(Outcome("processed", REF), "compress")
    server.expect_request(path).respond_with_json(answer)
    return f"compress={server.url_for(path)}"


class Bridge(Penstock):
    """A bridge in `folder` that delivers to `to` and tells `urls`."""

    def __init__(self, folder: Path, to: str, urls: str, **settings: str) -> None:
        self.inbox = folder / "inbox.db"
        arguments = ("bridge", "--allow-anonymous", "--inbox", str(self.inbox), "--to", to)
        env = {**QUICK, "OUTCOME_URLS": urls, **settings}
        super().__init__(f"bridge-{time.monotonic_ns()}", folder, *arguments, env=env)

    def __enter__(self) -> Bridge:
        self.until(self.is_ready, "ready")
        return self

    def __exit__(self, *_error: object) -> None:
        if self.returncode() is None:
            self.end()

    def metrics(self) -> list[str]:
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=30) as answer:
            return str(answer.read().decode()).splitlines()

    def put(self, body: bytes = PUT, path: str = "/", **headers: str) -> None:
        asked = urllib.request.Request(f"http://{self.address}{path}", body, headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.status == 202

    def figure(self, end: str, to: str = "shop") -> int:
        name = f'penstock_outcomes_total{{end="{end}",to="{to}"}} '
        [line] = [each for each in self.metrics() if each.startswith(name)]
        return int(float(line.rpartition(" ")[2]))


def delivered(inbox: Path) -> bool:
    box = Inbox(inbox)
    try:
        return box.counts() == InboxCounts(0, 0)
    finally:
        box.close()


def test_a_bridge_that_is_killed_before_the_callback_tells_it_after_its_next_start(
    tmp_path: Path, servers: HTTPServer
) -> None:
    arrived, killed = threading.Event(), threading.Event()

    def hang_until_killed(_request: Request) -> Response:
        arrived.set()
        killed.wait(60)
        return Response("thanks")

    servers.expect_request("/shop").respond_with_handler(hang_until_killed)
    to, urls = function(servers), f"shop={servers.url_for('/shop')}"
    with Bridge(tmp_path, to, urls) as first:
        first.put()
        assert arrived.wait(60)
        first.until(lambda: delivered(first.inbox), "delivered although the receiver hangs")
        first.kill_all()
    killed.set()
    with Bridge(tmp_path, to, urls) as second:
        second.until(lambda: second.figure("sent") == 1, "told")
    asked = [request.path for request, _ in servers.log]
    assert asked.count("/function") == 1  # the event was not delivered a second time
    assert len({request.headers["ce-id"] for request, _ in servers.log if request.path == "/shop"}) == 1


def test_receivers_that_hang_fail_and_redirect_hold_up_no_delivery(tmp_path: Path, servers: HTTPServer) -> None:
    release = threading.Event()

    def hang(_request: Request) -> Response:
        release.wait(120)
        return Response("too late")

    servers.expect_request("/hangs").respond_with_handler(hang)
    servers.expect_request("/fails").respond_with_data("no", 500)
    servers.expect_request("/moved").respond_with_data("", 307, headers={"Location": servers.url_for("/elsewhere")})
    servers.expect_request("/elsewhere").respond_with_data("never asked")
    servers.expect_request("/shop").respond_with_data("thanks")
    urls = " ".join(f"{name}={servers.url_for(f'/{name}')}" for name in ("hangs", "fails", "moved", "shop"))
    try:
        with Bridge(tmp_path, function(servers), urls, TIMEOUT_SECONDS="60") as bridge:
            for _ in range(5):
                bridge.put()
            bridge.until(lambda: bridge.figure("sent") == 5, "told")
            bridge.until(lambda: delivered(bridge.inbox), "delivered")
            bridge.until(lambda: bridge.figure("given_up", "fails") == 5, "given up")
            bridge.until(lambda: bridge.figure("given_up", "moved") == 5, "given up")
            assert bridge.figure("sent", "hangs") == 0
    finally:
        release.set()
    paths = [request.path for request, _ in servers.log]
    assert paths.count("/fails") == 25  # OUTCOME_ATTEMPTS for each
    assert "/elsewhere" not in paths


def test_a_dead_letter_is_told_and_so_is_one_of_a_broker(tmp_path: Path, servers: HTTPServer) -> None:
    refused = failure_document(Failure(REF, UnsupportedInput("no picture")))
    servers.expect_request("/function").respond_with_json(refused, 415)
    servers.expect_request("/shop").respond_with_data("thanks")
    to, urls = f"resize={servers.url_for('/function')}", f"shop={servers.url_for('/shop')}"
    with Bridge(tmp_path, to, urls) as bridge:
        bridge.put()
        bridge.until(lambda: bridge.figure("sent") == 1, "told")
        address = {"ce-knativeerrordest": "http://index.penstock.svc.cluster.local/", "ce-knativeerrorcode": "500"}
        bridge.put(PUT, "/dead-letters", **address)
        bridge.until(lambda: bridge.figure("sent") == 2, "told")
    told = [json.loads(request.data) for request, _ in servers.log if request.path == "/shop"]
    assert [(each["outcome"], each["function"], each["status"]) for each in told] == [
        ("failed", "resize", 415),
        ("failed", "index", 500),
    ]
    assert told[0]["error"] == "UnsupportedInput"
    assert "no picture" in told[0]["reason"]


def test_an_event_names_no_receiver(tmp_path: Path, servers: HTTPServer) -> None:
    """What is in events and in answers is data: only OUTCOME_URLS is asked."""
    servers.expect_request("/shop").respond_with_data("thanks")
    servers.expect_request("/forged").respond_with_data("never asked")
    forged = servers.url_for("/forged")
    answer = {**outcome_document(Outcome("processed", REF), "compress"), "OUTCOME_URLS": forged, "callback": forged}
    headers = {"ce-callback": forged, "Location": forged, "webhook-url": forged}
    servers.expect_request("/function").respond_with_json(answer, headers=headers)
    to, urls = f"compress={servers.url_for('/function')}", f"shop={servers.url_for('/shop')}"
    with Bridge(tmp_path, to, urls) as bridge:
        bridge.put(PUT, "/?OUTCOME_URLS=" + forged, **headers, outcome_urls=forged)
        bridge.until(lambda: bridge.figure("sent") == 1, "told")
    assert [request.path for request, _ in servers.log] == ["/function", "/shop"]


def test_without_urls_nothing_is_kept(tmp_path: Path, servers: HTTPServer) -> None:
    with Bridge(tmp_path, function(servers), "") as bridge:
        bridge.put()
        bridge.until(lambda: delivered(bridge.inbox), "delivered")
        assert not [line for line in bridge.metrics() if "penstock_outcomes" in line]
    assert not (tmp_path / "inbox-outcomes.db").exists()


def test_the_example_prints_each_outcome_once_and_takes_only_what_is_signed(
    tmp_path: Path, servers: HTTPServer
) -> None:
    port, output = free_port(), tmp_path / "printed"
    with output.open("wb") as file:
        receiver = subprocess.Popen(
            [sys.executable, str(EXAMPLES / "outcomes" / "receiver.py"), str(port)],
            env={"OUTCOME_HMAC_KEY": KEY},
            stdout=file,
        )
    try:
        with Bridge(tmp_path, function(servers), f"http://127.0.0.1:{port}/") as bridge:
            bridge.put()
            bridge.put()  # the store tells it twice
            bridge.until(lambda: bridge.figure("sent", "127.0.0.1") == 2, "told")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", b"forged", timeout=30)
    finally:
        receiver.kill()
        receiver.wait(60)
    [line] = output.read_text().splitlines()
    assert line.startswith("penstock.object.processed {")
