"""A dead letter as people look at it, whatever keeps it, and the store in an inbox file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from penstock.delivery.inbox import DeadLetter, Inbox


@dataclass(frozen=True, slots=True)
class Letter:
    """`time` is when it died, in seconds since the epoch; `data` is the start of the last answer."""

    id: str
    time: float
    target: str
    code: int
    reason: str
    origin: str
    headers: Mapping[str, str]
    value: bytes
    data: bytes


class Letters(Protocol):
    """Where dead letters are kept. Methods raise `TemporaryError` when the place does not answer."""

    def read(self) -> Iterator[Letter]:
        """Every dead letter, oldest first."""

    def replay(self, letters: Sequence[Letter]) -> int:
        """Have letters delivered again, each to the target that refused it; says how many."""

    def drop(self, letters: Sequence[Letter]) -> int:
        """Be done with letters; says how many."""


class InboxLetters:
    """The dead letters of the bridge, of the MQTT connector and of the local stack."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def read(self) -> Iterator[Letter]:
        after = 0
        while page := self._inbox.dead_letters(after=after, limit=500):
            yield from map(_letter, page)
            after = page[-1].id

    def replay(self, letters: Sequence[Letter]) -> int:
        return self._inbox.replay([int(letter.id) for letter in letters])

    def drop(self, letters: Sequence[Letter]) -> int:
        return self._inbox.drop([int(letter.id) for letter in letters])


def _letter(found: DeadLetter) -> Letter:
    message = found.message
    return Letter(
        str(found.id),
        found.died,
        message.target,
        found.code,
        found.reason,
        message.origin,
        message.headers,
        message.value,
        found.data,
    )
