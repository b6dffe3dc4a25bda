"""The bridge: what it takes, what it refuses, what it makes of it; and a kill -9 in the middle."""

import argparse
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from penstock.commands import bridge
from penstock.connect.bridge import settings as settings_module
from penstock.connect.bridge.app import MAX_BODY_BYTES, create_app
from penstock.connect.bridge.messages import to_messages
from penstock.connect.bridge.settings import BridgeConfig, load_bridge_config
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox, InboxCounts
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import ConfigError, EventError
from pytest_httpserver import HTTPServer

from tests.paths import EVENTS

PUT = (EVENTS / "minio_put.json").read_bytes()
SINK = HttpTarget("sink", "http://sink.example/")


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    box = Inbox(tmp_path / "inbox.db", max_pending=3)
    yield box
    box.close()


@pytest.fixture
def client(inbox: Inbox) -> FlaskClient:
    """A bridge that stores and never delivers."""
    config = BridgeConfig(("127.0.0.1", 8080), "secret", inbox.path, (SINK,), Policy(), 1.0, {}, keep_identity=True)
    return create_app(config, inbox, InboxSender(inbox, [SINK]), DeliveryMeasures()).test_client()


def post(client: FlaskClient, body: bytes, token: str = "Bearer secret") -> int:
    return client.post("/", data=body, headers={"Authorization": token}).status_code


def test_event_is_stored_before_the_answer(client: FlaskClient, inbox: Inbox) -> None:
    assert post(client, PUT) == 202
    [message] = inbox.claim("sink", 10)
    record = json.loads(PUT)["Records"][0]
    assert json.loads(message.value)["Records"] == [record]
    assert message.headers["ce-type"] == "com.amazonaws.s3.ObjectCreated:Put"


def test_target_gets_the_events_that_it_is_there_for_and_no_others(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    bridge.add_arguments(parser)
    flags = ["--to", "http://g/function/compress", "--to", "http://g/function/resize", "--to", "log=http://log/"]
    flags += ["--only", "compress=s3://upload/*.csv", "--only", "compress=s3://extra", "--only", "resize=s3://images/*"]
    args = parser.parse_args([*flags, "--allow-anonymous", "--inbox", str(tmp_path / "inbox.db")])
    config = load_bridge_config(args, {})

    def names(bucket: str, key: str, event: str = "s3:ObjectCreated:Put") -> list[str]:
        body = json.loads(PUT)
        record = body["Records"][0]
        record["eventName"], record["s3"]["bucket"]["name"], record["s3"]["object"]["key"] = event, bucket, key
        messages = to_messages(json.dumps(body).encode(), config.targets, {}, "", config.filters)
        return [message.target for message in messages]

    assert names("upload", "a.csv") == ["compress", "log"]
    assert names("upload", "a.csv", "s3:ObjectRemoved:Delete") == ["compress", "log"]
    assert names("upload", "a.csv", "s3:ObjectAccessed:Get") == ["log"]
    assert names("upload", "a.txt") == ["log"]
    assert names("extra", "b") == ["compress", "log"]
    assert names("images", ".penstock/refused/x") == ["log"]


def test_source_for_an_unknown_target_is_refused_with_what_else_is_wrong() -> None:
    parser = argparse.ArgumentParser()
    bridge.add_arguments(parser)
    args = parser.parse_args(
        ["--to", "http://g/a", "--only", "b=s3://photos", "--only", "a=upload", "--allow-anonymous"]
    )
    with pytest.raises(ConfigError) as caught:
        load_bridge_config(args, {})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["--only b=s3", "--only a=upload"]


@pytest.mark.parametrize(
    "token", ["", "Bearer wrong", "wrong", "Bearer", "Bearer secret2", "bearer secret", "Bearer ключ"]
)
def test_wrong_token_stores_nothing(client: FlaskClient, inbox: Inbox, token: str) -> None:
    assert post(client, PUT, token) == 401
    assert inbox.counts() == InboxCounts(0, 0)


def test_token_of_two_words_is_taken_as_it_is(client: FlaskClient) -> None:
    assert post(client, PUT, "secret") == 202


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"Records": 1}', b"\xff", b'{"hello": "world"}'])
def test_unreadable_body_is_a_dead_letter_and_does_not_block_the_queue(
    client: FlaskClient, inbox: Inbox, body: bytes
) -> None:
    assert post(client, body) == 202
    [letter] = inbox.dead_letters()
    assert (letter.message.value, letter.code) == (body, 400)
    assert post(client, PUT) == 202


