"""The uploader's access key and address do not leave the bridge, unless an operator wants them."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from penstock.connect.bridge.app import create_app
from penstock.connect.bridge.settings import BridgeConfig
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.identity import body_without_identity, without_identity
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.events import parse

from tests.paths import EVENTS

PUT = (EVENTS / "minio_put.json").read_bytes()
SINK = HttpTarget("sink", "http://sink.example/")
# The values of the payload that tell of its uploader.
TELLING = (b'"lake"', b"192.0.2.10", b"minio-py", b"principalId", b"userIdentity", b"ownerIdentity", b"sourceIPAddress")


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    box = Inbox(tmp_path / "inbox.db")
    yield box
    box.close()


def client_of(inbox: Inbox, **settings: Any) -> FlaskClient:
    config = BridgeConfig(("127.0.0.1", 8080), "", inbox.path, (SINK,), Policy(), 1.0, {}, **settings)
    return create_app(config, inbox, InboxSender(inbox, [SINK]), DeliveryMeasures()).test_client()


def test_every_telling_value_is_in_the_payload_of_these_tests() -> None:
    assert [text for text in TELLING if text not in PUT] == []


def test_event_is_stored_without_the_uploader(inbox: Inbox) -> None:
    assert client_of(inbox).post("/", data=PUT).status_code == 202
    [message] = inbox.claim("sink", 10)
    stored = message.value + json.dumps(dict(message.headers)).encode()
    assert [text for text in TELLING if text in stored] == []
    # What a function reads of it, and the ids of the request, are there.
    assert parse(message.value, {}) == parse(PUT, {})
    assert json.loads(message.value)["Records"][0]["responseElements"]["x-amz-request-id"] == "18E9EEC74D781800"


def test_option_keeps_the_uploader(inbox: Inbox) -> None:
    client_of(inbox, keep_identity=True).post("/", data=PUT)
    [message] = inbox.claim("sink", 10)
    assert json.loads(message.value)["Records"] == json.loads(PUT)["Records"]


def test_dead_letter_is_stored_without_the_uploader(inbox: Inbox) -> None:
    odd = json.loads(PUT)
    odd["Records"][0]["eventName"] = "s3:ObjectExploded:Now"
    assert client_of(inbox).post("/", data=json.dumps(odd)).status_code == 202
    [letter] = inbox.dead_letters()
    assert [text for text in TELLING if text in letter.message.value] == []


@pytest.mark.parametrize("body", [b"", b"\xff", b"[1]", b'{"Records": 5}', b"[" * 100_000, b'{"a": 1, "a": 2}'])
def test_body_that_is_no_notification_is_kept_as_it_came(body: bytes) -> None:
    assert body_without_identity(body) == body


@pytest.mark.parametrize(
    "record",
    [5, None, [], {}, {"s3": None}, {"s3": {"bucket": 5}}, {"requestParameters": None}, {"s3": {"bucket": {}}}],
)
def test_record_that_is_odd_is_left_as_it_is(record: Any) -> None:
    assert without_identity(record) == record


def test_good_records_are_sent_and_the_odd_one_beside_them_is_a_dead_letter(inbox: Inbox) -> None:
    body = json.loads(PUT)
    odd = json.loads(PUT)["Records"][0] | {"eventName": "s3:ObjectExploded:Now"}
    body["Records"] = [body["Records"][0], odd, body["Records"][0]]
    assert client_of(inbox, keep_identity=True).post("/", data=json.dumps(body)).status_code == 202
    assert len(inbox.claim("sink", 10)) == 2
    [letter] = inbox.dead_letters()
    assert json.loads(letter.message.value) == {"Records": [odd]}
    assert (letter.code, "ObjectExploded" in letter.reason) == (400, True)


IN_ENVELOPES = (
    "aws_sns",
    "aws_sns_lambda",
    "aws_sqs_message",
    "aws_sqs_lambda",
    "aws_sns_in_sqs_message",
    "aws_eventbridge",
    "cloudevent_eventbridge",
    "cloudevent_s3",
    "cloudevent_batch",
    "versity_put",
    "rustfs_put",
    "ceph_put",
)
IDENTITIES = re.compile(r"userIdentity|sourceIPAddress|source-ip-address|requester|ownerIdentity|192\.0\.2|userAgent")


@pytest.mark.parametrize("name", IN_ENVELOPES)
def test_dead_letter_in_an_envelope_is_without_the_uploader(name: str) -> None:
    body = (EVENTS / f"{name}.json").read_bytes()
    assert IDENTITIES.search(body.decode()), "there is something to leave out"
    cleaned = body_without_identity(body)
    assert IDENTITIES.findall(cleaned.decode()) == []
    headers = {}
    if name.startswith("cloudevent"):
        headers = {"content-type": f"application/cloudevents{'-batch' if name.endswith('batch') else ''}+json"}
    assert parse(cleaned, headers) == parse(body, headers)


def test_dead_letter_with_data_in_base64_is_without_the_uploader() -> None:
    event = {"specversion": "1.0", "type": "a", "source": "b", "id": "c", "data_base64": b64encode(PUT).decode()}
    cleaned = json.loads(body_without_identity(json.dumps(event).encode()))
    assert [text for text in TELLING if text in b64decode(cleaned["data_base64"])] == []
    assert cleaned | {"data_base64": ""} == event | {"data_base64": ""}


@pytest.mark.parametrize(
    "value",
    [
        {"requester": "x", "bucket": "upload", "key": "a"},
        {"Message": "not JSON", "TopicArn": "a"},
        {"data": {"requester": "x"}},
        {"data_base64": "%%%"},
        {"data": "7"},
    ],
)
def test_message_of_another_kind_is_kept_as_it_came(value: Any) -> None:
    body = json.dumps(value).encode()
    assert body_without_identity(body) == body
