"""One client of an AMQP broker on a thread of its own: it connects again, consumes, and acknowledges what is settled.

A message can only be acknowledged over the connection that brought it. When a connection is lost, the broker gives its
messages out again: what waits is forgotten here, and what is being sent just then is delivered twice.
"""

import logging

from penstock.connect.amqp.broker import AmqpBroker, connect_to, refusal_of
from penstock.connect.amqp.link import ConsumerEnded, Link
from penstock.connect.queues import Arrived, Lost, Settlement
from penstock.connect.reconnecting import ReconnectingSession, TopicRefused

_END_SECONDS = 20.0

_log = logging.getLogger("penstock.connect")


class AmqpSession(ReconnectingSession):
    """Consumes some queues."""

    def __init__(
        self, broker: AmqpBroker, max_in_flight: int, arrived: Arrived[Settlement], lost: Lost[Settlement]
    ) -> None:
        super().__init__("amqp", broker)
        self._broker = broker
        self._max_in_flight = max_in_flight
        self._take = arrived
        self._lose = lost
        self._link: Link | None = None

    @property
    def unsettled(self) -> int:
        """Messages taken and not acknowledged."""
        link = self._link
        return len(link.open) if link else 0

    def end(self) -> None:
        """Leave: acknowledge what is settled; the broker gives the rest to the next client at once."""
        self.end_within(_END_SECONDS, owes=self._link is not None)
        if link := self._link:  # the broker does not answer
            self._forget(link)

    def wake_up(self) -> None:
        super().wake_up()
        if link := self._link:
            link.wake()

    def _changed(self, topics: tuple[str, ...]) -> bool:
        return self.ending or topics != self.to_work_on()

    def _forget(self, link: Link) -> None:
        self._lose(lambda receipt: receipt.session is link)

    def meaning_of(self, exc: Exception) -> tuple[str, str] | None:
        from pika.exceptions import AMQPError

        if not isinstance(exc, AMQPError | ConsumerEnded | OSError):
            return None
        refusal = refusal_of(exc, self._broker)
        return refusal or f"{self._broker}: {_words(exc)}", refusal

    def work(self) -> None:
        link = Link(connect_to(self._broker), self._take)
        self._link = link
        try:
            while not self.ending:
                topics = self.to_work_on()
                try:
                    link.consume(self._broker, topics, self._max_in_flight // max(1, len(topics)))
                except TopicRefused as exc:
                    problem = self.leave_out(exc)
                    if not link.is_open or self.to_work_on() == topics:
                        raise
                    self._say(problem)
                    continue
                _log.info("amqp: queues %s", ", ".join(topics))
                self.confirm(topics)
                while not self._changed(topics):
                    link.turn()
            link.acknowledge_settled()
        finally:
            self._link = None
            link.close()
            self._forget(link)


def _words(exc: Exception) -> str:
    """What an error says; pika's errors carry others, and some have no text of their own."""
    return str(exc) or "; ".join(str(each) or repr(each) for each in exc.args) or type(exc).__name__
