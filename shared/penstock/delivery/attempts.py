"""Events that wait for another attempt: which function, which object, when, and why the last one failed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from penstock.delivery.deliverer import DeliveryOutcome, Message, Verdict


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """One event that is tried again. `at` is the time of the next attempt, in seconds since the epoch.

    `attempt` is the number of the attempt that comes next; `attempts` is how many there are, 0 for no end.
    """

    function: str
    object: str
    attempt: int
    attempts: int
    at: float
    reason: str

    def text(self, now: float) -> str:
        """In words.

        >>> NextAttempt("shout", "upload/a.txt", 3, 10, 120.0, "answered 500").text(100.0)
        'retrying, attempt 3 of 10, next in 20 s'
        """
        many = f" of {self.attempts}" if self.attempts else ""
        return f"retrying, attempt {self.attempt}{many}, next in {max(0.0, self.at - now):.0f} s"


def key_of(message: Message[object]) -> str:
    """The key of a message as text; that of the local stack's messages is `bucket/key`."""
    return message.key if isinstance(message.key, str) else message.key.decode(errors="replace")


class Attempts:
    """What waits now, told by the delivery through `observe` and `waits`; for any thread.

    `attempts` is how many there are for each event. `named` gives the object that a message is about.
    """

    def __init__(
        self, attempts: int, wall: Callable[[], float] = time.time, *, named: Callable[[Message[object]], str] = key_of
    ) -> None:
        self._attempts = attempts
        self._named = named
        self._wall = wall
        self._waiting: dict[tuple[str, object], NextAttempt] = {}
        self._listeners: list[Callable[[NextAttempt], None]] = []
        self._lock = threading.Lock()

    def listen(self, listener: Callable[[NextAttempt], None]) -> None:
        """Call `listener` whenever an event begins to wait, on the thread of the delivery: it must be quick."""
        with self._lock:
            self._listeners.append(listener)

    def observe(self, message: Message[object], verdict: Verdict, _seconds: float) -> None:
        """One attempt has ended; one that is final waits no more."""
        if verdict.outcome is not DeliveryOutcome.RETRY:
            with self._lock:
                self._waiting.pop((message.target, message.receipt), None)

    def waits(self, message: Message[object], verdict: Verdict, tries: int, seconds: float) -> None:
        """After `tries` attempts the next one comes in `seconds`."""
        named, at = self._named(message), self._wall() + seconds
        waiting = NextAttempt(message.target, named, tries + 1, self._attempts, at, verdict.reason)
        with self._lock:
            self._waiting[message.target, message.receipt] = waiting
            listeners = list(self._listeners)
        for listener in listeners:
            listener(waiting)

    def keep(self, functions: set[str]) -> None:
        """Forget what waited for other functions."""
        with self._lock:
            self._waiting = {key: each for key, each in self._waiting.items() if each.function in functions}

    def waiting(self) -> list[NextAttempt]:
        """All of them, the next attempt first."""
        with self._lock:
            return sorted(self._waiting.values(), key=lambda each: each.at)
