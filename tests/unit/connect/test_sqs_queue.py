"""One queue that the service refuses keeps no other one from being worked on; the service is played here."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from penstock.connect import reconnecting
from penstock.connect.queues import Settlement
from penstock.connect.sqs.account import SqsAccount
from penstock.connect.sqs.session import SqsSession
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.waiting import wait_until

Refusals = dict[str, tuple[str, int]]


class PlayedSqs:
    """Two queues, `good` and `odd`, each with messages without end; `refusals` are for operations on `odd`."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.refusals: Refusals = {}
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        given: dict[str, Any] = json.loads(request.get_data())
        name = given.get("QueueName") or given["QueueUrl"].rpartition("/")[2]
        with self._lock:
            self.asked[f"{operation} {name}"] += 1
            number = self.asked.total()
        if name == "odd" and operation in self.refusals:
            code, status = self.refusals[operation]
            return Response(json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}), status)
        ids = [{"Id": each["Id"]} for each in given.get("Entries", ())]
        message = {"MessageId": f"m{number}", "ReceiptHandle": f"h{number}", "Body": name}
        documents: dict[str, object] = {
            "GetQueueUrl": {"QueueUrl": f"{self.url}/1/{name}"},
            "GetQueueAttributes": {},
            "ReceiveMessage": {"Messages": [message]},
            "DeleteMessageBatch": {"Successful": ids, "Failed": []},
            "ChangeMessageVisibilityBatch": {"Successful": ids, "Failed": []},
        }
        return Response(json.dumps(documents[operation]), content_type="application/x-amz-json-1.0")


@pytest.fixture
def sqs() -> Iterator[PlayedSqs]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        played = PlayedSqs(server)
        server.expect_request("/").respond_with_handler(played.answer)
        server.expect_request("/1/good").respond_with_handler(played.answer)
        server.expect_request("/1/odd").respond_with_handler(played.answer)
        yield played


@pytest.mark.long
@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        ("ReceiveMessage", "AccessDeniedException", 403),
        ("ReceiveMessage", "KmsAccessDenied", 400),
        ("ReceiveMessage", "OverLimit", 403),
        ("ReceiveMessage", "QueueDoesNotExist", 400),
        ("DeleteMessageBatch", "AccessDeniedException", 403),
        ("ChangeMessageVisibilityBatch", "AccessDeniedException", 403),
    ],
)
def test_a_queue_that_is_refused_keeps_no_other_from_being_worked_on(
    sqs: PlayedSqs, monkeypatch: pytest.MonkeyPatch, operation: str, code: str, status: int
) -> None:
    monkeypatch.setattr(reconnecting, "RETRY_SECONDS", 0.01)
    sqs.refusals = {operation: (code, status)}

    def take(topic: str, _body: bytes, _origin: str, receipt: Settlement) -> None:
        if topic == "good" or operation != "ChangeMessageVisibilityBatch":  # that is for what is under way
            receipt.begin(0)

    account = SqsAccount("eu-west-1", sqs.url, "key", "secret", visibility_seconds=1)
    session = SqsSession(account, 4, take, lambda _: None)
    session.start(["good", "odd"])
    try:
        wait_until(lambda: "queue odd" in session.problem(), "the refusal is said")
        before = sqs.asked["DeleteMessageBatch good"]
        wait_until(lambda: sqs.asked["DeleteMessageBatch good"] > before + 10, "the other queue goes on")
        assert "queue odd" in session.problem(), "it is still said"
    finally:
        session.end()
