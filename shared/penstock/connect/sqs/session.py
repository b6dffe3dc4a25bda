"""One client of SQS: a thread for each queue receives, one more holds what is delivered and deletes what is settled.

A message may be deleted by another client than the one that received it, so a lost connection costs nothing: what is
being delivered goes on, and is deleted when the service answers again.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple

from penstock.connect.queues import Arrived, Lost, Settlement
from penstock.connect.reconnecting import ReconnectingSession
from penstock.connect.sqs.account import POLL_SECONDS, SqsAccount, connect_to, refusal_of
from penstock.connect.sqs.queue import SqsQueue

_END_SECONDS = 4.0 * POLL_SECONDS
_FULL_SECONDS = 0.05

_log = logging.getLogger("penstock.connect")


class _Taken(NamedTuple):
    topic: str
    id: str
    handle: str


class SqsSession(ReconnectingSession):
    """Takes the messages of some queues."""

    def __init__(
        self,
        account: SqsAccount,
        max_in_flight: int,
        arrived: Arrived[Settlement],
        lost: Lost[Settlement],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("sqs", account, clock)
        self._account = account
        self._max_in_flight = max_in_flight
        self._take = arrived
        self._lose = lost
        # What is taken and not deleted, by a number of its own; the lock is for the threads that change it.
        self._open: dict[int, _Taken] = {}
        self._settled: deque[int] = deque()
        self._lock = threading.Lock()
        self._numbers = count(1)

    @property
    def unsettled(self) -> int:
        """Messages taken and not deleted."""
        return len(self._open)

    def end(self) -> None:
        """Leave: delete what is settled, and give the rest back, which comes to another client at once."""
        self.end_within(_END_SECONDS, owes=bool(self._open))
        self._lose(lambda receipt: receipt.session is self)

    def meaning_of(self, exc: Exception) -> tuple[str, str] | None:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(exc, BotoCoreError | ClientError | OSError):
            refusal = refusal_of(exc, self._account)
            return refusal or f"{self._account}: {exc}", refusal
        if isinstance(exc, RuntimeError):  # botocore's, for keys that have ended by this machine's clock when they come
            return f"{self._account}: {exc} Compare this machine's clock with that of the service.", self.refusal
        if isinstance(exc, LookupError | TypeError | ValueError | AttributeError):
            return f"{self._account} answers what SQS does not: {exc!r}", self.refusal
        return None

    def work(self) -> None:
        """Receive, hold and delete until one of these fails, the topics change or the session ends."""
        topics = self.to_work_on()
        client = connect_to(self._account)
        queues = [SqsQueue(client, topic, self._account.visibility_seconds) for topic in topics]
        for queue in queues:
            queue.warn_of_redrive()
        receivers = _Receivers(queues, self._room, self._arrived, self.wake)
        self.confirm(topics)
        _log.info("sqs: queues %s", ", ".join(topics))
        receivers.start()
        try:
            hold_seconds = self._account.visibility_seconds / 3
            due = self._clock() + hold_seconds
            while not self.ending and self.to_work_on() == topics:
                self._delete_settled(queues)
                if self._clock() >= due:
                    self._each(queues, SqsQueue.hold)
                    due = self._clock() + hold_seconds
                receivers.raise_failure()
                self.wake.wait(min(1.0, hold_seconds))
                self.wake.clear()
        finally:
            receivers.stop()
        self._delete_settled(queues)
        if self.ending:
            self._each(queues, SqsQueue.give_back)

    def _room(self, topic: str) -> int:
        with self._lock:
            taken = Counter(each.topic for each in self._open.values())[topic]
        return max(1, self._max_in_flight // max(1, len(self.topics))) - taken

    def _arrived(self, topic: str, message_id: str, handle: str, body: bytes) -> None:
        with self._lock:
            again = next((at for at, each in self._open.items() if each[:2] == (topic, message_id)), None)
            number = next(self._numbers) if again is None else again
            self._open[number] = _Taken(topic, message_id, handle)
        if again is not None:  # its visibility was over; it is under way, and is deleted by its newer handle
            return
        self._take(topic, body, f"{topic}#{message_id}", Settlement(self, partial(self._settle, number)))

    def _settle(self, number: int) -> None:
        """On the delivery's thread: the message is deleted as soon as the service answers."""
        self._settled.append(number)
        self.wake.set()

    def _delete_settled(self, queues: Sequence[SqsQueue]) -> None:
        """Delete what is settled; what fails here stays settled, and is asked for again."""
        numbers = list(self._settled)
        for queue in queues:
            with self._lock:
                mine = {
                    taken.handle: number
                    for number in numbers
                    if (taken := self._open.get(number)) is not None and taken.topic == queue.name
                }
            if not mine:
                continue
            left = {mine[handle] for handle in queue.delete(list(mine))}
            with self._lock:
                for number in set(mine.values()) - left:
                    del self._open[number]
        with self._lock:
            wanted = {queue.name for queue in queues}
            for _ in numbers:
                number = self._settled.popleft()
                # One of a queue that is not wanted any more comes again to its next client.
                if number in self._open and self._open[number].topic in wanted:
                    self._settled.append(number)
                else:
                    self._open.pop(number, None)

    def _each(self, queues: Sequence[SqsQueue], act: Callable[[SqsQueue, Sequence[str]], object]) -> None:
        """Do it with all messages that are taken and not settled."""
        settled = set(self._settled)
        for queue in queues:
            with self._lock:
                handles = [
                    taken.handle
                    for number, taken in self._open.items()
                    if taken.topic == queue.name and number not in settled
                ]
            act(queue, handles)


class _Receivers:
    """A thread for each queue, for each waits for messages of its own."""

    def __init__(
        self,
        queues: Sequence[SqsQueue],
        room: Callable[[str], int],
        arrived: Callable[[str, str, str, bytes], None],
        wake: threading.Event,
    ) -> None:
        self._room = room
        self._arrived = arrived
        self._wake = wake
        self._stopping = threading.Event()
        self._failures: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"sqs {each.name}", daemon=True) for each in queues
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the requests under way; what they bring is given back."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(3.0 * POLL_SECONDS)

    def raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _run(self, queue: SqsQueue) -> None:
        try:
            while not self._stopping.is_set():
                room = self._room(queue.name)
                if room <= 0:
                    self._stopping.wait(_FULL_SECONDS)
                    continue
                messages = queue.receive(room)
                if self._stopping.is_set():
                    queue.give_back([each.handle for each in messages])
                    return
                for each in messages:
                    self._arrived(queue.name, each.id, each.handle, each.body)
        except Exception as exc:  # noqa: BLE001 - raised again by the session's own thread
            self._failures.append(exc)
            self._wake.set()
