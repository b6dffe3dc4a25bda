"""The dead letter topic read as a ledger: letters, and later records that say which of them are settled.

Kafka cannot delete one record, so replaying or dropping a letter appends a record whose header
`penstock-settles` names it as PARTITION@OFFSET. The topic's retention clears both in time.
"""

import base64
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock.connect.kafka.dead_letters import HEADERS, OWN_HEADERS
from penstock.connect.kafka.records import headers_of
from penstock.connect.kafka.settings import consumer_settings, producer_settings, refused_settings
from penstock.connect.kafka.topics import find_topic
from penstock.delivery.dead_letters import Letter
from penstock.errors import ConfigError, TemporaryError

SETTLES = "penstock-settles"
SETTLED_AS = "penstock-settled-as"
TIMEOUT_SECONDS = 30.0

_log = logging.getLogger("penstock.connect")


class KafkaLetters:
    """The dead letters of the Kafka connector."""

    def __init__(self, topic: str, settings: Mapping[str, str]) -> None:
        from confluent_kafka import Producer

        self._topic = topic
        self._settings = settings
        self._librdkafka = logging.getLogger("penstock.librdkafka")
        with refused_settings():
            self._producer = Producer(producer_settings(settings), logger=self._librdkafka)

    def read(self) -> Iterator[Letter]:
        """Two passes, so that memory stays flat: what is settled, then the letters that are not."""
        settled = {
            bytes(value).decode()
            for record in self._records()
            for name, value in headers_of(record)
            if name == SETTLES and value
        }
        for record in self._records():
            letter = _letter(record)
            if letter is not None and letter.id not in settled:
                yield letter

    def replay(self, letters: Sequence[Letter]) -> int:
        """Produce letters to the topic they came from, for the one target that refused them."""
        sent: list[Letter] = []

        def acknowledged(letter: Letter, error: Any) -> None:
            if error is None:
                sent.append(letter)
            else:
                _log.error("dead letter %s: not replayed: %s", letter.id, error.str())

        wanted = {letter.id for letter in letters}
        for record in self._records():
            letter = _letter(record)
            if letter is None or letter.id not in wanted:
                continue
            given: dict[str, Any] = dict(headers_of(record))
            own: list[tuple[str, str | bytes | None]] = [
                (name, value) for name, value in headers_of(record) if name not in HEADERS + OWN_HEADERS
            ]
            self._produce(
                given["penstock-topic"].decode(),
                # The partition it came from: the sender's partitioner may not be ours.
                partition=int(given["penstock-partition"]),
                key=record.key(),
                value=record.value(),
                headers=[*own, ("penstock-target", letter.target)],
                on_delivery=lambda error, _, letter=letter: acknowledged(letter, error),
            )
        self._flush()
        return self._settle(sent, "replayed")

    def drop(self, letters: Sequence[Letter]) -> int:
        return self._settle(letters, "dropped")

    def _settle(self, letters: Sequence[Letter], how: str) -> int:
        for letter in letters:
            self._produce(
                self._topic,
                partition=int(letter.id.partition("@")[0]),
                headers=[(SETTLES, letter.id), (SETTLED_AS, how)],
            )
        self._flush()
        return len(letters)

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

    def _records(self) -> Iterator[Any]:
        """Every record from the first to those that are there now."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition

        settings = consumer_settings(self._settings) | {
            "group.id": f"penstock-dlq-{uuid.uuid4()}",  # never joined: partitions are assigned by hand
            "enable.partition.eof": "true",
            "fetch.wait.max.ms": "10",  # the end of a partition is told after this; nobody writes to it all the time
        }
        with refused_settings():
            consumer = Consumer(settings, logger=self._librdkafka)
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


def _letter(record: Any) -> Letter | None:
    """A record as a letter; None for one that settles another, or is of somebody else."""
    headers: dict[str, Any] = {name: value or b"" for name, value in headers_of(record)}
    if SETTLES in headers:
        return None
    place = f"{record.partition()}@{record.offset()}"
    try:
        text = {name: headers.get(name, b"").decode() for name in HEADERS + OWN_HEADERS}
        data = base64.b64decode(text["knativeerrordata"])
        code, _ = int(text["knativeerrorcode"]), int(text["penstock-partition"])
    except ValueError:
        _log.warning("%s %s: not a dead letter of this connector", record.topic(), place)
        return None
    return Letter(
        place,
        record.timestamp()[1] / 1000,
        text["penstock-target"],
        code,
        text["penstock-reason"],
        f"{text['penstock-topic']}/{text['penstock-partition']}@{text['penstock-offset']}",
        {
            name: value.decode("utf-8", "backslashreplace")
            for name, value in headers.items()
            if name not in HEADERS + OWN_HEADERS
        },
        record.value() or b"",
        data,
    )