def test_body_over_the_limit_is_refused_unread(client: FlaskClient, inbox: Inbox) -> None:
    assert post(client, b" " * (MAX_BODY_BYTES + 1)) == 413
    assert inbox.counts() == InboxCounts(0, 0)


def test_a_defect_is_a_500_whose_incident_finds_its_trace_in_the_log(
    client: FlaskClient, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_messages: object) -> None:
        raise ZeroDivisionError("the trace is for the log")

    monkeypatch.setattr(inbox, "put", broken)
    answer = client.post("/", data=PUT, headers={"Authorization": "Bearer secret"})
    assert (answer.status_code, answer.mimetype) == (500, "text/plain")
    [record] = [record for record in caplog.records if record.exc_info]
    incident = vars(record)["incident"]
    assert answer.text == f"unexpected error; see the log for incident {incident}\n"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/", 405)])
def test_what_has_no_route_is_answered_in_words(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "text/plain")
    assert ("POST" in answer.headers.get("Allow", "")) == (status == 405)


def test_full_inbox_makes_minio_wait(client: FlaskClient, inbox: Inbox) -> None:
    assert [post(client, PUT) for _ in range(4)] == [202, 202, 202, 503]
    assert inbox.counts() == InboxCounts(3, 0)


def test_bridge_that_does_not_deliver_is_alive_and_not_ready(client: FlaskClient) -> None:
    assert client.get("/_/health").status_code == 200
    assert client.get("/_/ready").status_code == 503


def test_metrics_count_what_came_in(client: FlaskClient) -> None:
    post(client, PUT)
    post(client, b"{")
    text = client.get("/metrics").text
    assert "penstock_bridge_received_total 1.0" in text
    assert "penstock_bridge_unreadable_total 1.0" in text


def test_every_target_gets_every_record_in_order_per_object() -> None:
    body = (EVENTS / "several_records.json").read_bytes()
    count = len(json.loads(body)["Records"])
    messages = to_messages(body, (SINK, HttpTarget("other", "http://other.example/")), {})
    assert [message.target for message in messages] == ["sink", "other"] * count
    assert len({message.headers["ce-id"] for message in messages}) == count


def test_repeated_notification_keeps_its_id() -> None:
    [first], [second] = to_messages(PUT, (SINK,), {}), to_messages(PUT, (SINK,), {})
    assert first == second


def test_overrides_and_trace_become_attributes() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    [message] = to_messages(PUT, (SINK,), {"team": "data lake"}, trace)
    assert message.headers["ce-team"] == "data%20lake"
    assert (message.headers["ce-traceparent"], message.headers["traceparent"]) == (trace, trace)


def test_forged_trace_is_left_out() -> None:
    [message] = to_messages(PUT, (SINK,), {}, "evil\r\nX: y")
    assert "traceparent" not in message.headers


def test_notification_without_records_is_refused() -> None:
    with pytest.raises(EventError):
        to_messages(b'{"Records": []}', (SINK,), {})


def configure(env: dict[str, str], *flags: str) -> BridgeConfig:
    parser = argparse.ArgumentParser()
    bridge.add_arguments(parser)
    return load_bridge_config(parser.parse_args(flags), env)


def test_sink_binding_configures_the_bridge(tmp_path: Path) -> None:
    (tmp_path / "bridge-token").write_text("from-file\n")
    config = configure(
        {
            "K_SINK": "http://broker/default",
            "K_CE_OVERRIDES": '{"extensions": {"team": "lake"}}',
            "SECRETS_DIR": str(tmp_path),
            "ATTEMPTS": "3",
            "PORT": "9999",
        }
    )
    assert [target.url for target in config.targets] == ["http://broker/default"]
    assert (config.token, config.policy.attempts, config.address) == ("from-file", 3, ("0.0.0.0", 9999))
    assert config.extensions == {"team": "lake"}


def test_functions_are_named_by_their_url_or_explicitly() -> None:
    config = configure(
        {"BRIDGE_TOKEN": "t"}, "--to", "http://gateway:8080/function/compress", "--to", "thumbs=http://other/"
    )
    assert [target.name for target in config.targets] == ["compress", "thumbs"]


