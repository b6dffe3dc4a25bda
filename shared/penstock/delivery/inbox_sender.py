"""Feeds the delivery core from the inbox, and records in the inbox how each message ended."""

import fcntl
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Generic

from penstock.delivery.deliverer import DeliveryOutcome, HeldT, Message, Policy, Verdict
from penstock.delivery.http import HttpTarget
from penstock.delivery.identity import body_without_identity
from penstock.delivery.inbox import Inbox
from penstock.delivery.sender import Observe, Sender, Waits
from penstock.errors import ConfigError, TemporaryError

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

_log = logging.getLogger("penstock.connect")

CLAIM_LIMIT = 500

EndedDelivery = tuple[Message[object], Verdict]
"""A message, and how its delivery ended."""


@dataclass(frozen=True, slots=True)
class _Submitted(Generic[HeldT]):
    """The receipt of a message that the caller of `submit` keeps; one that the inbox keeps has its row's number."""

    message: Message[HeldT]


class InboxSender(Generic[HeldT]):
    """Delivers what is in an inbox to HTTP targets, on two threads of its own.

    A message stays in the inbox until its target answered 2xx (then it goes) or it is given up (then it
    becomes a dead letter); a stop or a kill leaves it pending. `poll_seconds` is how soon messages that
    another process replays are noticed; messages that this process puts in are noticed at once. `error` says why
    the inbox cannot be read or written just now, and is None when it can.

    `submit` delivers messages that its caller keeps, such as a broker's that are not acknowledged yet.
    `finished(message)` is called on this sender's thread when one was delivered, or is stored in the inbox as a dead
    letter. That dead letter is without the uploader and the client's address, unless `keep_identity`.

    `ending` gets the messages of the inbox that have ended, before the inbox records their end. If the process is
    killed in between, it gets them once more. It must not raise. Where `given_up(message, verdict)` is set,
    it is called in place of keeping a dead letter.

    Raises `ConfigError` from `start` when another process delivers from the same inbox.
    """

    def __init__(
        self,
        inbox: Inbox,
        targets: Iterable[HttpTarget],
        policy: Policy | None = None,
        *,
        observe: Observe | None = None,
        waits: Waits | None = None,
        finished: Callable[[Message[HeldT]], None] | None = None,
        ending: Callable[[Sequence[EndedDelivery]], None] | None = None,
        given_up: Callable[[Message[object], Verdict], None] | None = None,
        poll_seconds: float = 1.0,
        keep_identity: bool = False,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._inbox = inbox
        self._keep_identity = keep_identity
        self._finished = finished
        self._ending = ending
        self._given_up = given_up
        self._targets = {target.name: target for target in targets}
        self._sender: Sender[int | _Submitted[HeldT]] = Sender(
            policy or Policy(), self._ended, observe=observe, waits=waits, tracer=tracer
        )
        self._poll_seconds = poll_seconds
        # How messages ended, in order, on their way from the sender's thread to this one's.
        self._stored: deque[tuple[int, Message[object], Verdict]] = deque()
        self._told: deque[tuple[int, Message[object], Verdict]] = deque()  # `ending` has them, the inbox does not yet
        self._submitted: deque[tuple[Message[HeldT], Verdict]] = deque()
        self._stopping = threading.Event()
        self._feeding = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="inbox sender", daemon=True)
        self._lock: IO[str] | None = None
        self.error: str | None = None

    def start(self) -> None:
        path = self._inbox.path.with_name(self._inbox.path.name + ".lock")
        lock = path.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise ConfigError(
                f"{self._inbox.path}: another process delivers from it; give each one its own inbox"
            ) from None
        self._lock = lock
        self._sender.start(self._targets.values())
        self._thread.start()

    def configure(self, targets: Iterable[HttpTarget]) -> None:
        """Make these the targets. Messages for a target that is gone stay pending until it is back."""
        wanted = {target.name: target for target in targets}
        with self._feeding:
            changed = [name for name, target in self._targets.items() if wanted.get(name) != target]
            self._sender.configure(wanted.values())
            for name in changed:
                self._inbox.release(name)
            self._targets = wanted
        self._inbox.arrived.set()

    def submit(self, messages: Sequence[Message[HeldT]]) -> None:
        """Deliver messages that the caller keeps."""
        self._sender.submit(
            [
                Message(each.key, each.value, each.headers, each.origin, each.target, _Submitted(each))
                for each in messages
            ]
        )

    def withdraw(self, unwanted: Callable[[Message[HeldT]], bool]) -> None:
        """Forget matching submitted messages that are not being sent yet; `finished` is not called for them."""

        def matches(message: Message[int | _Submitted[HeldT]]) -> bool:
            receipt = message.receipt
            return isinstance(receipt, _Submitted) and unwanted(receipt.message)

        self._sender.withdraw(matches, 0.0)

    @property
    def running(self) -> bool:
        """Whether messages are moving: the thread lives and the inbox answers."""
        return self._thread.is_alive() and self.error is None

    def held(self) -> int:
        """Messages being sent, waiting for a retry or for their key's turn."""
        return sum(self._sender.held(name) for name in list(self._targets))

    def stop(self, timeout_seconds: float = 30.0) -> bool:
        """Finish the requests under way and leave the rest pending; True when that was possible in time."""
        self._stopping.set()
        self._inbox.arrived.set()
        if self._thread.is_alive():
            self._thread.join()
        drained = self._sender.stop(timeout_seconds)
        try:
            self._record()
        except TemporaryError as exc:
            _log.warning("inbox: what was delivered last will be delivered again: %s", exc)
        if self._lock is not None:
            self._lock.close()
        return drained

    def _ended(self, message: Message[int | _Submitted[HeldT]], verdict: Verdict) -> None:
        """On the sender's thread: a message was delivered or given up."""
        receipt = message.receipt
        if isinstance(receipt, _Submitted):
            self._submitted.append((receipt.message, verdict))
        else:
            self._stored.append((receipt, message, verdict))
        self._inbox.arrived.set()

    def _run(self) -> None:
        self._warn_of_unknown_targets()
        while not self._stopping.is_set():
            self._inbox.arrived.wait(self._poll_seconds)
            self._inbox.arrived.clear()
            try:
                self._record()
                with self._feeding:
                    self._feed()
            except TemporaryError as exc:
                if self.error is None:
                    _log.error("inbox: %s", exc)
                self.error = str(exc)
                self._stopping.wait(self._poll_seconds)
            else:
                self.error = None

    def _record(self) -> None:
        """Finish what has ended; a message whose end cannot be recorded waits for the next call."""
        try:
            self._record_submitted()
        finally:  # on a full volume this makes the room that the other needs
            self._record_stored()

    def _record_stored(self) -> None:
        ended = [self._stored.popleft() for _ in range(len(self._stored))]
        self._told.extend(ended)
        if ended and self._ending is not None:
            self._ending([(message, verdict) for _, message, verdict in ended])
        if not self._told:
            return
        delivered = [number for number, _, verdict in self._told if verdict.outcome is DeliveryOutcome.DELIVERED]
        dead = [(number, verdict) for number, _, verdict in self._told if verdict.outcome is DeliveryOutcome.DEAD]
        if self._given_up is not None:
            delivered, dead = [number for number, _, _ in self._told], []
        self._inbox.finish(delivered, dead)
        for _, message, verdict in self._told:
            if verdict.outcome is DeliveryOutcome.DEAD:
                (self._given_up or _log_dead)(message, verdict)
        self._told.clear()

    def _record_submitted(self) -> None:
        dead: list[tuple[Message[HeldT], Verdict]] = []
        for _ in range(len(self._submitted)):
            message, verdict = self._submitted.popleft()
            if verdict.outcome is DeliveryOutcome.DEAD:
                dead.append((message, verdict))
            else:
                self._tell_finished(message)
        if not dead:
            return
        try:
            self._inbox.store_dead_letters([(self._kept(message), verdict) for message, verdict in dead])
        except TemporaryError:
            self._submitted.extendleft(reversed(dead))
            raise
        for message, verdict in dead:
            _log_dead(message, verdict)
            self._tell_finished(message)

    def _kept(self, message: Message[HeldT]) -> Message[HeldT]:
        return message if self._keep_identity else replace(message, value=body_without_identity(message.value))

    def _tell_finished(self, message: Message[HeldT]) -> None:
        if self._finished is not None:
            self._finished(message)

    def _feed(self) -> None:
        for name in self._targets:
            room = min(CLAIM_LIMIT, self._sender.room(name))
            messages = self._inbox.claim(name, room) if room else []
            if messages:
                self._sender.submit(messages)
            if len(messages) == CLAIM_LIMIT:
                self._inbox.arrived.set()

    def _warn_of_unknown_targets(self) -> None:
        try:
            unknown = self._inbox.targets() - set(self._targets)
        except TemporaryError:
            return
        if unknown:
            _log.warning("inbox: messages wait for targets that are not configured: %s", ", ".join(sorted(unknown)))


def _log_dead(message: Message[object], verdict: Verdict) -> None:
    _log.error("%s to %s: dead letter: %s", message.origin, message.target, verdict.reason)
