"""The queue of one topic: found, or made as a quorum queue, and bound to an exchange where one is named."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from penstock.connect.amqp.broker import AmqpBroker
from penstock.errors import ConfigError

if TYPE_CHECKING:
    from pika import BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.exceptions import ChannelClosedByBroker

# Of AMQP 0-9-1, section 1.2: what is named is not there.
_NOT_FOUND = 404
_MAX_NAME_BYTES = 255  # a short string of AMQP 0-9-1

# RabbitMQ 4 drops a message of a quorum queue that came back 20 times, which some restarts of connectors reach. There,
# -1 means never. RabbitMQ 3.10 takes -1 too, and drops a message that came back once. A large number is right for both.
# Source: RabbitMQ's guide to quorum queues, "poison message handling".
DELIVERY_LIMIT = 2**31 - 1
ARGUMENTS: Mapping[str, str | int] = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}


def prepare_queue(connection: "BlockingConnection", name: str, broker: AmqpBroker) -> None:
    """Find or make a queue, and bind it. Raises `ConfigError` when the broker refuses, and pika's errors."""
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise ConfigError(f"queue {name[:40]}...: a name has at most {_MAX_NAME_BYTES} bytes")
    queue, exchange = f"queue {name}", broker.exchange
    if _is_there(connection, queue, lambda channel: channel.queue_declare(name, passive=True)):
        _refuse_stream(connection, name)
    else:
        _demand(connection, queue, lambda channel: channel.queue_declare(name, durable=True, arguments=ARGUMENTS))
    if not exchange:
        return
    # MinIO makes its exchange only when it sends the first event, which is lost when no queue is bound by then.
    subject = f"exchange {exchange}"
    if not _is_there(connection, subject, lambda channel: channel.exchange_declare(exchange, passive=True)):
        kind = broker.exchange_type
        _demand(connection, subject, lambda channel: channel.exchange_declare(exchange, kind, durable=True))
    _demand(connection, f"{queue}, {subject}", lambda channel: channel.queue_bind(name, exchange, name))


def _refuse_stream(connection: "BlockingConnection", name: str) -> None:
    """Raise `ConfigError` for a stream: a reader starts at its end, so what came before would be lost.

    The broker tells the type of a queue only in its answer to a declaration that differs.
    """
    kind = {"x-queue-type": "quorum"}
    refused = _ask(connection, lambda channel: channel.queue_declare(name, durable=True, arguments=kind))
    if refused is not None and "is 'stream'" in refused.reply_text:
        raise ConfigError(f"queue {name} is a stream; give the name of a quorum queue or a classic queue")


def _is_there(connection: "BlockingConnection", subject: str, look: Callable[["BlockingChannel"], object]) -> bool:
    refused = _ask(connection, look)
    if refused is not None and refused.reply_code != _NOT_FOUND:
        raise ConfigError(f"{subject}: the broker refused it: {refused.reply_text}")
    return refused is None


def _demand(connection: "BlockingConnection", subject: str, act: Callable[["BlockingChannel"], object]) -> None:
    if (refused := _ask(connection, act)) is not None:
        raise ConfigError(f"{subject}: the broker refused it: {refused.reply_text}")


def _ask(
    connection: "BlockingConnection", act: Callable[["BlockingChannel"], object]
) -> "ChannelClosedByBroker | None":
    """One request on a channel of its own, which the broker closes when it refuses; its refusal, or None."""
    from pika.exceptions import ChannelClosedByBroker

    channel = connection.channel()
    try:
        act(channel)
    except ChannelClosedByBroker as exc:
        return exc
    channel.close()
    return None
