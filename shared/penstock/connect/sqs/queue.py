"""One queue of SQS: its messages are received, held, given back and deleted, ten to a request.

The requests are those of https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from penstock.connect.reconnecting import TopicRefused
from penstock.connect.sqs.account import DENIED, POLL_SECONDS, code_of, is_of_queue

BATCH = 10
"""The most messages that one request may name."""
_FEW_RECEPTIONS = 100
_NO_NAME = frozenset({"InvalidParameterValue", "InvalidAddress", "ValidationError"})

_log = logging.getLogger("penstock.connect")


class SqsMessage(NamedTuple):
    """A message that was received. `handle` is of this reception."""

    id: str
    handle: str
    body: bytes


class SqsApi(Protocol):
    """What is asked of a client: the operations of SQS, each a method with the names of the API."""

    def __getattr__(self, name: str) -> Any: ...


class SqsQueue:
    """A queue that is there. Its methods may be called by several threads.

    They raise `TopicRefused` for what is refused of this queue, and botocore's other errors.
    """

    def __init__(self, client: SqsApi, name: str, visibility_seconds: int) -> None:
        """Find the queue; no other client gets what was received, for `visibility_seconds`.

        Raises `TopicRefused` when no queue has this name.
        """
        self.name = name
        self._client = client
        self._seconds = visibility_seconds
        with self._refusals():
            self._url = client.get_queue_url(QueueName=name)["QueueUrl"]

    def warn_of_redrive(self) -> None:
        """Warn when the queue itself moves messages away that were received only a few times."""
        from botocore.exceptions import ClientError

        asked = ["RedrivePolicy"]
        try:
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=asked)
        except ClientError:  # a right that only this look needs
            return
        try:
            policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
            receptions = int(policy.get("maxReceiveCount", _FEW_RECEPTIONS))
        except (ValueError, TypeError, AttributeError):
            return
        if receptions < _FEW_RECEPTIONS:
            _log.warning(
                "sqs: queue %s: SQS moves a message to %s when it came %d times, which restarts of a connector and of "
                "functions can reach; Penstock keeps dead letters itself: set maxReceiveCount to 1000",
                self.name, policy.get("deadLetterTargetArn", "another queue"), receptions,
            )  # fmt: skip

    def receive(self, limit: int) -> list[SqsMessage]:
        """At most `limit` messages, up to ten; waits some seconds for the first."""
        with self._refusals():
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, BATCH),
                WaitTimeSeconds=POLL_SECONDS,
                VisibilityTimeout=self._seconds,
            )
        return [
            SqsMessage(each["MessageId"], each["ReceiptHandle"], each.get("Body", "").encode("utf-8", "replace"))
            for each in answer.get("Messages", ())
        ]

    def hold(self, handles: Sequence[str]) -> None:
        """Extend the visibility timeout of these; a message whose timeout is over already comes a second time."""
        self._change(handles, self._seconds)

    def give_back(self, handles: Sequence[str]) -> None:
        """End the visibility timeout of these, so that any client gets them at once."""
        self._change(handles, 0)

    def delete(self, handles: Sequence[str]) -> list[str]:
        """Delete these; the handles for which the service failed, and must be asked again."""
        left: list[str] = []
        for batch, entries in _batches(handles):
            with self._refusals():
                answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
            for failed in answer.get("Failed", ()):
                # A fault of the sender: the handle is too old, and the message has come again, or will.
                if not failed.get("SenderFault"):
                    left.append(batch[int(failed["Id"])])
        return left

    def _change(self, handles: Sequence[str], seconds: int) -> None:
        for _, entries in _batches(handles, VisibilityTimeout=seconds):
            with self._refusals():
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Raise `TopicRefused` for what the service refuses of this queue alone."""
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError as exc:
            if not is_of_queue(exc):
                raise
            code = code_of(exc)
            if code in ("QueueDoesNotExist", "NonExistentQueue"):
                problem = f"there is no queue {self.name}; make it, for example: aws sqs create-queue"
            elif code in _NO_NAME:
                problem = f"queue {self.name}: the service takes no such name ({code}); give the name of a queue"
            elif code in DENIED or code.lower().startswith("kms"):
                rights = "sqs:GetQueueUrl and the other rights for this queue, and the use of its key"
                problem = f"queue {self.name}: refused ({code}); allow {rights}"
            else:
                problem = f"queue {self.name}: refused ({code}: {str(exc)[:200]})"
            raise TopicRefused(self.name, problem) from None


def _batches(handles: Sequence[str], **more: int) -> Iterator[tuple[Sequence[str], list[Mapping[str, Any]]]]:
    for start in range(0, len(handles), BATCH):
        batch = handles[start : start + BATCH]
        yield batch, [{"Id": str(at), "ReceiptHandle": handle, **more} for at, handle in enumerate(batch)]
