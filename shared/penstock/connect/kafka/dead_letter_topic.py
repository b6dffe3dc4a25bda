"""Writes the topic for dead letters: the record as it was, and in its headers why it was given up.

`knativeerrordest`, `knativeerrorcode` and `knativeerrordata` (base64) are Knative's error extensions, as its
brokers set them (https://knative.dev/docs/eventing/event-delivery/); the `penstock-` ones say where the record
came from, so that it can be replayed to the one target that refused it.

A dead letter that is too large for the brokers is stored without the record's value and headers, and
`penstock-left-out` has the number of bytes: the record is read from its own topic when it is replayed.
"""

import base64
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock.connect.kafka.client_log import librdkafka_logger
from penstock.connect.kafka.progress import PendingRecord
from penstock.connect.kafka.records import MAX_KEY_BYTES, headers_of
from penstock.connect.kafka.settings import refused_settings
from penstock.connect.kafka.topics import find_topic
from penstock.delivery.deliverer import Verdict
from penstock.delivery.identity import body_without_identity
from penstock.errors import ConfigError

# Knative keeps 1 KB; more would help little and might push a large record over the broker's limit.
KEPT_DATA_BYTES = 1024
KEPT_REASON_CHARACTERS = 400  # of a dead letter that was too large
RETRY_SECONDS = 5.0
HEADERS = ("knativeerrordest", "knativeerrorcode", "knativeerrordata")
OWN_HEADERS = (
    "penstock-target",
    "penstock-reason",
    "penstock-topic",
    "penstock-partition",
    "penstock-offset",
    "penstock-left-out",
)

_TOO_LARGE = "MSG_SIZE_TOO_LARGE"  # of the brokers, and of the client's own message.max.bytes

_log = logging.getLogger("penstock.connect")


@dataclass(frozen=True, slots=True)
class _UnstoredDeadLetter:
    """A record that is to be stored, with the headers to write; not before `due`, in seconds of the clock.

    `refused` is what the brokers said to the try before, or "".
    """

    pending: PendingRecord
    key: bytes | None
    value: bytes
    headers: list[tuple[str, str | bytes | None]]
    due: float = 0.0
    refused: str = ""
    is_short: bool = False


