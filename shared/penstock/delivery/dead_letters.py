"""A dead letter: a message that was given up, and the places that keep such messages.

`Inbox` keeps those of the bridge, of the local stack and of each connector but Kafka's. A Kafka topic keeps those of
the Kafka connector: `connect/kafka/dead_letter_topic.py` writes them, `dead_letter_log.py` reads them. `penstock dlq`
works on both through `DeadLetterStore`.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from penstock.delivery.attempts import key_of
from penstock.delivery.deliverer import Message


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up, and why.

    `id` names it in its place, as `penstock dlq list` shows it. `died` is in seconds since the epoch. `code` is the
    last status, `reason` what it means, `data` the start of the last answer.
    """

    id: str
    message: Message
    died: float
    code: int
    reason: str
    data: bytes


class DeadLetterStore(Protocol):
    """A place that keeps dead letters. Methods raise `TemporaryError` when the place does not answer."""

    def read(self) -> Iterator[DeadLetter]:
        """Every dead letter, oldest first."""

    def replay(self, ids: Collection[str]) -> int:
        """Have dead letters delivered again, each to the target that refused it; returns how many there were."""

    def drop(self, ids: Collection[str]) -> int:
        """Delete dead letters without delivering them; returns how many there were."""


def letter_document(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter without its body, ready for JSON. `object` is "" for one that is about no object."""
    key = key_of(letter.message)
    return {
        "id": int(letter.id),
        "function": letter.message.target,
        "origin": letter.message.origin,
        "object": key if "/" in key else "",
        "code": letter.code,
        "reason": letter.reason,
        "died": letter.died,
    }
