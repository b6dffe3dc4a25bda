"""Waiting for a state that another process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

FoundT = TypeVar("FoundT")


class Wait:
    """Asks a check until it holds or the time is over.

    A check that raises does not hold yet: a server that does not listen, an answer without the row that will come.
    An AssertionError is a test's own finding and a NameError its mistake: they end the wait at once.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._end = time.monotonic() + timeout_seconds
        self._error: Exception | None = None

    def holds(self, check: Callable[[], object]) -> bool:
        """Whether the check holds now."""
        return bool(self.ask(check))

    def ask(self, check: Callable[[], FoundT]) -> FoundT | None:
        """What the check finds now; None where it raised."""
        try:
            found = check()
        except (AssertionError, NameError):
            raise
        except Exception as error:  # noqa: BLE001 - it is the cause of the wait's own error if it stays
            self._error = error
            return None
        self._error = None
        return found

    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._end

    @property
    def error(self) -> Exception | None:
        """What the check raised when it was last asked."""
        return self._error


def wait_until(
    check: Callable[[], FoundT | None], what: str = "what surely comes", timeout_seconds: float = 120
) -> FoundT:
    """Wait until the check holds, and return what it found.

    The limit only ends a test that has failed, and then says `what` did not come.
    """
    wait = Wait(timeout_seconds)
    while not (found := wait.ask(check)):
        if wait.is_over():
            raise AssertionError(f"not within {timeout_seconds:.0f} s: {what}") from wait.error
        time.sleep(0.02)
    return found
