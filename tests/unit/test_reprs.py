"""What gives access is in no repr: a value may end in a trace or in a log."""

from __future__ import annotations

import json
import logging

import pytest
from penstock.connect.amqp.broker import AmqpBroker
from penstock.connect.nats.server import NatsServers
from penstock.connect.sqs.account import SqsAccount
from penstock.delivery.http import HttpTarget
from penstock.process.log import JsonFormatter
from penstock.serving.object_lambda import read_call
from penstock.settings.config import Config, StoreSettings
from penstock.store.presigned import PresignedObjects

SIGNED = "https://minio.example/upload/a?X-Amz-Signature=hunter2"
CALL = (
    b'{"getObjectContext": {"inputS3Url": "%b", "outputRoute": "r", "outputToken": "hunter2"}, '
    b'"userRequest": {"url": "/a?X-Amz-Signature=hunter2", "headers": {"Authorization": ["hunter2"]}}}'
)
STORE = StoreSettings("https://minio.example", "a", "hunter2", session_token="hunter2")
VALUES = {
    "the target of a connector": HttpTarget(
        "a", "http://f/event", {"Authorization": "Bearer hunter2"}, None, (b"hunter2",)
    ),
    "a call of the object store": read_call(CALL % SIGNED.encode()),
    "a presigned URL": PresignedObjects(STORE).read(SIGNED),
    "the settings of the store": STORE,
    "the settings of a function": Config("upper", store=STORE, secrets={"A": "hunter2"}, hmac_keys=(b"hunter2",)),
    "a broker of AMQP": AmqpBroker("rabbit", 5672, "/", "user", "hunter2"),
    "an account of SQS": SqsAccount("eu-west-1", "", "user", "hunter2"),
    "the servers of a queue": NatsServers(("nats://n:4222",), "g", "user", "hunter2", "hunter2"),
}


@pytest.mark.parametrize("what", VALUES)
def test_what_gives_access_is_in_no_repr(what: str) -> None:
    assert "hunter2" not in repr(VALUES[what])
    assert "hunter2" not in str(VALUES[what])


@pytest.mark.parametrize("what", VALUES)
def test_what_gives_access_is_in_no_field_of_a_log_line(what: str) -> None:
    """A hook `start(config)` may log the settings that it is given."""
    value = VALUES[what]
    fields = {"alone": value, "within": {"list": [value], "tuple": (value, {"deep": value}), "set": {1}}}
    line = JsonFormatter().format(logging.makeLogRecord(fields))
    assert "hunter2" not in line
    assert json.loads(line)["alone"] == str(value)
    assert json.loads(line)["within"] == {
        "list": [str(value)],
        "tuple": [str(value), {"deep": str(value)}],
        "set": "{1}",
    }
