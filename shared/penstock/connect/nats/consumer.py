"""The durable pull consumer of one subject: found, or made, and checked."""

import hashlib
from typing import TYPE_CHECKING

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from nats.js import JetStreamContext

# How long a message may be without a sign of life before another connector gets it; `+WPI` is such a sign.
ACK_WAIT_SECONDS = 30.0


def consumer_name(group: str, subject: str) -> str:
    """A name that all connectors of a group have for one subject.

    >>> consumer_name("penstock", "lake.upload")
    'penstock-lake_upload-98c6a6e1'
    """
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in subject)[:40]
    return f"{group}-{plain}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}"


async def subscribe(
    stream: "JetStreamContext", group: str, subject: str
) -> tuple["JetStreamContext.PullSubscription", float]:
    """A subscription to the group's consumer of a subject, and its acknowledgement wait in seconds.

    Raises `ConfigError` when no stream has the subject, or the consumer is not one of ours.
    """
    from nats.js.api import AckPolicy, ConsumerConfig
    from nats.js.errors import NotFoundError

    try:
        name = await stream.find_stream_name_by_subject(subject)
    except NotFoundError:
        raise ConfigError(
            f"no stream has the subject {subject}; make one, for example: nats stream add --subjects {subject}"
        ) from None
    durable = consumer_name(group, subject)
    try:
        config = (await stream.consumer_info(name, durable)).config
    except NotFoundError:
        wanted = ConsumerConfig(
            durable_name=durable,
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            max_deliver=-1,
            # Each connector bounds what it takes; a bound here would let a killed one hold up the others.
            max_ack_pending=-1,
        )
        config = (await stream.add_consumer(name, wanted)).config
    if config.ack_policy != AckPolicy.EXPLICIT or config.filter_subject != subject or config.deliver_subject:
        raise ConfigError(
            f"the consumer {durable} of stream {name} is not a pull consumer of {subject} that acknowledges each "
            "message; remove it, or give another --group"
        )
    return await stream.pull_subscribe_bind(consumer=durable, stream=name), config.ack_wait or ACK_WAIT_SECONDS
