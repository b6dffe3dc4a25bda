"""One client of NATS on a thread of its own: it connects again, pulls messages, and acknowledges what is settled.

A message may be acknowledged over another connection than the one that brought it, so a lost connection costs nothing:
what is being delivered goes on, and its acknowledgement waits for the next connection.
"""

import asyncio
import contextlib
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from penstock.connect.nats.consumer import subscribe
from penstock.connect.nats.server import NatsServers, connect_to
from penstock.connect.queues import Arrived, Lost, Settlement
from penstock.connect.reconnecting import IDLE_END_SECONDS
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

RETRY_SECONDS = 1.0
_FETCH_SECONDS = 5.0
_FETCH_MESSAGES = 100
_END_SECONDS = 10.0

_log = logging.getLogger("penstock.connect")


class _Changed(Exception):
    """The topics are others now."""


class NatsSession:
    """Pulls the messages of some subjects; `refusal` says what the server refuses, or ""."""

    def __init__(
        self, servers: NatsServers, max_in_flight: int, arrived: Arrived[Settlement], lost: Lost[Settlement]
    ) -> None:
        self._servers = servers
        self._max_in_flight = max_in_flight
        self._take = arrived
        self._lose = lost
        self._topics: tuple[str, ...] = ()
        self._joined: set[str] = set()
        self._connected = False
        self.refusal = ""
        # The reply subject of each message is its name; the lock is for what the delivery's thread settles.
        self._open: dict[str, str] = {}
        self._settled: deque[str] = deque()
        self._lock = threading.Lock()
        self._ending = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settling = asyncio.Event()
        self._room = asyncio.Event()
        self._restart = asyncio.Event()
        self._refused: dict[str, str] = {}  # why a subject has no consumer; the others go on
        self._thread = threading.Thread(target=self._run, name="nats", daemon=True)

    @property
    def joined(self) -> bool:
        """Whether messages can come: every subject's consumer has answered on this connection."""
        return self._thread.is_alive() and self._connected and self._joined >= set(self._topics)

    @property
    def unsettled(self) -> int:
        """Messages taken and not acknowledged."""
        return len(self._open)

    def problem(self) -> str:
        """Why messages do not come, or ""."""
        if self.refusal or self.joined:
            return self.refusal
        return f"not subscribed at {self._servers} yet" if self._connected else f"not connected to {self._servers}"

    def start(self, topics: Iterable[str]) -> None:
        """Connect, and pull the messages of these subjects."""
        self._topics = tuple(sorted(topics))
        self._thread.start()

    def subscribe(self, topics: Iterable[str]) -> None:
        """Make these the subjects."""
        self._topics = tuple(sorted(topics))
        self._call(self._restart.set)

    def end(self) -> None:
        """Leave: acknowledge what is settled, and give the rest back, which comes to the next client at once."""
        self._ending = True
        self._call(self._restart.set)
        self._thread.join(_END_SECONDS if self._connected or self._open else IDLE_END_SECONDS)
        self._lose(lambda arrival: arrival.session is self)

    def _call(self, act: Callable[[], object]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(act)

    def _run(self) -> None:
        try:
            asyncio.run(self._keep_connected())
        except Exception:  # noqa: BLE001
            # Without this line nothing would come, and nothing would be said.
            _log.exception("nats: the client ended")

    async def _keep_connected(self) -> None:
        from nats.errors import Error

        self._loop = asyncio.get_running_loop()
        said = ""  # what lasts is said once
        while not self._ending:
            self._restart.clear()
            problem = ""
            try:
                client = await asyncio.wait_for(connect_to(self._servers), 2 * _END_SECONDS)
            except (Error, OSError, TimeoutError) as exc:
                problem = f"{self._servers}: {_words(exc)}"
                refused = "authorization" in problem.lower()
                self.refusal = f"{problem}; check NATS_USERNAME, NATS_PASSWORD and NATS_TOKEN" if refused else ""
            else:
                self._connected, said = True, "" if self.refusal == "" else said
                try:
                    await self._work(client)
                except _Changed:
                    continue
                except ConfigError as exc:
                    problem = self.refusal = str(exc)
                except (Error, OSError, TimeoutError) as exc:
                    problem = f"connection lost: {_words(exc)}"
                finally:
                    self._connected = False
                    self._joined.clear()
                    with contextlib.suppress(Error, OSError, TimeoutError):
                        await asyncio.wait_for(client.close(), _END_SECONDS)
            if problem != said:
                _log.warning("nats: %s", self.refusal or problem)
            said = problem
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._restart.wait(), RETRY_SECONDS)

    async def _work(self, client: "Client") -> None:
        """Pull, keep and acknowledge until one of these fails, the subjects change or the session ends."""
        topics = self._topics
        jobs = [self.pull(client, topic, max(1, self._max_in_flight // len(topics))) for topic in topics]
        tasks = [asyncio.ensure_future(job) for job in (*jobs, self._acknowledge(client), self._changed())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._ending and client.is_connected:
                await self._leave(client)

    async def _changed(self) -> None:
        await self._restart.wait()
        raise _Changed

    async def pull(self, client: "Client", topic: str, limit: int) -> None:
        """Take messages of one subject, at most `limit` at a time, and say of each that it is being worked on."""
        from nats.errors import Error

        subscription, ack_wait_seconds = await self._subscribed(client, topic)
        if topic not in self._joined:
            _log.info("nats: subject %s", topic)
        self._joined.add(topic)
        if self._joined >= set(self._topics):
            self.refusal = ""
        keeper = asyncio.ensure_future(self._keep(client, topic, ack_wait_seconds / 3))
        try:
            while True:
                room = limit - Counter(self._open.values())[topic]
                if room <= 0:
                    self._room.clear()
                    await self._room.wait()
                    continue
                try:
                    messages = await subscription.fetch(min(room, _FETCH_MESSAGES), timeout=_FETCH_SECONDS)
                except TimeoutError:  # nothing came; the client raises its own, and at times Python's
                    await subscription.consumer_info()  # raises when the server is frozen or the consumer is gone
                    continue
                for message in messages:
                    self._arrived(topic, message)
        finally:
            keeper.cancel()
            # What is given back later goes to a pull that waits: not to this one, whose client leaves.
            with contextlib.suppress(Error, OSError):
                await subscription.unsubscribe()

    async def _subscribed(self, client: "Client", topic: str) -> "tuple[JetStreamContext.PullSubscription, float]":
        """Subscribe as soon as the server has the subject. Other subjects go on meanwhile."""
        while True:
            try:
                found = await subscribe(client.jetstream(), self._servers.group, topic)
            except ConfigError as exc:
                if len(self._topics) == 1:
                    raise
                if self._refused.get(topic) != str(exc):
                    _log.warning("nats: %s", exc)
                self._refused[topic] = str(exc)
            else:
                self._refused.pop(topic, None)
            self.refusal = "; ".join(why for name, why in sorted(self._refused.items()) if name in self._topics)
            if topic not in self._refused:
                return found
            await asyncio.sleep(RETRY_SECONDS)

    def _arrived(self, topic: str, message: "Msg") -> None:
        name = message.reply
        with self._lock:
            self._open[name] = topic
        arrival = Settlement(self, partial(self._settle, name))
        sequence = message.metadata.sequence.stream
        self._take(topic, message.data, f"{message.metadata.stream}#{sequence}", arrival)

    def _settle(self, name: str) -> None:
        """On the delivery's thread: acknowledge a message as soon as there is a connection."""
        with self._lock:
            if self._open.pop(name, None) is not None:
                self._settled.append(name)
        self._call(self._settling.set)
        self._call(self._room.set)

    async def _acknowledge(self, client: "Client") -> None:
        while True:
            await self._send_acknowledgements(client)
            await self._settling.wait()
            self._settling.clear()

    async def _send_acknowledgements(self, client: "Client") -> None:
        while self._settled:
            await client.publish(self._settled[0], b"+ACK")
            self._settled.popleft()

    async def _keep(self, client: "Client", topic: str, seconds: float) -> None:
        """Tell the server regularly that the messages are being worked on, so that it gives them to no one else."""
        while True:
            await asyncio.sleep(seconds)
            with self._lock:
                names = [name for name, its_topic in self._open.items() if its_topic == topic]
            for name in names:
                await client.publish(name, b"+WPI")

    async def _leave(self, client: "Client") -> None:
        await self._send_acknowledgements(client)
        with self._lock:
            names = list(self._open)
        for name in names:
            await client.publish(name, b"-NAK")
        await client.flush(int(_END_SECONDS))


def _words(exc: Exception) -> str:
    return str(exc).removeprefix("nats: ").strip("'") or type(exc).__name__
