"""The delivery core: retries, order within a key, bounded work. No I/O, no threads, no clock of its own.

A transport carries one message and reports one `Answer`; `verdict.judge` says what it means; the core retries
with exponential back-off and full jitter, honours Retry-After, and gives up when the attempts are used up.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from penstock.delivery.verdict import Answer, Outcome, Verdict, judge
from penstock.errors import ConfigError, PermanentError

__all__ = ["Answer", "Deliverer", "Handle", "Message", "Outcome", "Policy", "Timer", "Transport", "Verdict"]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to deliver.

    Messages with the same `key` are delivered in order. `value` is the request body, `headers` become
    request headers. `origin` says where it came from, for people: `upload/0@42` is topic, partition and
    offset. `target` names the `Target` it goes to. `receipt` is the sender's own note on the message, such as
    a row number: it comes back with the verdict and goes nowhere else.
    """

    key: bytes | str
    value: bytes
    headers: Mapping[str, str]
    origin: str
    target: str = ""
    receipt: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard to try, and how much at once.

    The n-th wait is drawn from 0 to `min_wait_seconds * 2 ** (n - 1)`, at most `max_wait_seconds`; a
    Retry-After is waited for in full up to `max_wait_seconds`. `attempts` counts the first one; 0 never
    gives up. `concurrency` bounds requests under way, `max_in_flight` bounds messages accepted and not
    finished, those that wait for a retry or for their key's turn included. `batch` is how many of MinIO's
    notifications may share one request.
    """

    attempts: int = 10
    min_wait_seconds: float = 0.5
    max_wait_seconds: float = 60.0
    timeout_seconds: float = 60.0
    concurrency: int = 32
    max_in_flight: int = 1000
    batch: int = 1

    def __post_init__(self) -> None:
        problems = [
            f"{name}={value}: expected at least {least}"
            for name, value, least in (
                ("attempts", self.attempts, 0),
                ("min_wait_seconds", self.min_wait_seconds, 0),
                ("max_wait_seconds", self.max_wait_seconds, self.min_wait_seconds),
                ("timeout_seconds", self.timeout_seconds, 0.001),
                ("concurrency", self.concurrency, 1),
                ("max_in_flight", self.max_in_flight, 1),
                ("batch", self.batch, 1),
            )
            if value < least
        ]
        if problems:
            raise ConfigError(*problems)


class Transport(Protocol):
    """Carries a message to its target once."""

    def send(self, message: Message, done: Callable[[Answer], None]) -> None:
        """Start sending; `done` is called once, later, never from inside `send`. Times out by itself.

        Raises `PermanentError` for a message that cannot be put into a request.
        """


class Handle(Protocol):
    def cancel(self) -> None: ...


class Timer(Protocol):
    """The two methods of an asyncio event loop that the core uses; tests pass a clock they move by hand."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Handle: ...


class _Job:
    """One message on its way."""

    __slots__ = ("message", "retry", "started", "tries")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.tries = 0
        self.started = 0.0
        self.retry: Handle | None = None


