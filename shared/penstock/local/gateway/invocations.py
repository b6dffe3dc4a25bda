"""What the gateway sent to functions, and what came back."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Invocation:
    """One request to a function. Sizes in bytes, `seconds` to the end of the answer; `answer` is an event's JSON.

    `notes` are those of a direct call's answer: what the function assumed.
    `reason` says why the gateway had no answer: the function did not start, or broke off.
    """

    function: str
    method: str
    path: str
    status: int
    cold: bool
    seconds: float
    bytes_in: int
    bytes_out: int
    call_id: str
    answer: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()
    finished: float = field(default_factory=time.time)
    reason: str = ""

    @property
    def is_event(self) -> bool:
        """Whether it brought an event; else it brought an object's bytes, or asked for something."""
        return self.path.partition("?")[0] == "/event"

    @property
    def why(self) -> str:
        """Why it was refused or failed, the first reason of several objects; "" when all went well."""
        answer = self.answer or {}
        results = answer.get("results")
        each_of = results if isinstance(results, list) else [answer]
        said = [each.get("reason") for each in each_of if isinstance(each, dict)]
        return self.reason or next((str(reason) for reason in said if reason), "")


class InvocationLog:
    """The last invocations, and a call for everyone who wants to know at once."""

    def __init__(self) -> None:
        self._kept: deque[Invocation] = deque(maxlen=KEPT)
        self._listeners: list[Callable[[Invocation], None]] = []
        self._lock = threading.Lock()

    def add(self, invocation: Invocation) -> None:
        with self._lock:
            self._kept.append(invocation)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(invocation)

    def recent(self, count: int = KEPT) -> list[Invocation]:
        """The last `count`, newest first."""
        with self._lock:
            return list(self._kept)[: -count - 1 : -1]

    def listen(self, listener: Callable[[Invocation], None]) -> None:
        """Call `listener` for each invocation from now on, on the thread that served it: it must be quick."""
        with self._lock:
            self._listeners.append(listener)
