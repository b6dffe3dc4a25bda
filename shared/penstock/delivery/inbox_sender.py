"""Feeds the delivery core from the inbox, and records in the inbox how each message ended."""

import fcntl
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import IO

from penstock.delivery.deliverer import Message, Outcome, Policy, Verdict
from penstock.delivery.http import Target
from penstock.delivery.inbox import Inbox
from penstock.delivery.sender import Courier, Observe
from penstock.errors import ConfigError, TemporaryError

_log = logging.getLogger("penstock.connect")

CLAIM_LIMIT = 500


class Foreign:
    """What the receipt of a message must be that is not in the inbox; a base class for the keeper's own."""


class Pump:
    """Delivers what is in an inbox to HTTP targets, on two threads of its own.

    A message stays in the inbox until its target answered 2xx (then it goes) or it is given up (then it
    becomes a dead letter); a stop or a kill leaves it pending. `poll_seconds` is how soon messages that
    another process replays are noticed; those put by this process are at once. `error` says why the inbox
    cannot be read or written just now, and is None when it can.

    `submit` delivers messages that somebody else keeps: `settled(message)` is called on the pump's thread when
    one was delivered, or is stored in the inbox as a dead letter.

    Raises `ConfigError` from `start` when another process pumps the same inbox.
    """

    def __init__(
        self,
        inbox: Inbox,
        targets: Iterable[Target],
        policy: Policy | None = None,
        *,
        observe: Observe | None = None,
        settled: Callable[[Message], None] | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        self._inbox = inbox
        self._settled = settled
        self._targets = {target.name: target for target in targets}
        self._courier = Courier(policy or Policy(), self._finished, observe=observe)
        self._poll_seconds = poll_seconds
        self._ended: deque[tuple[Message, Verdict]] = deque()
        self._stopping = threading.Event()
        self._feeding = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)
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
        self._courier.start(self._targets.values())
        self._thread.start()

    def configure(self, targets: Iterable[Target]) -> None:
        """Make these the targets. Messages for a target that is gone stay pending until it is back."""
        wanted = {target.name: target for target in targets}
        with self._feeding:
            changed = [name for name, target in self._targets.items() if wanted.get(name) != target]
            self._courier.configure(wanted.values())
            for name in changed:
                self._inbox.release(name)
            self._targets = wanted
        self._inbox.arrived.set()

    def submit(self, messages: Sequence[Message]) -> None:
        """Deliver messages that are kept elsewhere; their `receipt` is a `Foreign`."""
        self._courier.submit(messages)

    def withdraw(self, unwanted: Callable[[Message], bool]) -> None:
        """Forget submitted messages that are not being sent yet; they are not settled."""
        self._courier.withdraw(lambda message: isinstance(message.receipt, Foreign) and unwanted(message), 0.0)

    @property
    def running(self) -> bool:
        """Whether messages are moving: the thread lives and the inbox answers."""
        return self._thread.is_alive() and self.error is None

    def held(self) -> int:
        """Messages being sent, waiting for a retry or for their key's turn."""
        return sum(self._courier.held(name) for name in list(self._targets))

    def stop(self, timeout_seconds: float = 30.0) -> bool:
        """Finish the requests under way and leave the rest pending; True when that was possible in time."""
        self._stopping.set()
        self._inbox.arrived.set()
        if self._thread.is_alive():
            self._thread.join()
        drained = self._courier.stop(timeout_seconds)
        try:
            self._record()
        except TemporaryError as exc:
            _log.warning("inbox: what was delivered last will be delivered again: %s", exc)
        if self._lock is not None:
            self._lock.close()
        return drained

    def _finished(self, message: Message, verdict: Verdict) -> None:
        self._ended.append((message, verdict))
        self._inbox.arrived.set()

    def _run(self) -> None:
        self._warn_of_orphans()
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
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        if not ended:
            return
        done, dead, buried = [], [], []
        for message, verdict in ended:
            if verdict.outcome is Outcome.DELIVERED:
                if not isinstance(message.receipt, Foreign):
                    done.append(message.receipt)
            elif isinstance(message.receipt, Foreign):
                buried.append((message, verdict.code, verdict.reason, verdict.data))
            else:
                dead.append((message.receipt, verdict.code, verdict.reason, verdict.data))
        try:
            self._inbox.settle(done, dead, buried)
        except TemporaryError:
            self._ended.extendleft(reversed(ended))
            raise
        for message, verdict in ended:
            if verdict.outcome is Outcome.DEAD:
                _log.error("%s to %s: dead letter: %s", message.origin, message.target, verdict.reason)
            if isinstance(message.receipt, Foreign) and self._settled is not None:
                self._settled(message)

    def _feed(self) -> None:
        for name in self._targets:
            room = min(CLAIM_LIMIT, self._courier.room(name))
            messages = self._inbox.claim(name, room) if room else []
            if messages:
                self._courier.submit(messages)
            if len(messages) == CLAIM_LIMIT:
                self._inbox.arrived.set()

    def _warn_of_orphans(self) -> None:
        try:
            orphans = self._inbox.targets() - set(self._targets)
        except TemporaryError:
            return
        if orphans:
            _log.warning("inbox: messages wait for targets that are not configured: %s", ", ".join(sorted(orphans)))
