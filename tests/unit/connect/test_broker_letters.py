"""The bridge as a Broker's dead letter sink: kept with the reason, and replayed as the event it was."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from penstock.connect.bridge.bridge import MAX_BODY_BYTES, SELF, BridgeConfig, create_app, to_messages
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures

from tests.paths import EVENTS

PUT = (EVENTS / "minio_put.json").read_bytes()
SINK = HttpTarget("sink", "http://sink.example/")
HEADERS = {
    "ce-specversion": "1.0",
    "ce-type": "com.amazonaws.s3.ObjectCreated:Put",
    "ce-id": "abc",
    "ce-source": "minio:s3..upload",
    "ce-knativeerrordest": "http://compress.penstock.svc.cluster.local/event",
    "ce-knativeerrorcode": "422",
    "ce-knativeerrordata": base64.b64encode(b'{"reason": "already compressed"}').decode(),
    "content-type": "application/json",
    "authorization": "Bearer somebody else's",
}


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    box = Inbox(tmp_path / "inbox.db")
    yield box
    box.close()


@pytest.fixture
def client(inbox: Inbox) -> FlaskClient:
    config = BridgeConfig(("127.0.0.1", 8080), "secret", inbox.path, (SINK,), Policy(), 1.0, {})
    return create_app(config, inbox, InboxSender(inbox, [SINK]), DeliveryMeasures()).test_client()


def test_what_a_broker_gave_up_is_kept_with_the_reason(client: FlaskClient, inbox: Inbox) -> None:
    assert client.post("/dead-letters", data=PUT, headers=HEADERS).status_code == 202
    [letter] = inbox.dead_letters()
    assert (letter.code, letter.message.value) == (422, PUT)
    assert letter.reason == 'http://compress.penstock.svc.cluster.local/event: {"reason": "already compressed"}'
    assert letter.message.origin == "com.amazonaws.s3.ObjectCreated:Put abc"


def test_replayed_letter_is_the_event_again_without_the_errors_of_its_first_life(
    client: FlaskClient, inbox: Inbox
) -> None:
    client.post("/dead-letters", data=to_messages(PUT, (SINK,), {})[0].value, headers=HEADERS)
    inbox.replay([inbox.dead_letters()[0].id])
    [message] = inbox.claim(SELF, 10)
    assert set(message.headers) == {"content-type"}
    [again] = to_messages(message.value, (SINK,), {})
    assert again.headers == to_messages(PUT, (SINK,), {})[0].headers
    assert json.loads(again.value) == json.loads(to_messages(PUT, (SINK,), {})[0].value)


@pytest.mark.parametrize("data", ["", "%%% not base64", "YQ"])
def test_letter_is_kept_whatever_its_headers_hold(client: FlaskClient, inbox: Inbox, data: str) -> None:
    headers = {"ce-knativeerrorcode": "-", "ce-knativeerrordata": data}
    assert client.post("/dead-letters", data=b"\xff", headers=headers).status_code == 202
    [letter] = inbox.dead_letters()
    assert (letter.code, letter.message.value) == (0, b"\xff")


def test_letter_that_is_too_large_is_refused(client: FlaskClient, inbox: Inbox) -> None:
    assert client.post("/dead-letters", data=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert inbox.dead_letters() == []


def test_broker_letters_are_counted(client: FlaskClient) -> None:
    client.post("/dead-letters", data=PUT, headers=HEADERS)
    assert "penstock_bridge_broker_letters_total 1.0" in client.get("/metrics").get_data(as_text=True)