class DeadLetterTopic:
    """Stores dead letters. `add` may be called by any thread, the rest by the one that consumes.

    `stored(pending)` is called once the brokers have acknowledged the dead letter; until then it is retried.
    """

    def __init__(
        self,
        topic: str,
        settings: Mapping[str, str],
        stored: Callable[[PendingRecord], None],
        *,
        clock: Callable[[], float],
        keep_identity: bool = False,
    ) -> None:
        from confluent_kafka import Producer

        self._keep_identity = keep_identity

        self.topic = topic
        self._brokers = settings.get("bootstrap.servers", "")
        self._stored = stored
        self._clock = clock
        self._waiting: deque[_UnstoredDeadLetter] = deque()
        with refused_settings():
            self._producer = Producer(dict(settings), logger=librdkafka_logger())
        self._under_way: dict[int, _UnstoredDeadLetter] = {}
        self.count = 0

    def check(self, timeout_seconds: float, stopping: Callable[[], bool] = lambda: False) -> None:
        """Raise `ConfigError` unless the topic exists; return early once `stopping()` says so."""
        from confluent_kafka import KafkaException

        try:
            found = find_topic(self._producer, self.topic, timeout_seconds, stopping)
        except KafkaException as exc:
            raise ConfigError(
                f"bootstrap.servers={self._brokers}: no broker answers: {exc.args[0].str()}; "
                "check KAFKA_BOOTSTRAP_SERVERS"
            ) from exc
        if found is not None and found.error is not None:
            raise ConfigError(
                f"topic {self.topic}: {found.error.str()}; create it, or name another with --dead-letter-topic"
            )

    def add(self, pending: PendingRecord, target: str, url: str, verdict: Verdict) -> None:
        """Take a dead letter on, for the target of this name and URL, which gave this verdict."""
        record = pending.record
        if record is None:
            return  # finished already: it has nothing left to store
        headers: list[tuple[str, str | bytes | None]] = [
            (name, value) for name, value in headers_of(record) if name not in HEADERS + OWN_HEADERS
        ]
        data = base64.b64encode(verdict.data[:KEPT_DATA_BYTES])
        own = (
            ("knativeerrordest", url),
            ("knativeerrorcode", str(verdict.code)),
            ("knativeerrordata", data.decode("ascii")),
            ("penstock-target", target),
            ("penstock-reason", verdict.reason),
            ("penstock-topic", record.topic()),
            ("penstock-partition", str(record.partition())),
            ("penstock-offset", str(record.offset())),
        )
        headers += own
        value = record.value() or b""
        kept = value if self._keep_identity else body_without_identity(value)
        self._waiting.append(_UnstoredDeadLetter(pending, record.key(), kept, headers))

    @property
    def pending(self) -> int:
        """Dead letters that are not stored yet."""
        return len(self._waiting) + len(self._under_way)

    @property
    def error(self) -> str:
        """Why a dead letter could not be stored, until that one is; "" where none was refused."""
        letters = [*self._waiting, *self._under_way.copy().values()]
        return next((letter.refused for letter in letters if letter.refused), "")

    def work(self) -> None:
        """Send what waits and take acknowledgements."""
        from confluent_kafka import KafkaException

        for _ in range(len(self._waiting)):
            letter = self._waiting.popleft()
            if letter.due > self._clock():
                self._waiting.append(letter)
                continue
            try:
                self._produce(letter)
            except BufferError:  # librdkafka's queue is full
                self._waiting.appendleft(letter)
                break
            except KafkaException as exc:
                self._failed(letter, exc.args[0])
        self._producer.poll(0)

    def flush(self, timeout_seconds: float) -> None:
        """Wait until everything is stored, or the time is over."""
        end = self._clock() + timeout_seconds
        while self.pending and self._clock() < end:
            self.work()
            if self._under_way:
                self._producer.flush(min(0.1, timeout_seconds))
            else:  # only letters that wait for their next try: a flush of nothing returns at once
                self._producer.poll(min(0.1, timeout_seconds))

    def _produce(self, letter: _UnstoredDeadLetter) -> None:
        def acknowledged(error: Any, _: Any) -> None:
            del self._under_way[id(letter)]
            if error is None:
                self.count += 1
                self._stored(letter.pending)
                return
            self._failed(letter, error)

        self._under_way[id(letter)] = letter
        try:
            self._producer.produce(
                self.topic,
                value=letter.value,
                key=letter.key,
                headers=letter.headers,
                on_delivery=acknowledged,
            )
        except BaseException:
            del self._under_way[id(letter)]
            raise

    def _failed(self, letter: _UnstoredDeadLetter, error: Any) -> None:
        if error.name() == _TOO_LARGE and not letter.is_short:
            _log.warning("dead letter topic %s: %s; the record's value is left out", self.topic, error.str())
            self._waiting.append(_shortened(letter))
            return
        refused = f"dead letter topic {self.topic}: {error.str()}"
        _log.error("%s; the record stays uncommitted and is tried again", refused)
        self._waiting.append(replace(letter, due=self._clock() + RETRY_SECONDS, refused=refused))


def _shortened(letter: _UnstoredDeadLetter) -> _UnstoredDeadLetter:
    """The same dead letter without the record's value and headers: it says where the record is."""
    own: list[tuple[str, str | bytes | None]] = []
    for name, value in letter.headers:
        if name == "knativeerrordata":
            own.append((name, ""))
        elif name == "penstock-reason":
            own.append((name, str(value)[:KEPT_REASON_CHARACTERS]))
        elif name in HEADERS + OWN_HEADERS:
            own.append((name, value))
    own.append(("penstock-left-out", str(len(letter.value))))
    key = letter.key if letter.key is not None and len(letter.key) <= MAX_KEY_BYTES else None
    return replace(letter, key=key, value=b"", headers=own, is_short=True)
