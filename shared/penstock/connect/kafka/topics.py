"""Ask the brokers about a topic, in a way that a signal can end."""

import time
from collections.abc import Callable
from typing import Any

# librdkafka holds signals up for as long as it waits.
TURN_SECONDS = 1.0


def find_topic(client: Any, topic: str, timeout_seconds: float, stopping: Callable[[], bool] = lambda: False) -> Any:
    """The topic's metadata, or None once `stopping()` says so; raises `KafkaException` when no broker answers."""
    from confluent_kafka import KafkaException

    deadline = time.monotonic() + timeout_seconds
    while not stopping():
        left = max(0.0, deadline - time.monotonic())
        try:
            return client.list_topics(topic, timeout=min(left, TURN_SECONDS)).topics[topic]
        except KafkaException:
            if left <= TURN_SECONDS:
                raise
    return None
