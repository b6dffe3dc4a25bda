"""The queue of one topic: found, or made as a quorum queue, and bound to an exchange where one is named."""

from typing import TYPE_CHECKING

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from pika import BlockingConnection

# Of AMQP 0-9-1, section 1.2: what is named is not there.
_NOT_FOUND = 404

# RabbitMQ 4 drops a message of a quorum queue that came back 20 times, which some restarts of connectors reach. There,
# -1 means never. RabbitMQ 3.10 takes -1 too, and drops a message that came back once. A large number is right for both.
# Source: RabbitMQ's guide to quorum queues, "poison message handling".
DELIVERY_LIMIT = 2**31 - 1
ARGUMENTS = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}


def prepare_queue(connection: "BlockingConnection", name: str, exchange: str) -> None:
    """Find or make a queue. Raises `ConfigError` when the broker refuses it, and pika's errors when it is lost."""
    from pika.exceptions import ChannelClosedByBroker

    if _exists(connection, name):
        _refuse_stream(connection, name)
    else:
        channel = connection.channel()
        try:
            channel.queue_declare(name, durable=True, arguments=dict(ARGUMENTS))
        except ChannelClosedByBroker as exc:
            raise ConfigError(f"queue {name}: the broker refused to make it: {exc.reply_text}") from None
        channel.close()
    if not exchange:
        return
    channel = connection.channel()
    try:
        channel.queue_bind(name, exchange, routing_key=name)
    except ChannelClosedByBroker as exc:
        remedy = "; the store makes the exchange when its target is applied" if exc.reply_code == _NOT_FOUND else ""
        raise ConfigError(f"queue {name}, exchange {exchange}: {exc.reply_text}{remedy}") from None
    channel.close()


def _exists(connection: "BlockingConnection", name: str) -> bool:
    """Whether there is a queue of this name; the broker closes the channel where there is none."""
    from pika.exceptions import ChannelClosedByBroker

    channel = connection.channel()
    try:
        channel.queue_declare(name, passive=True)
    except ChannelClosedByBroker as exc:
        if exc.reply_code == _NOT_FOUND:
            return False
        raise ConfigError(f"queue {name}: the broker refused it: {exc.reply_text}") from None
    channel.close()
    return True


def _refuse_stream(connection: "BlockingConnection", name: str) -> None:
    """Raise `ConfigError` for a stream: a reader starts at its end, so what came before would be lost.

    The broker tells the type of a queue only in its answer to a declaration that differs.
    """
    from pika.exceptions import ChannelClosedByBroker

    channel = connection.channel()
    try:
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    except ChannelClosedByBroker as exc:
        if "is 'stream'" in exc.reply_text:
            raise ConfigError(f"queue {name} is a stream; give the name of a quorum queue or a classic queue") from None
        return
    channel.close()
