"""One connection to an AMQP broker: its consumers, and the messages that it brought and has not acknowledged."""

import contextlib
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from penstock.connect.amqp.broker import AmqpBroker
from penstock.connect.amqp.queue import prepare_queue
from penstock.connect.queues import Arrived, Settlement
from penstock.connect.reconnecting import TopicRefused
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from pika import BasicProperties, BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.frame import Method
    from pika.spec import Basic

_TURN_SECONDS = 5.0
# A prefetch count of AMQP 0-9-1 has 16 bits.
_MAX_PREFETCH = 65535


class ConsumerEnded(Exception):
    """The broker ended a consumer, and the connection goes on."""


class Link:
    """Used by one thread, but for `wake` and what it hands over: each message may be settled on any thread."""

    def __init__(self, connection: "BlockingConnection", arrived: Arrived[Settlement]) -> None:
        self._connection = connection
        self._take = arrived
        self._channel = connection.channel()
        self._channel.add_on_cancel_callback(self._on_cancel)
        self._consumers: dict[str, str] = {}
        self._ended = ""
        self.open: set[int] = set()
        self._settled: deque[int] = deque()

    def consume(self, broker: AmqpBroker, topics: Iterable[str], limit: int) -> None:
        """Make these the queues; the broker gives at most `limit` messages of each that are not acknowledged.

        Messages that came before can still be acknowledged. Raises `TopicRefused` when the broker refuses a queue.
        """
        from pika.exceptions import ChannelClosedByBroker

        for tag in list(self._consumers):
            self._channel.basic_cancel(tag)
            del self._consumers[tag]
        # Per consumer: quorum queues do not know a count for the whole channel.
        self._channel.basic_qos(prefetch_count=min(max(1, limit), _MAX_PREFETCH))
        for topic in topics:
            try:
                prepare_queue(self._connection, topic, broker)
            except ConfigError as exc:
                raise TopicRefused(topic, str(exc)) from exc
            try:
                self._consumers[self._channel.basic_consume(topic, partial(self._arrived, topic))] = topic
            except ChannelClosedByBroker as exc:
                raise TopicRefused(topic, f"queue {topic}: the broker refused a consumer: {exc.reply_text}") from None

    @property
    def is_open(self) -> bool:
        """Whether the broker has not closed the channel, as it does when it refuses a consumer."""
        return bool(self._channel.is_open)

    def turn(self) -> None:
        """Acknowledge what is settled, and take what comes for some seconds or until `wake`.

        Raises `ConsumerEnded`, and pika's errors when the connection is lost.
        """
        self.acknowledge_settled()
        self._connection.process_data_events(time_limit=_TURN_SECONDS)
        if not self._channel.is_open:
            raise ConsumerEnded("the broker closed the channel, perhaps by its consumer_timeout; consuming again")
        if self._ended:
            raise ConsumerEnded(f"queue {self._ended}: it was removed, or its node has ended; consuming again")

    def acknowledge_settled(self) -> None:
        while self._settled:
            tag = self._settled[0]
            self._channel.basic_ack(tag)
            self.open.discard(tag)
            self._settled.popleft()

    def wake(self) -> None:
        """Let `turn` return; called by any thread."""
        from pika.exceptions import ConnectionWrongStateError

        with contextlib.suppress(ConnectionWrongStateError):  # it is lost already
            self._connection.add_callback_threadsafe(lambda: None)

    def close(self) -> None:
        """The broker gives what is not acknowledged to the next client at once."""
        from pika.exceptions import AMQPError

        with contextlib.suppress(AMQPError, OSError):
            self._connection.close()

    def _arrived(
        self,
        topic: str,
        _channel: "BlockingChannel",
        method: "Basic.Deliver",
        _properties: "BasicProperties",
        body: bytes,
    ) -> None:
        tag = method.delivery_tag
        self.open.add(tag)
        self._take(topic, body, f"{topic}#{tag}", Settlement(self, partial(self._settle, tag)))

    def _settle(self, tag: int) -> None:
        """On the delivery's thread: the message is acknowledged with the next turn."""
        self._settled.append(tag)
        self.wake()

    def _on_cancel(self, frame: "Method[Basic.Cancel]") -> None:
        self._ended = self._consumers.get(frame.method.consumer_tag, "") or "of a consumer"
