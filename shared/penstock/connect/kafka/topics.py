"""Ask the brokers about their topics."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from penstock.connect.kafka.client_log import librdkafka_logger
from penstock.connect.kafka.settings import producer_settings

# librdkafka holds signals up for as long as it waits.
TURN_SECONDS = 1.0
ANSWER_SECONDS = 5.0
SILENT_SECONDS = 2.0
_log = logging.getLogger("penstock.connect")


# As Kafka's own check of names: org.apache.kafka.common.internals.Topic.
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")


def is_topic(name: str) -> bool:
    """Whether a topic can have this name. librdkafka takes one that begins with ^ for a pattern.

    >>> is_topic("my-topic"), is_topic("^.*"), is_topic("sensors/#")
    (True, False, False)
    """
    return _TOPIC.fullmatch(name) is not None


def find_topic(client: Any, topic: str, timeout_seconds: float, stopping: Callable[[], bool] = lambda: False) -> Any:
    """The topic's metadata, or None once `stopping()` says so; raises `KafkaException` when no broker answers.

    It asks again each second, so that a signal can end it. After `SILENT_SECONDS` it logs that no broker answers.
    """
    from confluent_kafka import KafkaException

    started = time.monotonic()
    deadline, told = started + timeout_seconds, False
    while not stopping():
        left = max(0.0, deadline - time.monotonic())
        try:
            return client.list_topics(topic, timeout=min(left, TURN_SECONDS)).topics[topic]
        except KafkaException as exc:
            if left <= TURN_SECONDS:
                raise
            if not told and time.monotonic() - started >= SILENT_SECONDS:
                told = True
                _log.warning("kafka: no broker answers yet (%s); asking for %.0f s more", exc.args[0].str(), left)
    return None


def brokers_answer(settings: Mapping[str, str]) -> bool:
    """Whether a broker answers a client that connects now; takes at most `ANSWER_SECONDS`."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({**producer_settings(settings)}, logger=librdkafka_logger())
    try:
        return bool(client.list_topics(timeout=ANSWER_SECONDS).brokers)
    except KafkaException:
        return False