class Deliverer:
    """Delivers messages to one target: concurrently across keys, one at a time within a key.

    Not thread-safe: every method and callback runs where `timer` runs its callbacks. `finished(message,
    verdict)` is called once per message, with `delivered` or `dead`; `observe(message, verdict, seconds)`
    once per attempt.
    """

    def __init__(
        self,
        transport: Transport,
        policy: Policy,
        finished: Callable[[Message, Verdict], None],
        *,
        timer: Timer,
        observe: Callable[[Message, Verdict, float], None] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._policy = policy
        self._finished = finished
        self._timer = timer
        self._observe = observe
        self._uniform = uniform
        self._wall = wall
        self._lanes: dict[bytes | str, deque[_Job]] = {}  # a key is here while one of its messages is not finished
        self._ready: deque[_Job] = deque()
        self._retrying: set[_Job] = set()
        self._active: set[_Job] = set()
        self._closing: Callable[[], None] | None = None
        self.held = 0

    @property
    def room(self) -> int:
        """How many more messages fit under `max_in_flight`."""
        return 0 if self._closing else max(0, self._policy.max_in_flight - self.held)

    def sending(self, matching: Callable[[Message], bool]) -> int:
        """How many matching messages are being sent right now."""
        return sum(1 for job in self._active if matching(job.message))

    def submit(self, message: Message) -> None:
        """Take a message on. The caller looks at `room` first; a closing deliverer leaves it undelivered."""
        if self._closing:
            return
        self.held += 1
        job = _Job(message)
        lane = self._lanes.get(message.key)
        if lane is not None:
            lane.append(job)
            return
        self._lanes[message.key] = deque()
        self._ready.append(job)
        self._advance()

    def withdraw(self, unwanted: Callable[[Message], bool]) -> int:
        """Forget matching messages that are not being sent right now, and say how many; none is reported."""
        before = self.held
        for job in [job for job in self._retrying if unwanted(job.message)]:
            if job.retry is not None:
                job.retry.cancel()
            self._retrying.discard(job)
            self._leave(job)
        dropped = [job for job in self._ready if unwanted(job.message)]
        self._ready = deque(job for job in self._ready if not unwanted(job.message))
        for key, lane in list(self._lanes.items()):
            kept = deque(job for job in lane if not unwanted(job.message))
            self.held -= len(lane) - len(kept)
            self._lanes[key] = kept
        for job in dropped:
            self._leave(job)
        self._advance()
        return before - self.held

    def close(self, idle: Callable[[], None]) -> None:
        """Finish the requests under way, forget the rest unreported, then call `idle`."""
        self._closing = idle
        self.withdraw(lambda _: True)
        if not self._active:
            idle()

    def _advance(self) -> None:
        while self._ready and len(self._active) < self._policy.concurrency:
            job = self._ready.popleft()
            job.tries += 1
            job.started = self._timer.time()
            self._active.add(job)
            try:
                self._transport.send(job.message, partial(self._answered, job))
            except PermanentError as exc:
                # Later, like any answer: a lane full of unsendable messages must not become recursion.
                self._timer.call_later(0, partial(self._answered, job, Answer(exc.status, error=str(exc))))

    def _answered(self, job: _Job, answer: Answer) -> None:
        self._active.discard(job)
        verdict = self._settle(job, judge(answer, self._wall()))
        if self._observe is not None:
            self._observe(job.message, verdict, self._timer.time() - job.started)
        if verdict.outcome is not Outcome.RETRY:
            self._leave(job)
            self._finished(job.message, verdict)
        elif self._closing:
            self._leave(job)
        else:
            self._retrying.add(job)
            job.retry = self._timer.call_later(self._wait_seconds(job, verdict), partial(self._again, job))
        self._advance()
        if self._closing and not self._active:
            self._closing()

    def _settle(self, job: _Job, verdict: Verdict) -> Verdict:
        """Turn a retry into a dead letter when the attempts are used up."""
        if verdict.outcome is Outcome.RETRY and self._policy.attempts and job.tries >= self._policy.attempts:
            return Verdict(
                Outcome.DEAD, verdict.code, f"{verdict.reason}, given up after {job.tries} attempts", verdict.data
            )
        return verdict

    def _wait_seconds(self, job: _Job, verdict: Verdict) -> float:
        policy = self._policy
        # 2 ** 30 is past any sensible max_wait and keeps the float finite when attempts are unlimited.
        ceiling = min(policy.max_wait_seconds, policy.min_wait_seconds * 2.0 ** min(job.tries - 1, 30))
        wait = self._uniform(0.0, ceiling)
        if verdict.after is None:
            return wait
        return min(policy.max_wait_seconds, verdict.after) + self._uniform(0.0, policy.min_wait_seconds)

    def _again(self, job: _Job) -> None:
        self._retrying.discard(job)
        self._ready.append(job)
        self._advance()

    def _leave(self, job: _Job) -> None:
        """The message is finished or forgotten: the next one of its key may go."""
        self.held -= 1
        lane = self._lanes[job.message.key]
        if lane:
            self._ready.append(lane.popleft())
        else:
            del self._lanes[job.message.key]
