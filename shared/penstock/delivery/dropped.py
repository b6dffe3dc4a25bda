"""Dead letters that a page dropped, kept for a while so that a wrong click can be taken back."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from penstock.delivery.dead_letters import DeadLetter
from penstock.delivery.inbox import Inbox
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import EventError

_KEPT: Final = 20


class Dropped:
    """The last drops, in memory: a restart forgets them, as if they were dropped for good."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, list[DeadLetter]] = OrderedDict()

    def drop(self, ids: Collection[str]) -> tuple[int, str]:
        """Drop dead letters; returns how many there were, and a name with which `restore` brings them back."""
        wanted = set(ids)
        letters = [letter for letter in self._inbox.read() if letter.id in wanted]
        count = self._inbox.drop([letter.id for letter in letters])
        name = secrets.token_hex(8)
        with self._lock:
            self._kept[name] = letters
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return count, name

    def restore(self, name: str) -> int:
        """Store the letters of one drop again, under new numbers; returns how many. Raises `EventError`."""
        with self._lock:
            letters = self._kept.pop(name, None)
        if letters is None:
            raise EventError("this drop cannot be taken back any more: only the last 20 of this run can")
        try:
            self._inbox.store_dead_letters(
                [(each.message, Verdict(DeliveryOutcome.DEAD, each.code, each.reason, each.data)) for each in letters]
            )
        except BaseException:
            with self._lock:
                self._kept[name] = letters
            raise
        return len(letters)
