"""Offsets in and out of the brokers, in confluent-kafka's words."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

COMMITTED_SECONDS = 10.0

_log = logging.getLogger("penstock.connect")


def places(keys: Iterable[tuple[str, int]]) -> list[Any]:
    from confluent_kafka import TopicPartition

    return [TopicPartition(*key) for key in keys]


def names(found: Sequence[Any]) -> str:
    return ", ".join(f"{place.topic}/{place.partition}" for place in found) or "nothing"


def committed(consumer: Any, assigned: Sequence[Any]) -> Sequence[Any]:
    """What the group had committed for these partitions: offset and metadata, or nothing when no broker answers."""
    from confluent_kafka import KafkaException

    if not assigned:
        return assigned
    try:
        found: Sequence[Any] = consumer.committed(assigned, timeout=COMMITTED_SECONDS)
    except KafkaException as exc:
        _log.warning("kafka: %s; some records may be delivered again", exc.args[0].str())
        return assigned
    return found


def commit(consumer: Any, offsets: Iterable[tuple[str, int, int, str]], *, wait: bool) -> bool:
    """Commit topic, partition, offset and metadata; False when that was refused for any of them, which is logged."""
    from confluent_kafka import KafkaException, TopicPartition

    try:
        ended = consumer.commit(offsets=[TopicPartition(*each) for each in offsets], asynchronous=not wait)
    except KafkaException as exc:
        _log.warning("kafka: offsets not committed: %s", exc.args[0].str())
        return False
    refused = [place for place in ended or () if place.error is not None]
    for place in refused:
        _log.warning("kafka: offset of %s/%d not committed: %s", place.topic, place.partition, place.error.str())
    return not refused
