"""The SQS connector on a real ElasticMQ: the contract of every queue, holds, order, what is refused."""

from __future__ import annotations

import gzip
import io
import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from penstock.connect.sqs.account import SqsAccount, connect_to
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.components import ElasticMqServer, MinioServer
from tests.integration.connect_helpers import Penstock, RecordingFunction, letters
from tests.integration.processes import store_settings
from tests.integration.queue_contract import Queue, QueueContract
from tests.paths import EVENTS
from tests.served import served

QUEUE = "lake-upload"
KEY = "dir/日本 x+y 100%.csv"  # of the events of AWS
VISIBILITY_SECONDS = 5
LOGIN: Mapping[str, str] = {
    "SQS_ACCESS_KEY": "lake",
    "SQS_SECRET_KEY": "lake-secret",
    "SQS_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
}


class ElasticQueue(Queue):
    """A standard queue; ElasticMQ asks for no keys, and the client signs with any."""

    kind = "sqs"
    topic = QUEUE
    frozen_seconds = 18.0
    wrong_login: ClassVar = {"SQS_ACCESS_KEY": "lake", "SQS_SECRET_KEY": "hunter2"}
    refused_login = "refused the login (InvalidClientTokenId); check SQS_ACCESS_KEY and SQS_SECRET_KEY"
    login: ClassVar = LOGIN

    @property
    def url(self) -> str:
        return f"http://{self.server.endpoint.address}"

    @property
    def client(self) -> Any:
        return connect_to(SqsAccount("elasticmq", self.url, "lake", "lake-secret"))

    @property
    def queue_url(self) -> str:
        return str(self.client.get_queue_url(QueueName=self.topic)["QueueUrl"])

    def make(self, **attributes: str) -> None:
        self.client.create_queue(QueueName=self.topic, Attributes=attributes)

    def spoil(self, topic: str) -> str:
        """There is no such queue."""
        return f"there is no queue {topic}; make it"

    def publish(self, *payloads: bytes) -> None:
        client, queue_url = self.client, self.queue_url
        for payload in payloads:
            client.send_message(QueueUrl=queue_url, MessageBody=payload.decode())

    def left(self) -> int:
        """Messages that wait, and those that a connector has."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def connect(
        self, folder: Path, name: str, to: str, *more: str, url: str = "", env: Mapping[str, str] | None = None
    ) -> Penstock:
        return super().connect(folder, name, to, *more, url=url or self.url, env=env)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ElasticMqServer]:
    with ElasticMqServer(tmp_path_factory.mktemp("elasticmq")) as server:
        yield server


@pytest.fixture
def queue(server: ElasticMqServer) -> Iterator[ElasticQueue]:
    queue = ElasticQueue(server)
    queue.make()
    yield queue
    queue.client.delete_queue(QueueUrl=queue.queue_url)


@pytest.fixture
def service(httpserver: HTTPServer) -> HTTPServer:
    """Refuses as Amazon SQS does; its list of common errors is in penstock/connect/sqs/account.py."""
    refusal = {"__type": "com.amazon.coral.service#InvalidClientTokenId", "message": "The security token is invalid."}
    answer = Response(json.dumps(refusal), 403, content_type="application/x-amz-json-1.0")
    httpserver.expect_request("/").respond_with_response(answer)
    return httpserver


class TestQueue(QueueContract):
    """The contract of every queue on ElasticMQ."""

    def test_a_wrong_password_is_said(self, queue: Queue, tmp_path: Path, function: RecordingFunction) -> None:
        """Not on ElasticMQ, which asks for none: see `test_a_login_that_the_service_refuses_is_said`."""


def test_a_login_that_the_service_refuses_is_said(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction, service: HTTPServer
) -> None:
    url = service.url_for("").rstrip("/")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", url=url, env=queue.wrong_login)
    connector.until(lambda: queue.refused_login in connector.text(), "said")
    assert not connector.is_ready()
    assert connector.end() == 0
    assert connector.text().count(queue.refused_login) == 1
    assert "hunter2" not in connector.text()


def test_a_function_that_takes_longer_than_the_hold_gets_its_message_once(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    def answer(path: str, body: bytes) -> int:
        time.sleep(VISIBILITY_SECONDS + 3)
        return 200

    function.answer = answer
    queue.publish(b"slow")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", "--timeout-seconds", "120")
    connector.until(lambda: queue.left() == 0, "finished", timeout_seconds=120)
    assert function.delivered() == [b"slow"]
    assert connector.end() == 0


def test_a_message_that_comes_again_while_it_is_under_way_is_not_delivered_twice(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    asked, answering = threading.Event(), threading.Event()

    def answer(path: str, body: bytes) -> int:
        asked.set()
        answering.wait(60)
        return 200

    function.answer = answer
    queue.publish(b"slow")
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", "--timeout-seconds", "120")
    connector.until(asked.is_set, "under way")
    connector.signal(signal.SIGSTOP)
    time.sleep(VISIBILITY_SECONDS + 1)  # the message is the queue's again
    connector.signal(signal.SIGCONT)
    time.sleep(VISIBILITY_SECONDS)
    answering.set()
    connector.until(lambda: queue.left() == 0, "finished")
    assert function.delivered() == [b"slow"]
    assert connector.end() == 0


def test_events_of_one_object_are_delivered_in_order_and_others_do_not_wait(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    """What AWS sends names its object in the record alone."""
    document = json.loads((EVENTS / "minio_put.json").read_text())
    document = {"Records": document["Records"]}

    def event(key: str, size: int) -> bytes:
        document["Records"][0]["s3"]["object"] |= {"key": key, "size": size}
        return json.dumps(document).encode()

    function.answer = lambda path, body: 503 if b'"stuck"' in body else 200
    queue.publish(event("stuck", 1), event("fine", 1))
    connector = queue.connect(tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    connector.until(lambda: set(function.delivered()) == {event("fine", 1)}, "the other object's delivered")
    function.answer = lambda path, body: 200
    connector.until(lambda: queue.left() == 0, "all finished")
    assert connector.end() == 0


def test_strangers_messages_become_dead_letters_and_nothing_else_is_lost(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    function.answer = lambda path, body: 200 if b'"Records"' in body else 400
    strangers = [b"hello", b"[]", b'{"a": {"b": []}}', b"x" * 200_000, "日本".encode()]
    event = (EVENTS / "minio_put.json").read_bytes()
    queue.publish(*strangers[:3], event, *strangers[3:])
    connector = queue.connect(tmp_path, "connector", f"{function.url}/strict")
    connector.until(lambda: len(function.calls) >= 6 and queue.left() == 0, "all finished")
    assert connector.end() == 0
    kept = letters(tmp_path / "connector.db")
    assert [letter["code"] for letter in kept] == [400] * len(strangers)


def test_a_queue_that_is_not_there_is_said_until_it_is(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    queue.client.delete_queue(QueueUrl=queue.queue_url)
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    connector.until(lambda: f"there is no queue {QUEUE}; make it" in connector.text(), "said")
    queue.make()
    queue.publish(b"at last")
    connector.until(lambda: b"at last" in function.delivered(), "delivered")
    assert connector.end() == 0


def test_a_queue_that_moves_messages_away_after_some_receptions_is_told(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    client = queue.client
    dead = client.create_queue(QueueName="dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    client.set_queue_attributes(QueueUrl=queue.queue_url, Attributes={"RedrivePolicy": policy})
    connector = queue.connect(tmp_path, "connector", f"{function.url}/")
    told = f"SQS moves a message to {arn} when it came 3 times"
    connector.until(lambda: told in connector.text() and connector.is_ready(), "said, and ready")
    assert connector.end() == 0


def test_unanswered_message_is_given_back_at_the_end(
    queue: ElasticQueue, tmp_path: Path, function: RecordingFunction
) -> None:
    function.answer = lambda path, body: 503
    queue.publish(b"stuck")
    first = queue.connect(tmp_path, "connector", f"{function.url}/", "--attempts", "0")
    first.until(lambda: len(function.calls) > 0, "refused")
    assert first.end() == 0
    [message] = queue.client.receive_message(QueueUrl=queue.queue_url, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "stuck"


def test_what_sns_and_eventbridge_put_into_a_queue_makes_its_targets(queue: ElasticQueue, tmp_path: Path) -> None:
    """The bodies as AWS publishes them, for one object, whose key each of them encodes in its own way."""
    with MinioServer(tmp_path / "minio") as minio:
        client = minio.endpoint.client()
        for bucket in ("upload", "processed"):
            client.make_bucket(bucket)
        settings = {"SOURCE": "s3://upload/*.csv", "SINK": "s3://processed/{key}.gz", **store_settings(minio)}
        with served("compress", settings) as function:
            connector = queue.connect(tmp_path, "connector", f"{function.url}/event")
            for name in ("aws_put_all_characters", "aws_sns", "aws_eventbridge"):
                client.put_object("upload", KEY, io.BytesIO(name.encode()), len(name))
                queue.publish((EVENTS / f"{name}.json").read_bytes())
                connector.until(lambda: queue.left() == 0, "finished")
                with client.get_object("processed", f"{KEY}.gz") as target:
                    assert gzip.decompress(target.read()) == name.encode()
            assert connector.end() == 0
    assert letters(tmp_path / "connector.db") == []
