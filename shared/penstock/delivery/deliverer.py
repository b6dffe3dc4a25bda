"""The delivery core: retries, order within a key, bounded work. No I/O, no threads, no clock of its own.

A transport carries one message and reports one `TargetAnswer`; `verdict.judge` says what it means; the core retries
with exponential back-off and full jitter, honours Retry-After, and gives up when the attempts are used up.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from penstock.delivery.verdict import DeliveryOutcome, TargetAnswer, Verdict, judge
from penstock.errors import ConfigError, PermanentError
from penstock.settings.connector_table import (
    ATTEMPTS,
    BATCH,
    CONCURRENCY,
    MAX_IN_FLIGHT,
    MAX_WAIT_SECONDS,
    MIN_WAIT_SECONDS,
    TIMEOUT_SECONDS,
)

if TYPE_CHECKING:
    ReceiptT = TypeVar("ReceiptT", covariant=True, default=None)
    HeldT = TypeVar("HeldT", default=None)
else:  # Python 3.11 has no defaults for type variables; type checkers do
    ReceiptT = TypeVar("ReceiptT", covariant=True)
    HeldT = TypeVar("HeldT")

__all__ = [
    "Deliverer",
    "DeliveryOutcome",
    "Message",
    "Policy",
    "TargetAnswer",
    "Timer",
    "TimerHandle",
    "Transport",
    "Verdict",
]


@dataclass(frozen=True, slots=True)
class Message(Generic[ReceiptT]):
    """One thing to deliver.

    Messages with the same `key` are delivered in order. `value` is the request body, `headers` become
    request headers. `origin` says where it came from, for people: `upload/0@42` is topic, partition and
    offset. `target` names the `HttpTarget` it goes to.

    `receipt` is what the part that hands the message over needs to finish it: a row number of the inbox, a record of
    Kafka, a message of MQTT. It comes back with the verdict and goes nowhere else. A message that is not handed over
    yet has none, and is a `Message[None]`.
    """

    key: bytes | str
    value: bytes
    headers: Mapping[str, str]
    origin: str
    target: str = ""
    receipt: ReceiptT = field(default=None, compare=False, repr=False)  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard to try, and how much at once.

    The n-th wait is drawn from 0 to `min_wait_seconds * 2 ** (n - 1)`, at most `max_wait_seconds`; a
    Retry-After is waited for in full up to `max_wait_seconds`. `attempts` counts the first one; 0 never
    gives up. `concurrency` bounds requests under way, `max_in_flight` bounds messages accepted and not
    finished, those that wait for a retry or for their key's turn included. `batch` is how many of MinIO's
    notifications may share one request.
    """

    attempts: int = ATTEMPTS.default
    min_wait_seconds: float = MIN_WAIT_SECONDS.default
    max_wait_seconds: float = MAX_WAIT_SECONDS.default
    timeout_seconds: float = TIMEOUT_SECONDS.default
    concurrency: int = CONCURRENCY.default
    max_in_flight: int = MAX_IN_FLIGHT.default
    batch: int = BATCH.default

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

    def send(self, message: Message[object], done: Callable[[TargetAnswer], None]) -> None:
        """Start sending; `done` is called once, later, never from inside `send`. Times out by itself.

        Raises `PermanentError` for a message that cannot be put into a request.
        """


class TimerHandle(Protocol):
    def cancel(self) -> None: ...


