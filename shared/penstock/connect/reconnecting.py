"""A session whose client has a thread of its own, with one connection at a time: it connects again after each failure.

AMQP and Redis have clients that wait for answers; the clients of MQTT and NATS have loops of their own.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable

RETRY_SECONDS = 1.0
# How long an end waits for a client that has nothing to finish: it may be in the middle of a connect.
IDLE_END_SECONDS = 1.0

_log = logging.getLogger("penstock.connect")


class ReconnectingSession(ABC):
    """Takes the messages of some topics; `refusal` says what the server refuses, or ""."""

    def __init__(self, kind: str, server: object) -> None:
        self._kind = kind
        self._server_name = str(server)
        self.topics: tuple[str, ...] = ()
        self._joined: tuple[str, ...] | None = None
        self._said = ""  # what lasts is said once
        self.refusal = ""
        self.ending = False
        self.wake = threading.Event()
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
    def connect_once(self) -> str:
        """Work over one connection until it fails, the server refuses, or the session ends; the problem, or ""."""

    def wake_up(self) -> None:
        """Let the thread look at what has changed."""
        self.wake.set()

    def confirm(self, topics: tuple[str, ...]) -> None:
        """The server has confirmed these topics."""
        self._joined, self.refusal, self._said = topics, "", ""

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
