"""A session whose client has a thread of its own, with one connection at a time: it connects again after each failure.

AMQP, Redis and SQS have clients that wait for answers; the clients of MQTT and NATS have loops of their own.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from penstock.errors import ConfigError

RETRY_SECONDS = 1.0
# How long an end waits for a client that has nothing to finish: it may be in the middle of a connect.
IDLE_END_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 60.0
"""After so long a topic that the server refused is asked for again, where other topics are worked on meanwhile."""

_log = logging.getLogger("penstock.connect")


class TopicRefused(Exception):
    """The server refuses one topic, or does not have it. The others go on without it."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(reason)
        self.topic = topic


class ReconnectingSession(ABC):
    """Takes the messages of some topics; `refusal` says what the server refuses, or "".

    `topics` are those that functions want. One of them that the server refuses is left out for a while, so that one
    function with a wrong topic does not stop the events of all others.
    """

    def __init__(self, kind: str, server: object, clock: Callable[[], float] = time.monotonic) -> None:
        self._kind = kind
        self._server_name = str(server)
        self.topics: tuple[str, ...] = ()
        self._joined: tuple[str, ...] | None = None
        self._said = ""  # what lasts is said once
        self.refusal = ""
        self.ending = False
        self.wake = threading.Event()
        self._clock = clock
        self._left_out: dict[str, tuple[float, str]] = {}  # until when, and why; of the session's thread
        self._thread = threading.Thread(target=self._run, name=kind, daemon=True)

    @property
    def joined(self) -> bool:
        """Whether messages can come: the server has confirmed each topic on this connection."""
        return self._thread.is_alive() and self._joined == self.topics

    def problem(self) -> str:
        """Why messages do not come, or ""."""
        return self.refusal or ("" if self.joined else f"not connected to {self._server_name}")

    def start(self, topics: Iterable[str]) -> None:
        """Connect, and take the messages of these topics."""
        self.topics = tuple(sorted(topics))
        self._thread.start()

    def subscribe(self, topics: Iterable[str]) -> None:
        """Make these the topics."""
        self.topics = tuple(sorted(topics))
        self.wake_up()

    @abstractmethod
    def work(self) -> None:
        """Work over one connection until the session ends.

        Raises `TopicRefused`, `ConfigError`, or the client's own error when the connection fails or the server refuses.
        """

    @abstractmethod
    def meaning_of(self, exc: Exception) -> tuple[str, str] | None:
        """What an error of client or server says, and what the server refuses by it, or ""; None for a defect."""

    def connect_once(self) -> str:
        """Work over one connection until it fails, the server refuses, or the session ends; the problem, or ""."""
        try:
            self.work()
        except TopicRefused as exc:
            return self.leave_out(exc)
        except ConfigError as exc:
            self.refusal = str(exc)
            return self.refusal
        except Exception as exc:
            meaning = self.meaning_of(exc)
            if meaning is None:
                raise
            problem, self.refusal = meaning
            return problem
        finally:
            self.disconnected()
        return ""

    def wake_up(self) -> None:
        """Let the thread look at what has changed."""
        self.wake.set()

    def to_work_on(self) -> tuple[str, ...]:
        """The topics without those that are left out now; asked by the session's thread."""
        now = self._clock()
        self._left_out = {name: left for name, left in self._left_out.items() if name in self.topics and left[0] > now}
        return tuple(topic for topic in self.topics if topic not in self._left_out)

    def leave_out(self, refused: TopicRefused) -> str:
        """Go on without this topic for a while, where there are others; returns the problem."""
        self._left_out[refused.topic] = (self._clock() + LOOK_AGAIN_SECONDS, str(refused))
        self.refusal = self._why_left_out()
        if not self.to_work_on():
            self._left_out.clear()
        return self.refusal

    def _why_left_out(self) -> str:
        return "; ".join(why for _, why in self._left_out.values())

    def confirm(self, topics: tuple[str, ...]) -> None:
        """The server has confirmed these topics."""
        self._joined, self.refusal = topics, self._why_left_out()
        self._said = self.refusal

    def disconnected(self) -> None:
        """This connection is over."""
        self._joined = None

    def end_within(self, seconds: float, *, owes: bool) -> None:
        """Ask the thread to end, and wait for it; not for a server that does not answer, unless the session `owes`.

        It owes when the server has not been told the end of something that was taken.
        """
        self.ending = True
        self.wake_up()
        self._thread.join(seconds if owes or self._joined is not None else IDLE_END_SECONDS)

    def _run(self) -> None:
        try:
            while not self.ending:
                self._say(self.connect_once())
                if not self.ending:
                    self.wake.wait(RETRY_SECONDS)
                    self.wake.clear()
        except Exception:  # noqa: BLE001
            # Without this line nothing would come, and nothing would be said.
            _log.exception("%s: the client ended", self._kind)

    def _say(self, problem: str) -> None:
        if problem and problem != self._said:
            _log.warning("%s: %s", self._kind, problem)
        self._said = problem
