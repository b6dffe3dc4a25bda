"""The records of some Kafka topics as they come, for looking: nothing is left behind in a consumer group."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

from penstock.connect.kafka.settings import consumer_settings, refused_settings


def kafka_bodies(
    given: Mapping[str, str], topics: Sequence[str], report: Callable[[str], None], *, from_beginning: bool
) -> Iterator[bytes]:
    """Records from now on, or `from_beginning` of the topics, without end. `report` is told of errors.

    `given` holds librdkafka's settings; raises `ConfigError` for those that it refuses.
    """
    from confluent_kafka import Consumer

    settings = consumer_settings(dict(given)) | {
        "group.id": f"penstock-listen-{uuid.uuid4()}",
        "auto.offset.reset": "earliest" if from_beginning else "latest",
    }
    with refused_settings():
        consumer = Consumer(settings)
    consumer.subscribe(list(topics))
    try:
        while True:
            record = consumer.poll(0.5)
            if record is None:
                continue
            error = record.error()
            if error is None:
                yield record.value() or b""
            else:
                report(error.str())
    finally:
        consumer.close()