class Timer(Protocol):
    """The two methods of an asyncio event loop that the core uses; tests pass a clock they move by hand."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> TimerHandle: ...


class _Delivery(Generic[HeldT]):
    """One message on its way."""

    __slots__ = ("message", "retry", "started", "tries")

    def __init__(self, message: Message[HeldT]) -> None:
        self.message = message
        self.tries = 0
        self.started = 0.0
        self.retry: TimerHandle | None = None


class Deliverer(Generic[HeldT]):
    """Delivers messages to one target: concurrently across keys, one at a time within a key.

    Not thread-safe: every method and callback runs where `timer` runs its callbacks. `finished(message,
    verdict)` is called once per message, with `delivered` or `dead`; `observe(message, verdict, seconds)`
    once per attempt. `waits(message, verdict, tries, seconds)` is called when a message waits for its next attempt:
    `tries` were made, and the next comes after `seconds`.
    """

    def __init__(
        self,
        transport: Transport,
        policy: Policy,
        finished: Callable[[Message[HeldT], Verdict], None],
        *,
        timer: Timer,
        observe: Callable[[Message[object], Verdict, float], None] | None = None,
        waits: Callable[[Message[HeldT], Verdict, int, float], None] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._policy = policy
        self._finished = finished
        self._timer = timer
        self._observe = observe
        self._waits = waits
        self._uniform = uniform
        self._wall = wall
        self._lanes: dict[
            bytes | str, deque[_Delivery[HeldT]]
        ] = {}  # a key is here while one of its messages is not finished
        self._ready: deque[_Delivery[HeldT]] = deque()
        self._retrying: set[_Delivery[HeldT]] = set()
        self._active: set[_Delivery[HeldT]] = set()
        self._closing: Callable[[], None] | None = None
        self.held = 0

    @property
    def room(self) -> int:
        """How many more messages fit under `max_in_flight`."""
        return 0 if self._closing else max(0, self._policy.max_in_flight - self.held)

    def sending(self, matching: Callable[[Message[HeldT]], bool]) -> int:
        """How many matching messages are being sent right now."""
        return sum(1 for delivery in self._active if matching(delivery.message))

    def submit(self, message: Message[HeldT]) -> None:
        """Take a message on. The caller looks at `room` first; a closing deliverer leaves it undelivered."""
        if self._closing:
            return
        self.held += 1
        delivery = _Delivery(message)
        lane = self._lanes.get(message.key)
        if lane is not None:
            lane.append(delivery)
            return
        self._lanes[message.key] = deque()
        self._ready.append(delivery)
        self._advance()

    def withdraw(self, unwanted: Callable[[Message[HeldT]], bool]) -> int:
        """Forget matching messages that are not being sent right now, and say how many; none is reported."""
        before = self.held
        for delivery in [delivery for delivery in self._retrying if unwanted(delivery.message)]:
            if delivery.retry is not None:
                delivery.retry.cancel()
            self._retrying.discard(delivery)
            self._leave(delivery)
        dropped = [delivery for delivery in self._ready if unwanted(delivery.message)]
        self._ready = deque(delivery for delivery in self._ready if not unwanted(delivery.message))
        for key, lane in list(self._lanes.items()):
            kept = deque(delivery for delivery in lane if not unwanted(delivery.message))
            self.held -= len(lane) - len(kept)
            self._lanes[key] = kept
        for delivery in dropped:
            self._leave(delivery)
        self._advance()
        return before - self.held

    def close(self, idle: Callable[[], None]) -> None:
        """Finish the requests under way, forget the rest without a report, then call `idle`."""
        self._closing = idle
        self.withdraw(lambda _: True)
        if not self._active:
            idle()

    def _advance(self) -> None:
        while self._ready and len(self._active) < self._policy.concurrency:
            delivery = self._ready.popleft()
            delivery.tries += 1
            delivery.started = self._timer.time()
            self._active.add(delivery)
            try:
                self._transport.send(delivery.message, partial(self._answered, delivery))
            except PermanentError as exc:
                # Later, as any answer comes: many messages of one key that cannot be sent must not become a recursion.
                self._timer.call_later(0, partial(self._answered, delivery, TargetAnswer(exc.status, error=str(exc))))

    def _answered(self, delivery: _Delivery[HeldT], answer: TargetAnswer) -> None:
        self._active.discard(delivery)
        verdict = self._limit_attempts(delivery, judge(answer, self._wall()))
        if self._observe is not None:
            self._observe(delivery.message, verdict, self._timer.time() - delivery.started)
        if verdict.outcome is not DeliveryOutcome.RETRY:
            self._leave(delivery)
            self._finished(delivery.message, verdict)
        elif self._closing:
            self._leave(delivery)
        else:
            self._retrying.add(delivery)
            seconds = self._wait_seconds(delivery, verdict)
            delivery.retry = self._timer.call_later(seconds, partial(self._again, delivery))
            if self._waits is not None:
                self._waits(delivery.message, verdict, delivery.tries, seconds)
        self._advance()
        if self._closing and not self._active:
            self._closing()

    def _limit_attempts(self, delivery: _Delivery[HeldT], verdict: Verdict) -> Verdict:
        """Turn a retry into a dead letter when the attempts are used up."""
        if (
            verdict.outcome is DeliveryOutcome.RETRY
            and self._policy.attempts
            and delivery.tries >= self._policy.attempts
        ):
            return Verdict(
                DeliveryOutcome.DEAD,
                verdict.code,
                f"{verdict.reason}, given up after {delivery.tries} attempts",
                verdict.data,
            )
        return verdict

    def _wait_seconds(self, delivery: _Delivery[HeldT], verdict: Verdict) -> float:
        policy = self._policy
        # 2 ** 30 is past any sensible max_wait and keeps the float finite when attempts are unlimited.
        ceiling = min(policy.max_wait_seconds, policy.min_wait_seconds * 2.0 ** min(delivery.tries - 1, 30))
        wait = self._uniform(0.0, ceiling)
        if verdict.after is None:
            return wait
        return min(policy.max_wait_seconds, verdict.after) + self._uniform(0.0, policy.min_wait_seconds)

    def _again(self, delivery: _Delivery[HeldT]) -> None:
        self._retrying.discard(delivery)
        self._ready.append(delivery)
        self._advance()

    def _leave(self, delivery: _Delivery[HeldT]) -> None:
        """The message is finished or forgotten: the next one of its key may go."""
        self.held -= 1
        lane = self._lanes[delivery.message.key]
        if lane:
            self._ready.append(lane.popleft())
        else:
            del self._lanes[delivery.message.key]
