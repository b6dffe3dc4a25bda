"""One client of Redis on a thread of its own: it connects again, takes items, and finishes what is settled.

An item may be finished over another connection than the one that brought it, so a lost connection costs nothing: what
is being delivered goes on, and its end waits for the next connection.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from penstock.connect.queues import Arrived, Lost, Settlement
from penstock.connect.redis.server import RedisServer, connect_to
from penstock.connect.redis.taken_list import LeaseLost, TakenList
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from redis import Redis

RETRY_SECONDS = 1.0
# How often an empty list is looked at.
POLL_SECONDS = 0.25
_TAKE_ITEMS = 100
_END_SECONDS = 15.0

_log = logging.getLogger("penstock.connect")


class RedisSession:
    """Takes the items of some lists; `refusal` says what the server refuses, or ""."""

    def __init__(
        self,
        server: RedisServer,
        max_in_flight: int,
        arrived: Arrived[Settlement],
        lost: Lost[Settlement],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._max_in_flight = max_in_flight
        self._take = arrived
        self._lose = lost
        self._clock = clock
        self._topics: tuple[str, ...] = ()
        self._joined: tuple[str, ...] | None = None
        self._said = ""
        self.refusal = ""
        # What is taken and not finished at the server, by a number of its own: list and item.
        self._open: dict[int, tuple[str, bytes]] = {}
        self._settled: deque[int] = deque()
        self._numbers = count(1)
        self._ending = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis", daemon=True)

    @property
    def joined(self) -> bool:
        """Whether items can come: this connector is a member of each list, and the server has answered."""
        return self._thread.is_alive() and self._joined == self._topics

    @property
    def unsettled(self) -> int:
        """Items taken and not finished."""
        return max(0, len(self._open) - len(self._settled))

    def problem(self) -> str:
        """Why items do not come, or ""."""
        return self.refusal or ("" if self.joined else f"not connected to {self._server}")

    def start(self, topics: Iterable[str]) -> None:
        """Connect, and take the items of these lists."""
        self._topics = tuple(sorted(topics))
        self._thread.start()

    def subscribe(self, topics: Iterable[str]) -> None:
        """Make these the lists."""
        self._topics = tuple(sorted(topics))
        self._wake.set()

    def end(self) -> None:
        """Leave: finish what is settled, and put the rest back, which comes to another connector at once."""
        self._ending = True
        self._wake.set()
        self._thread.join(_END_SECONDS)
        self._lose(lambda receipt: receipt.session is self)

    def _run(self) -> None:
        try:
            while not self._ending:
                self._connect_once()
                if not self._ending:
                    self._wake.wait(RETRY_SECONDS)
                    self._wake.clear()
        except Exception:  # noqa: BLE001
            # Without this line nothing would come, and nothing would be said.
            _log.exception("redis: the client ended")

    def _connect_once(self) -> None:
        """Work over one connection until it fails, the server refuses, or the session ends."""
        from redis.exceptions import RedisError

        client = connect_to(self._server)
        problem = ""
        try:
            while not self._ending:
                self._work(client)
        except LeaseLost:
            problem = f"{self._server}: away for more than {self._server.lease_seconds:g} seconds; joining again"
        except ConfigError as exc:
            problem = self.refusal = str(exc)
        except (RedisError, OSError) as exc:
            self.refusal = _refusal(exc, self._server)
            problem = self.refusal or f"{self._server}: {exc}"
        finally:
            self._joined = None
            client.close()
        if problem and problem != self._said:
            _log.warning("redis: %s", problem)
        self._said = problem

    def _work(self, client: "Redis") -> None:
        """Take and finish until one of these fails, the lists are others, or the session ends."""
        topics = self._topics
        lists = [TakenList(client, topic, self._server.member, self._server.lease_seconds) for topic in topics]
        for each in lists:
            each.join()
            self._find_unknown(each)
        _log.info("redis: lists %s", ", ".join(topics))
        self._joined, self.refusal, self._said = topics, "", ""
        care_seconds = self._server.lease_seconds / 3
        next_care = self._clock() + care_seconds
        while not self._ending and topics == self._topics:
            self._finish_settled(lists)
            if self._clock() >= next_care:
                next_care = self._clock() + care_seconds
                for each in lists:
                    self._care_for(each)
            if not sum([self._take_some(each, max(1, self._max_in_flight // len(lists))) for each in lists]):
                self._wake.wait(POLL_SECONDS)
                self._wake.clear()
        self._leave(lists)

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
        self._wake.set()

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
            if self._ending or each.name not in self._topics:
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
