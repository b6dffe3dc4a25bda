"""What gives access is in no repr: a value may end in a trace or in a log."""

from __future__ import annotations

import pytest
from penstock.connect.amqp.broker import AmqpBroker
from penstock.connect.nats.server import NatsServers
from penstock.connect.sqs.account import SqsAccount
from penstock.delivery.http import HttpTarget
from penstock.serving.object_lambda import read_call
from penstock.settings.config import StoreSettings
from penstock.store.presigned import PresignedObjects

SIGNED = "https://minio.example/upload/a?X-Amz-Signature=hunter2"
CALL = (
    b'{"getObjectContext": {"inputS3Url": "%b", "outputRoute": "r", "outputToken": "hunter2"}, '
    b'"userRequest": {"url": "/a?X-Amz-Signature=hunter2", "headers": {"Authorization": ["hunter2"]}}}'
)
VALUES = {
    "the target of a connector": HttpTarget(
        "a", "http://f/event", {"Authorization": "Bearer hunter2"}, None, (b"hunter2",)
    ),
    "a call of the object store": read_call(CALL % SIGNED.encode()),
    "a presigned URL": PresignedObjects(StoreSettings("https://minio.example", "a", "hunter2")).read(SIGNED),
    "the settings of the store": StoreSettings("https://minio.example", "a", "hunter2"),
    "a broker of AMQP": AmqpBroker("rabbit", 5672, "/", "user", "hunter2"),
    "an account of SQS": SqsAccount("eu-west-1", "", "user", "hunter2"),
    "the servers of a queue": NatsServers(("nats://n:4222",), "g", "user", "hunter2", "hunter2"),
}


@pytest.mark.parametrize("what", VALUES)
def test_what_gives_access_is_in_no_repr(what: str) -> None:
    assert "hunter2" not in repr(VALUES[what])
    assert "hunter2" not in str(VALUES[what])
