"""One client of an AMQP broker on a thread of its own: it connects again, consumes, and acknowledges what is settled.

A message can only be acknowledged over the connection that brought it. When a connection is lost, the broker gives its
messages out again: what waits is forgotten here, and what is being sent just then is delivered twice.
"""

import logging
import threading
from collections.abc import Iterable

from penstock.connect.amqp.broker import AmqpBroker, connect_to, refusal_of
from penstock.connect.amqp.link import ConsumerEnded, Link
from penstock.connect.queues import Arrived, Lost, Settlement
from penstock.errors import ConfigError

RETRY_SECONDS = 1.0
_END_SECONDS = 20.0

_log = logging.getLogger("penstock.connect")


class AmqpSession:
    """Consumes some queues; `refusal` says what the broker refuses, or ""."""

    def __init__(
        self, broker: AmqpBroker, max_in_flight: int, arrived: Arrived[Settlement], lost: Lost[Settlement]
    ) -> None:
        self._broker = broker
        self._max_in_flight = max_in_flight
        self._take = arrived
        self._lose = lost
        self._topics: tuple[str, ...] = ()
        self._joined: tuple[str, ...] | None = None
        self._said = ""
        self.refusal = ""
        self._link: Link | None = None
        self._ending = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="amqp", daemon=True)

    @property
    def joined(self) -> bool:
        """Whether messages can come: the broker has confirmed a consumer of each queue on this connection."""
        return self._thread.is_alive() and self._joined == self._topics

    @property
    def unsettled(self) -> int:
        """Messages taken and not acknowledged."""
        link = self._link
        return len(link.open) if link else 0

    def problem(self) -> str:
        """Why messages do not come, or ""."""
        return self.refusal or ("" if self.joined else f"not connected to {self._broker}")

    def start(self, topics: Iterable[str]) -> None:
        """Connect, and consume these queues."""
        self._topics = tuple(sorted(topics))
        self._thread.start()

    def subscribe(self, topics: Iterable[str]) -> None:
        """Make these the queues."""
        self._topics = tuple(sorted(topics))
        self._wake_up()

    def end(self) -> None:
        """Leave: acknowledge what is settled; the broker gives the rest to the next client at once."""
        self._ending = True
        self._wake_up()
        self._thread.join(_END_SECONDS)
        if link := self._link:  # the broker does not answer
            self._forget(link)

    def _wake_up(self) -> None:
        self._wake.set()
        if link := self._link:
            link.wake()

    def _changed(self, topics: tuple[str, ...]) -> bool:
        return self._ending or topics != self._topics

    def _forget(self, link: Link) -> None:
        self._lose(lambda receipt: receipt.session is link)

    def _run(self) -> None:
        try:
            while not self._ending:
                self._connect_once()
                if not self._ending:
                    self._wake.wait(RETRY_SECONDS)
                    self._wake.clear()
        except Exception:  # noqa: BLE001
            # Without this line nothing would come, and nothing would be said.
            _log.exception("amqp: the client ended")

    def _connect_once(self) -> None:
        """Work over one connection until it fails, the broker refuses, or the session ends."""
        from pika.exceptions import AMQPError

        problem = ""
        try:
            self._work()
        except ConfigError as exc:
            problem = self.refusal = str(exc)
        except (AMQPError, ConsumerEnded, OSError) as exc:
            self.refusal = refusal_of(exc, self._broker)
            problem = self.refusal or f"{self._broker}: {_words(exc)}"
        if problem and problem != self._said:
            _log.warning("amqp: %s", problem)
        self._said = problem

    def _work(self) -> None:
        link = Link(connect_to(self._broker), self._take)
        self._link = link
        try:
            while not self._ending:
                topics = self._topics
                link.consume(self._broker, topics, self._max_in_flight // max(1, len(topics)))
                _log.info("amqp: queues %s", ", ".join(topics))
                self._joined, self.refusal, self._said = topics, "", ""
                while not self._changed(topics):
                    link.turn()
            link.acknowledge_settled()
        finally:
            self._joined = self._link = None
            link.close()
            self._forget(link)


def _words(exc: Exception) -> str:
    """What an error says; pika's errors carry others, and some have no text of their own."""
    return str(exc) or "; ".join(str(each) or repr(each) for each in exc.args) or type(exc).__name__