def test_functions_get_their_token_and_a_broker_does_not(tmp_path: Path) -> None:
    (tmp_path / "function-token").write_text("new old\n")
    (tmp_path / "function-hmac-key").write_text("whsec_" + base64.b64encode(b"k" * 32).decode())
    env = {"BRIDGE_TOKEN": "t", "SECRETS_DIR": str(tmp_path)}
    [function] = configure(env, "--to", "http://gateway:8080/function/compress").targets
    [broker] = configure({**env, "K_SINK": "http://broker/default"}).targets
    assert (dict(function.headers), dict(broker.headers)) == ({"Authorization": "Bearer new"}, {})
    assert (function.keys, broker.keys) == ((b"k" * 32,), ())


def test_identity_that_a_sinkbinding_mounts_goes_to_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "IDENTITY_TOKEN", tmp_path / "token")
    env = {"BRIDGE_TOKEN": "t", "K_SINK": "http://broker/default"}
    assert [target.token_file for target in configure(env).targets] == [None]
    (tmp_path / "token").write_text("identity")
    assert [target.token_file for target in configure(env).targets] == [tmp_path / "token"]


def test_tokens_are_in_no_repr() -> None:
    config = configure(
        {"BRIDGE_TOKEN": "hunter2", "DEAD_LETTER_TOKEN": "hunter3", "K_SINK": "http://broker/default"},
        "--keep-identity",
    )
    assert (config.dead_letter_token, config.keep_identity) == ("hunter3", True)
    assert "hunter" not in repr(config)


def test_every_problem_of_a_configuration_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        configure({"ATTEMPTS": "many", "K_CE_OVERRIDES": "[]", "CA_FILE": "/nowhere"}, "--listen", "8080")
    text = str(caught.value)
    for name in ("ATTEMPTS", "K_CE_OVERRIDES", "CA_FILE", "K_SINK", "BRIDGE_TOKEN", "HOST:PORT"):
        assert name in text


class Process:
    """A bridge as its own process group on a free port."""

    def __init__(self, inbox: Path, sink: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        program = (
            "import argparse, sys; from penstock.commands import bridge as b;"
            "p = argparse.ArgumentParser(); b.add_arguments(p); sys.exit(b.run(p.parse_args()))"
        )
        flags = ["--inbox", str(inbox), "--to", sink, "--listen", self.address]
        env = {
            **os.environ,
            "BRIDGE_TOKEN": "t",
            "MIN_WAIT_SECONDS": "0.01",
            "MAX_WAIT_SECONDS": "0.05",
            "ATTEMPTS": "0",
        }
        self.process = subprocess.Popen([sys.executable, "-c", program, *flags], env=env, start_new_session=True)
        self.until(self.ready)

    def until(self, condition: Any) -> None:
        pause = threading.Event()
        for _ in range(1000):
            if self.process.poll() is not None:
                raise AssertionError(f"the bridge ended with {self.process.returncode}")
            if condition():
                return
            pause.wait(0.01)
        raise AssertionError("did not come about")

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/_/ready") as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    def post(self, body: bytes) -> int:
        headers = {"Authorization": "Bearer t"}
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.address}/", body, headers)) as answer:
            return int(answer.status)

    def end(self, with_signal: signal.Signals) -> int:
        os.killpg(self.process.pid, with_signal)
        return self.process.wait(30)


def test_nothing_acknowledged_is_lost_when_the_bridge_is_killed(tmp_path: Path, httpserver: HTTPServer) -> None:
    def event(number: int) -> bytes:
        return PUT.replace(b"small.csv", b"small-%d.csv" % number)

    def subjects() -> Sequence[str]:
        return [request.headers["ce-subject"] for request, answer in httpserver.log if answer.status_code == 200]

    assert event(1) != PUT
    httpserver.expect_request("/").respond_with_data("not yet", 503)
    first = Process(tmp_path / "inbox.db", httpserver.url_for("/"))
    try:
        assert {first.post(event(number)) for number in range(30)} == {202}
    finally:
        first.end(signal.SIGKILL)
    assert subjects() == []
    httpserver.clear_all_handlers()
    httpserver.expect_request("/").respond_with_data("ok")
    second = Process(tmp_path / "inbox.db", httpserver.url_for("/"))
    try:
        second.until(lambda: len(set(subjects())) == 30)
    finally:
        assert second.end(signal.SIGTERM) == 0
    after = Inbox(tmp_path / "inbox.db")
    assert after.counts() == InboxCounts(0, 0)
    after.close()
