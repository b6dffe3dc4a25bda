"""Dead letters that a page dropped, kept for a while so that a wrong click can be taken back."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection
from itertools import chain
from typing import Final

from penstock.delivery.dead_letters import DeadLetter
from penstock.delivery.inbox import Inbox
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import EventError

_KEPT: Final = 20
MOST_BYTES: Final = 32 * 1024 * 1024
_OVERHEAD_BYTES: Final = 1000  # of one dead letter's objects in memory


class Dropped:
    """The last drops, in memory: a restart forgets them, as if they were dropped for good.

    All of them together have at most `most_bytes` bytes. A drop that is larger cannot be taken back.
    """

    def __init__(self, inbox: Inbox, *, most_bytes: int = MOST_BYTES) -> None:
        self._inbox = inbox
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, list[DeadLetter]] = OrderedDict()

    def drop(self, ids: Collection[str]) -> tuple[int, str]:
        """Drop dead letters; returns how many there were, and a name with which `restore` brings them back.

        The name is "" when they are too large to be kept.
        """
        wanted, found, letters, size = set(ids), list[str](), list[DeadLetter](), 0
        for letter in self._inbox.read():
            if letter.id in wanted:
                found.append(letter.id)
                size += _size(letter)
                if size <= self._most_bytes:
                    letters.append(letter)
                else:
                    letters.clear()
        count = self._inbox.drop(found)
        if size > self._most_bytes:
            return count, ""
        name = secrets.token_hex(8)
        with self._lock:
            self._keep(name, letters)
        return count, name

    def _keep(self, name: str, letters: list[DeadLetter]) -> None:
        self._kept[name] = letters
        while len(self._kept) > _KEPT or sum(map(_size, chain(*self._kept.values()))) > self._most_bytes:
            self._kept.popitem(last=False)

    def restore(self, name: str) -> int:
        """Store the letters of one drop again, under new numbers; returns how many. Raises `EventError`."""
        with self._lock:
            letters = self._kept.pop(name, None)
        if letters is None:
            raise EventError(
                "this drop cannot be taken back any more: only the last 20 of this run can, while they are small"
            )
        try:
            self._inbox.store_dead_letters(
                [(each.message, Verdict(DeliveryOutcome.DEAD, each.code, each.reason, each.data)) for each in letters]
            )
        except BaseException:
            with self._lock:
                self._keep(name, letters)
            raise
        return len(letters)


def _size(letter: DeadLetter) -> int:
    message = letter.message
    texts = [message.key, message.value, message.origin, message.target, letter.reason, letter.data]
    texts += [text for header in message.headers.items() for text in header]
    return _OVERHEAD_BYTES + sum(map(len, texts))
