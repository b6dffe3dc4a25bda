"""Reads the topic for dead letters as a log: dead letters, and later records that mark some of them as finished.

Kafka cannot delete one record, so replaying or dropping a dead letter appends a mark: a record whose header
`penstock-settles` names it as PARTITION@OFFSET. The topic's retention clears both in time.
"""

import base64
import logging
import uuid
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from penstock.connect.kafka.client_log import librdkafka_logger
from penstock.connect.kafka.dead_letter_topic import HEADERS, OWN_HEADERS
from penstock.connect.kafka.records import headers_of
from penstock.connect.kafka.settings import consumer_settings, producer_settings, refused_settings
from penstock.connect.kafka.topics import find_topic
from penstock.delivery.dead_letters import DeadLetter
from penstock.delivery.deliverer import Message
from penstock.errors import ConfigError, TemporaryError

FINISHES_HEADER = "penstock-settles"
FINISHED_AS_HEADER = "penstock-settled-as"
TIMEOUT_SECONDS = 30.0

_log = logging.getLogger("penstock.connect")


class DeadLetterLog:
    """The dead letters of the Kafka connector, those that are neither replayed nor dropped."""

    def __init__(self, topic: str, settings: Mapping[str, str]) -> None:
        from confluent_kafka import Producer

        self._topic = topic
        # A command says itself what fails, in its own words.
        self._settings = {"log_level": "2", **settings}
        with refused_settings():
            self._producer = Producer(producer_settings(self._settings), logger=librdkafka_logger())

    def read(self) -> Iterator[DeadLetter]:
        """Two passes, so that memory stays flat: the marks, then the dead letters that have none."""
        finished = {
            bytes(value).decode()
            for record in self._records()
            for name, value in headers_of(record)
            if name == FINISHES_HEADER and value
        }
        for record in self._records():
            letter = _read_dead_letter(record)
            if letter is not None and letter.id not in finished:
                yield letter

    def replay(self, ids: Collection[str]) -> int:
        """Produce dead letters to the topic they came from, for the one target that refused them."""
        sent: list[str] = []

        def acknowledged(letter: DeadLetter, error: Any) -> None:
            if error is None:
                sent.append(letter.id)
            else:
                _log.error("dead letter %s: not replayed: %s", letter.id, error.str())

        for record in self._records():
            letter = _read_dead_letter(record)
            if letter is None or letter.id not in ids:
                continue
            given: dict[str, Any] = dict(headers_of(record))
            topic, partition = given["penstock-topic"].decode(), int(given["penstock-partition"])
            whole = self._original(topic, partition, int(given["penstock-offset"])) if _is_short(given) else record
            if whole is None:
                place = letter.message.origin
                _log.error("dead letter %s: not replayed: its record at %s is not there any more", letter.id, place)
                continue
            own: list[tuple[str, str | bytes | None]] = [
                (name, value) for name, value in headers_of(whole) if name not in HEADERS + OWN_HEADERS
            ]
            self._produce(
                topic,
                # The partition it came from: the sender's partitioner may not be ours.
                partition=partition,
                key=whole.key(),
                value=whole.value(),
                headers=[*own, ("penstock-target", letter.message.target)],
                on_delivery=lambda error, _, letter=letter: acknowledged(letter, error),
            )
        self._flush()
        return self._mark_finished(sent, "replayed")

    def drop(self, ids: Collection[str]) -> int:
        return self._mark_finished(ids, "dropped")

    def _mark_finished(self, ids: Collection[str], how: str) -> int:
        for each in ids:
            self._produce(
                self._topic,
                partition=int(each.partition("@")[0]),
                headers=[(FINISHES_HEADER, each), (FINISHED_AS_HEADER, how)],
            )
        self._flush()
        return len(ids)

    def _produce(self, topic: str, **parts: Any) -> None:
        while True:
            try:
                self._producer.produce(topic, **parts)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _flush(self) -> None:
        if left := self._producer.flush(TIMEOUT_SECONDS):
            raise TemporaryError(f"kafka: {left} records not acknowledged within {TIMEOUT_SECONDS:g} seconds")

    def _original(self, topic: str, partition: int, offset: int) -> Any:
        """The record at this place; None when the topic has it no more."""
        from confluent_kafka import KafkaException, TopicPartition

        consumer = self._consumer()
        try:
            consumer.assign([TopicPartition(topic, partition, offset)])
            record = consumer.poll(TIMEOUT_SECONDS)
            if record is None:
                raise TemporaryError(f"topic {topic}: the brokers do not answer")
            return record if record.error() is None and record.offset() == offset else None
        except KafkaException as exc:
            raise TemporaryError(f"kafka: {exc.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS") from exc
        finally:
            consumer.close()

    def _consumer(self) -> Any:
        """A consumer that tells the end of a partition."""
        from confluent_kafka import Consumer

        settings = consumer_settings(self._settings) | {
            "group.id": f"penstock-dlq-{uuid.uuid4()}",  # never joined: partitions are assigned by hand
            "enable.partition.eof": "true",
            "fetch.wait.max.ms": "10",  # the end of a partition is told after this
        }
        with refused_settings():
            return Consumer(settings, logger=librdkafka_logger())

    def _records(self) -> Iterator[Any]:
        """Every record from the first to those that are there now."""
        from confluent_kafka import KafkaException, TopicPartition

        consumer = self._consumer()
        try:
            found = find_topic(consumer, self._topic, TIMEOUT_SECONDS)
            if found.error is not None:
                raise ConfigError(f"topic {self._topic}: {found.error.str()}; name it with --dead-letter-topic")
            open_partitions = set(found.partitions)
            consumer.assign([TopicPartition(self._topic, number, 0) for number in open_partitions])
            while open_partitions:
                record = consumer.poll(TIMEOUT_SECONDS)
                if record is None:
                    raise TemporaryError(f"topic {self._topic}: the brokers do not answer")
                error = record.error()
                if error is None:
                    yield record
                elif error.name() == "_PARTITION_EOF":
                    open_partitions.discard(record.partition())
                else:
                    raise TemporaryError(f"topic {self._topic}: {error.str()}")
        except KafkaException as exc:
            raise TemporaryError(f"kafka: {exc.args[0].str()}; check KAFKA_BOOTSTRAP_SERVERS") from exc
        finally:
            consumer.close()


