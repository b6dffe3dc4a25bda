"""Several MinIO notifications in one request, for functions whose work per event is small, such as `index`.

A function answers a request with several records by a result for each, in `results`, so that only what failed is
tried again. An answer without that, such as a refusal of the whole body, makes each go alone: one malformed
record must not fail the others. Off by default: a Knative broker takes no such requests.
"""

import json
from collections.abc import Callable
from typing import Any

from penstock import events
from penstock.delivery.deliverer import Message, Transport
from penstock.delivery.verdict import TargetAnswer
from penstock.errors import EventError

Done = Callable[[TargetAnswer], None]
_NOT_SHARED = ("x-kafka-", "content-length", "content-type")


class BatchTransport:
    """Gathers the notifications that are sent in one turn of the loop, at most `size`, into one request.

    Nothing waits for a fuller batch: `soon` calls back at the loop's next turn. Any other message goes alone.
    """

    def __init__(self, inner: Transport, size: int, soon: Callable[[Callable[[], None]], object]) -> None:
        self._inner = inner
        self._size = size
        self._soon = soon
        self._gathered: dict[str, list[tuple[Message[object], list[Any], Done]]] = {}

    def send(self, message: Message[object], done: Done) -> None:
        """Send a message with others, or alone."""
        records = _records(message)
        if records is None:
            self._inner.send(message, done)
            return
        # Only messages of one topic share a request: the header says which.
        topic = message.headers.get("X-Topic", "")
        group = self._gathered.setdefault(topic, [])
        group.append((message, records, done))
        if len(group) >= self._size:
            self._flush(topic)
        elif len(group) == 1:
            self._soon(lambda: self._flush(topic))

    def _flush(self, topic: str) -> None:
        group = self._gathered.pop(topic, [])
        if len(group) < 2:
            for message, _, done in group:
                self._alone(message, done)
            return
        first = group[0][0]
        headers = {name: text for name, text in first.headers.items() if not name.lower().startswith(_NOT_SHARED)}
        body = json.dumps({"Records": [record for _, records, _ in group for record in records]}, separators=(",", ":"))
        together = Message("", body.encode(), {**headers, "Content-Type": "application/json"}, first.origin)
        self._inner.send(together, lambda answer: self._share(group, answer))

    def _alone(self, message: Message[object], done: Done) -> None:
        try:
            self._inner.send(message, done)
        except EventError as exc:  # `send` has returned long ago, so it cannot be raised there
            done(TargetAnswer(exc.status, error=str(exc)))

    def _share(self, group: list[tuple[Message[object], list[Any], Done]], answer: TargetAnswer) -> None:
        """Answer each message of a group."""
        if answer.status < 300 or answer.error is not None:
            for _, _, done in group:
                done(answer)
            return
        results = _results(answer.body)
        answers = [] if results is None else [_own(message, results, answer) for message, _, _ in group]
        # A failure that none of these results explains is that of something else, such as a gateway.
        if all(each.status < 300 for each in answers):
            for message, _, done in group:
                self._alone(message, done)
            return
        for (_, _, done), own in zip(group, answers, strict=True):
            done(own)


def _records(message: Message[object]) -> list[Any] | None:
    """The records of a notification; None for anything else, CloudEvents included."""
    if "ce-specversion" in message.headers or not events.looks_like_notification(message.value[:65536]):
        return None
    try:
        found = json.loads(message.value)["Records"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _results(body: bytes) -> dict[tuple[str, str], dict[str, Any]] | None:
    """Results by bucket and key; None when the body does not name the records one by one."""
    try:
        document = json.loads(body)
        found = document.get("results", [document])
        if not all(isinstance(each.get("status", 200), int) for each in found):
            return None
        return {(each["source"]["bucket"], each["source"]["key"]): each for each in found}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _own(
    message: Message[object], results: dict[tuple[str, str], dict[str, Any]], answer: TargetAnswer
) -> TargetAnswer:
    """The answer that a message would have got alone: that of its worst record. One without a result was ignored."""
    try:
        refs = [ref for each in events.parse(message.value, {}) for ref in each.refs]
    except EventError as exc:
        return TargetAnswer(exc.status, error=str(exc))
    found = [results[ref.bucket, ref.key] for ref in refs if (ref.bucket, ref.key) in results]
    worst = max(found, key=lambda each: int(each.get("status", 200)), default={})
    return TargetAnswer(int(worst.get("status", 200)), answer.headers, json.dumps(worst).encode())
