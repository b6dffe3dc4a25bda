"""Fakes for the delivery core: a clock moved by hand and a transport whose answers the test gives."""

import heapq
import itertools
from collections.abc import Callable

import pytest
from penstock.delivery.deliverer import Deliverer, Message, Policy, TargetAnswer, Verdict


class FakeHandle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeTimer:
    """Time stands still until `advance`; callbacks run in order of their time."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, FakeHandle, Callable[[], object]]] = []

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> FakeHandle:
        handle = FakeHandle()
        heapq.heappush(self._due, (self._now + delay, next(self._order), handle, callback))
        return handle

    def advance(self, seconds: float) -> None:
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            self._now, _, handle, callback = heapq.heappop(self._due)
            if not handle.cancelled:
                callback()
        self._now = end


class FakeTransport:
    """Keeps what was sent until the test answers it."""

    def __init__(self) -> None:
        self.sent: list[Message[object]] = []
        self.open: list[tuple[Message[object], Callable[[TargetAnswer], None]]] = []

    def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
        self.sent.append(message)
        self.open.append((message, done))

    def answer(self, status: int = 200, position: int = 0, **parts: object) -> Message[object]:
        message, done = self.open.pop(position)
        done(TargetAnswer(status, **parts))  # type: ignore[arg-type]
        return message

    @property
    def values(self) -> list[bytes]:
        return [message.value for message in self.sent]


class Bench:
    """A deliverer with everything around it under control; waits take the longest the jitter allows."""

    def __init__(self, policy: Policy | None = None, *, wall: float = 0.0) -> None:
        self.timer = FakeTimer()
        self.transport = FakeTransport()
        self.finished: list[tuple[bytes, Verdict]] = []
        self.waits: list[tuple[float, float]] = []
        self.deliverer = Deliverer(
            self.transport,
            policy or Policy(),
            lambda message, verdict: self.finished.append((message.value, verdict)),
            timer=self.timer,
            uniform=self._longest,
            wall=lambda: wall,
        )

    def _longest(self, low: float, high: float) -> float:
        self.waits.append((low, high))
        return high

    def submit(self, *pairs: tuple[str, bytes]) -> None:
        for key, value in pairs:
            self.deliverer.submit(Message(key, value, {}, f"test@{value!r}"))

    @property
    def outcomes(self) -> list[tuple[bytes, str]]:
        return [(value, verdict.outcome.value) for value, verdict in self.finished]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def make_bench() -> type[Bench]:
    return Bench