def _is_short(headers: Mapping[str, Any]) -> bool:
    """Whether a dead letter is without its record's value, which was too large."""
    return "penstock-left-out" in headers


def _read_dead_letter(record: Any) -> DeadLetter | None:
    """A record as a dead letter; None for a mark, and for a record that another program wrote."""
    headers: dict[str, Any] = {name: value or b"" for name, value in headers_of(record)}
    if FINISHES_HEADER in headers:
        return None
    place = f"{record.partition()}@{record.offset()}"
    try:
        text = {name: headers.get(name, b"").decode() for name in HEADERS + OWN_HEADERS}
        data = base64.b64decode(text["knativeerrordata"])
        code, _ = int(text["knativeerrorcode"]), int(text["penstock-partition"])
    except ValueError:
        _log.warning("%s %s: not a dead letter of this connector", record.topic(), place)
        return None
    message = Message(
        record.key() or b"",
        record.value() or b"",
        {
            name: value.decode("utf-8", "backslashreplace")
            for name, value in headers.items()
            if name not in HEADERS + OWN_HEADERS
        },
        f"{text['penstock-topic']}/{text['penstock-partition']}@{text['penstock-offset']}",
        text["penstock-target"],
    )
    reason = text["penstock-reason"]
    if _is_short(headers):
        reason += f" (too large to be kept: its {text['penstock-left-out']} bytes are in {message.origin})"
    return DeadLetter(place, message, record.timestamp()[1] / 1000, code, reason, data)
