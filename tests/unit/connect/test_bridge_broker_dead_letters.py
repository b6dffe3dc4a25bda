"""The bridge as a Broker's dead letter sink: kept with the reason, and replayed as the event it was."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from penstock.connect.bridge.app import MAX_BODY_BYTES, create_app
from penstock.connect.bridge.broker_dead_letters import BrokerDeadLetterLimits
from penstock.connect.bridge.messages import to_messages
from penstock.connect.bridge.settings import SELF, BridgeConfig
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import TemporaryError

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
    "authorization": "Bearer of another program",
}


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    box = Inbox(tmp_path / "inbox.db")
    yield box
    box.close()


@pytest.fixture
def client(inbox: Inbox) -> FlaskClient:
    return client_of(inbox)


def client_of(inbox: Inbox, *, dead_letter_token: str = "", keep_identity: bool = True) -> FlaskClient:
    config = BridgeConfig(
        ("127.0.0.1", 8080),
        "secret",
        inbox.path,
        (SINK,),
        Policy(),
        1.0,
        {},
        keep_identity=keep_identity,
        dead_letter_token=dead_letter_token,
    )
    return create_app(config, inbox, InboxSender(inbox, [SINK]), DeliveryMeasures()).test_client()


def test_what_a_broker_gave_up_is_kept_with_the_reason(client: FlaskClient, inbox: Inbox) -> None:
    assert client.post("/dead-letters", data=PUT, headers=HEADERS).status_code == 202
    [letter] = inbox.dead_letters()
    assert (letter.code, letter.message.value) == (422, PUT)
    assert letter.reason == 'http://compress.penstock.svc.cluster.local/event: {"reason": "already compressed"}'
    assert letter.message.origin == "com.amazonaws.s3.ObjectCreated:Put abc, sender not authenticated"


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
def test_letter_is_kept_with_any_headers(client: FlaskClient, inbox: Inbox, data: str) -> None:
    headers = {"ce-knativeerrorcode": "-", "ce-knativeerrordata": data}
    assert client.post("/dead-letters", data=b"\xff", headers=headers).status_code == 202
    [letter] = inbox.dead_letters()
    assert (letter.code, letter.message.value) == (0, b"\xff")


@pytest.mark.parametrize("code", ["9" * 5000, "9" * 30, "4" * 20, "²", "-1", "422 "])
def test_letter_is_kept_with_any_code(client: FlaskClient, inbox: Inbox, code: str) -> None:
    """An error here would be a 500, which the Broker repeats."""
    headers = HEADERS | {"ce-knativeerrorcode": code}
    assert client.post("/dead-letters", data=PUT, headers=headers).status_code == 202
    [letter] = inbox.dead_letters()
    assert letter.code in (0, 422)


def test_letter_that_is_too_large_is_refused(client: FlaskClient, inbox: Inbox) -> None:
    assert client.post("/dead-letters", data=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert inbox.dead_letters() == []


def test_broker_letters_are_counted(client: FlaskClient) -> None:
    client.post("/dead-letters", data=PUT, headers=HEADERS)
    assert "penstock_bridge_broker_letters_total 1.0" in client.get("/metrics").get_data(as_text=True)


def test_with_a_token_only_the_path_that_ends_in_it_takes_letters(inbox: Inbox) -> None:
    client = client_of(inbox, dead_letter_token="s3cret")
    for path in (
        "/dead-letters",
        "/dead-letters/",
        "/dead-letters/wrong",
        "/dead-letters/s3cret2",
        "/dead-letters/ключ",
    ):
        assert client.post(path, data=PUT, headers=HEADERS).status_code in (401, 404), path
    assert inbox.dead_letters() == []
    assert client.post("/dead-letters/s3cret", data=PUT, headers=HEADERS).status_code == 202
    [letter] = inbox.dead_letters()
    assert letter.message.origin == "com.amazonaws.s3.ObjectCreated:Put abc"


def test_letters_are_bounded_in_number_and_bytes_and_taken_again_once_they_are_dropped() -> None:
    limits = BrokerDeadLetterLimits(max_letters=2, max_bytes=100)
    limits.admit(60, kept=0)
    with pytest.raises(TemporaryError, match="at most 2 and 100 bytes: see them with `penstock dlq list`"):
        limits.admit(60, kept=1)
    limits.admit(40, kept=1)
    with pytest.raises(TemporaryError):
        limits.admit(0, kept=2)
    limits.admit(100, kept=0)


def test_letter_over_the_bounds_is_a_503_and_not_kept(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.connect.bridge.app.BrokerDeadLetterLimits", lambda: BrokerDeadLetterLimits(1))
    client = client_of(inbox)
    answers = [client.post("/dead-letters", data=PUT, headers=HEADERS).status_code for _ in range(2)]
    assert answers == [202, 503]
    assert len(inbox.dead_letters()) == 1


def test_letter_is_kept_without_the_identity_of_the_uploader(inbox: Inbox) -> None:
    client_of(inbox, keep_identity=False).post("/dead-letters", data=PUT, headers=HEADERS)
    [letter] = inbox.dead_letters()
    assert b"192.0.2.10" not in letter.message.value
    assert b"principalId" not in letter.message.value
    assert json.loads(letter.message.value)["Records"][0]["s3"]["object"]["key"] == "data%2Fsmall.csv"
