"""One client of Redis on a thread of its own: it connects again, takes items, and finishes what is settled.

An item may be finished over another connection than the one that brought it, so a lost connection costs nothing: what
is being delivered goes on, and its end waits for the next connection.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from penstock.connect.queues import Arrived, Lost, Settlement
from penstock.connect.reconnecting import ReconnectingSession, TopicRefused
from penstock.connect.redis.server import RedisServer, connect_to
from penstock.connect.redis.taken_list import LeaseLost, TakenList

if TYPE_CHECKING:
    from redis import Redis

# How often an empty list is looked at.
POLL_SECONDS = 0.25
_TAKE_ITEMS = 100
_END_SECONDS = 15.0

_log = logging.getLogger("penstock.connect")


class RedisSession(ReconnectingSession):
    """Takes the items of some lists."""

    def __init__(
        self,
        server: RedisServer,
        max_in_flight: int,
        arrived: Arrived[Settlement],
        lost: Lost[Settlement],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("redis", server, clock)
        self._server = server
        self._max_in_flight = max_in_flight
        self._take = arrived
        self._lose = lost
        # What is taken and not finished at the server, by a number of its own: list and item.
        self._open: dict[int, tuple[str, bytes]] = {}
        self._settled: deque[int] = deque()
        self._numbers = count(1)

    @property
    def unsettled(self) -> int:
        """Items taken and not finished."""
        return max(0, len(self._open) - len(self._settled))

    def end(self) -> None:
        """Leave: finish what is settled, and put the rest back, which comes to another connector at once."""
        self.end_within(_END_SECONDS, owes=bool(self._open))
        self._lose(lambda receipt: receipt.session is self)

    def meaning_of(self, exc: Exception) -> tuple[str, str] | None:
        from redis.exceptions import RedisError

        if isinstance(exc, LeaseLost):
            return (
                f"{self._server}: away for more than {self._server.lease_seconds:g} seconds; joining again",
                self.refusal,
            )
        if not isinstance(exc, RedisError | OSError):
            return None
        refusal = _refusal(exc, self._server)
        return refusal or f"{self._server}: {exc}", refusal

    def work(self) -> None:
        client = connect_to(self._server)
        try:
            while not self.ending:
                self._work(client)
        finally:
            client.close()

    def _work(self, client: "Redis") -> None:
        """Take and finish until one of these fails, the lists are others, or the session ends."""
        topics = self.to_work_on()
        lists = [TakenList(client, topic, self._server.member, self._server.lease_seconds) for topic in topics]
        for each in lists:
            self._join(each)
        _log.info("redis: lists %s", ", ".join(topics))
        self.confirm(topics)
        care_seconds = self._server.lease_seconds / 3
        next_care = self._clock() + care_seconds
        while not self.ending and topics == self.to_work_on():
            self._finish_settled(lists)
            if self._clock() >= next_care:
                next_care = self._clock() + care_seconds
                for each in lists:
                    self._care_for(each)
            if not sum([self._take_some(each, max(1, self._max_in_flight // len(lists))) for each in lists]):
                self.wake.wait(POLL_SECONDS)
                self.wake.clear()
        self._leave(lists)

    def _join(self, each: TakenList) -> None:
        from redis.exceptions import NoPermissionError

        try:
            each.join()
            self._find_unknown(each)
        except NoPermissionError as exc:
            raise TopicRefused(each.name, _refusal(exc, self._server)) from exc

    def _care_for(self, each: TakenList) -> None:
        each.renew()
        self._find_unknown(each)
        if moved := each.take_back():
            _log.warning("redis: %s: %s items of a connector that ended were put back", each.name, moved)

    def _find_unknown(self, each: TakenList) -> None:
        for item in each.unknown([item for topic, item in self._open.values() if topic == each.name]):
            self._arrived(each.name, item)

    def _take_some(self, each: TakenList, limit: int) -> int:
        room = limit - sum(1 for topic, _ in self._open.values() if topic == each.name)
        if room <= 0:
            return 0
        items = each.take(min(room, _TAKE_ITEMS))
        for item in items:
            self._arrived(each.name, item)
        return len(items)

    def _arrived(self, topic: str, item: bytes) -> None:
        number = next(self._numbers)
        self._open[number] = (topic, item)
        self._take(topic, item, f"{topic}#{number}", Settlement(self, partial(self._settle, number)))

    def _settle(self, number: int) -> None:
        """On the delivery's thread: the item is finished as soon as there is a connection."""
        self._settled.append(number)
        self.wake.set()

    def _finish_settled(self, lists: Iterable[TakenList]) -> None:
        """Finish at the server; what fails here stays settled, and is sent again.

        Sent twice, it can only hit an item of the same bytes.
        """
        numbers = list(self._settled)
        for each in lists:
            items = [self._open[number] for number in numbers if number in self._open]
            if mine := [item for topic, item in items if topic == each.name]:
                each.finish(mine)
        for _ in numbers:
            self._open.pop(self._settled.popleft(), None)

    def _leave(self, lists: Iterable[TakenList]) -> None:
        """Leave all lists at the end, and those that are not wanted any more."""
        self._finish_settled(lists)
        for each in lists:
            if self.ending or each.name not in self.topics:
                each.leave()
                self._open = {number: found for number, found in self._open.items() if found[0] != each.name}


def _refusal(exc: Exception, server: RedisServer) -> str:
    """What the server refuses, with the remedy; "" when it only does not answer."""
    from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

    words = str(exc)
    if isinstance(exc, AuthenticationError) or words.startswith(("NOAUTH", "WRONGPASS")):
        return f"{server} refused the login; check REDIS_USERNAME and REDIS_PASSWORD"
    if isinstance(exc, NoPermissionError):
        return f"{server} refused a command: {words}; let the user read and write the list and LIST:penstock:*"
    if isinstance(exc, ResponseError) and "unknown" in words.lower():
        return f"{server}: {words}; Redis 6.2 or newer, or Valkey, is needed"
    return ""
