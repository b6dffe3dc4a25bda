"""The last attempts to deliver, kept in memory for the console: what was sent, and what came back."""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from penstock.delivery.deliverer import Message
from penstock.delivery.verdict import Verdict

KEPT: Final = 1000
# An answer about one object is far below this; a longer one is kept without its end.
ANSWER_BYTES: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class RecentAttempt:
    """One attempt. `answer` is the beginning of the target's answer; `at` the time of its end, in epoch seconds."""

    number: int
    message: Message[object]
    code: int
    outcome: str
    reason: str
    answer: str
    seconds: float
    at: float


class RecentAttempts:
    """The last attempts under rising numbers. `observe` is for a `Sender`; methods may be called from any thread.

    `run` names this process: numbers of another run begin anew.
    """

    def __init__(self, kept: int = KEPT, clock: Callable[[], float] = time.time) -> None:
        self.run = secrets.token_hex(4)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: deque[RecentAttempt] = deque(maxlen=kept)
        self._number = 0

    def observe(self, message: Message[object], verdict: Verdict, seconds: float) -> None:
        """Keep one attempt that has ended."""
        answer, reason = verdict.data[:ANSWER_BYTES].decode(errors="replace"), verdict.reason
        with self._lock:
            self._number += 1
            ended = (verdict.code, verdict.outcome.value, reason, answer, seconds, self._clock())
            self._kept.append(RecentAttempt(self._number, message, *ended))

    def after(self, number: int, limit: int) -> list[RecentAttempt]:
        """Those with a number above `number`, oldest first; the last `limit` of them."""
        with self._lock:
            return [each for each in self._kept if each.number > number][-limit:]
