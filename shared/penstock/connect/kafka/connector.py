"""The consumer's loop: read, hand to the delivery core, commit what is finished, pause what is full.

One thread reads, commits and stores dead letters; the courier's thread delivers. An offset is committed only
when every record up to it was answered finally or is stored as a dead letter.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.connect.kafka.dead_letters import DeadLetterTopic
from penstock.connect.kafka.offsets import commit, committed, names, places
from penstock.connect.kafka.progress import Entry, Partition
from penstock.connect.kafka.records import Make, replay_target
from penstock.connect.kafka.settings import consumer_settings, producer_settings, refused_settings
from penstock.connect.kafka.statistics import Statistics
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.delivery.deliverer import Message, Outcome, Policy, Verdict
from penstock.delivery.measures import DeliveryMeasures
from penstock.delivery.sender import Courier

BATCH = 500
POLL_SECONDS = 0.1
# A target that stays full this long gets its topics paused, so that the others go on.
FULL_SECONDS = 0.5
DEAD_FLUSH_SECONDS = 5.0
DRAIN_COMMIT_SECONDS = 10.0
FULL_POLL_SECONDS = 0.002

_log = logging.getLogger("penstock.connect")


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_uncommitted` records per partition are read ahead of the oldest that is not finished."""

    max_uncommitted: int = 10_000
    drain_seconds: float = 25.0
    commit_seconds: float = 1.0


class Connector:
    """Delivers the records of some topics to those who want them, until `stop`."""

    def __init__(
        self,
        settings: Mapping[str, str],
        make: Make,
        finder: Finder,
        dead_letter_topic: str,
        *,
        policy: Policy | None = None,
        limits: Limits | None = None,
        measures: DeliveryMeasures | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from confluent_kafka import Consumer

        self._make = make
        self._finder = finder
        self._limits = limits or Limits()
        self._clock = clock
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._paused: set[tuple[str, int]] = set()
        self._full_since: dict[str, float] = {}
        self._wanted = Subscriptions({}, {})
        self._quantum = max(1, min(BATCH, (policy or Policy()).max_in_flight // 2))
        self._stopping = threading.Event()
        self._draining = False
        self.measures = measures or DeliveryMeasures()
        self.statistics = Statistics()
        self.last_turn = clock()
        self._courier = Courier(policy or Policy(), self._finished, observe=self.measures.observe)
        self._dead = DeadLetterTopic(dead_letter_topic, producer_settings(settings), self._stored, clock=clock)
        librdkafka = logging.getLogger("penstock.librdkafka")
        with refused_settings():
            self._consumer = Consumer(
                {
                    **consumer_settings(settings),
                    "stats_cb": self.statistics.update,
                    "error_cb": self.statistics.fail,
                    "on_commit": self._commit_ended,
                },
                logger=librdkafka,
            )
        self._add_gauges()

    def check(self, timeout_seconds: float = 30.0) -> None:
        """Raise `ConfigError` unless a broker answers and the topic for dead letters exists; `stop` ends it too."""
        self._dead.check(timeout_seconds, self._stopping.is_set)

    def stop(self) -> None:
        """Let `run` drain and return; may be called by any thread and by a signal handler."""
        self._stopping.set()

    def unready(self) -> str:
        """Why records do not flow, or ""."""
        if not self._wanted.topics:
            return "no function wants a topic yet"
        return self.statistics.problem() or self._dead.error

    def ill(self) -> str:
        """What a restart would mend, or ""."""
        silent = self._clock() - self.last_turn
        return f"the loop has not turned for {silent:.0f} seconds" if silent > 60 else self.statistics.fatal

    def run(self) -> None:
        """Consume until `stop` is called or librdkafka reports a fatal error; then drain."""
        self._courier.start(())
        self._finder.start()
        committed_at = self._clock()
        try:
            while not self._stopping.is_set() and not self.statistics.fatal:
                self.last_turn = self._clock()
                self._apply_discovery()
                self._dead.work()
                if self.last_turn - committed_at >= self._limits.commit_seconds:
                    self._commit(self._partitions.values(), wait=False)
                    committed_at = self.last_turn
                self._turn()
        finally:
            _log.info("kafka: ending")
            self._finder.stop()
            self._drain()

    def _turn(self) -> None:
        """Read one batch, unless a target that wants it is full."""
        if self._balance():
            self._stopping.wait(FULL_POLL_SECONDS)
            return
        topics = {topic for topic, _ in self._partitions.keys() - self._paused}
        room = min((self._room(topic) for topic in topics), default=BATCH)
        # `consume` would wait until its batch is full; this way a single record is on its way at once.
        first = self._consumer.poll(POLL_SECONDS)
        if first is not None:
            self._take([first, *self._consumer.consume(min(room, BATCH) - 1, 0.0)])

    def _room(self, topic: str) -> int:
        """Messages that every target of this topic takes now; too few to be worth a batch count as none."""
        room = min((self._courier.room(name) for name in self._wanted.topics.get(topic, ())), default=BATCH)
        return room if room >= self._quantum else 0

    def _balance(self) -> bool:
        """Pause and resume partitions; True when a target is full only since a moment ago and is worth waiting for."""
        now = self._clock()
        full = {topic for topic in {topic for topic, _ in self._partitions} if not self._room(topic)}
        self._full_since = {topic: self._full_since.get(topic, now) for topic in full}
        lasting = {topic for topic, since in self._full_since.items() if now - since > FULL_SECONDS}
        limit = self._limits.max_uncommitted
        pause, resume = [], []
        for place, partition in self._partitions.items():
            if place not in self._paused:
                if partition.topic in lasting or partition.outstanding >= limit:
                    pause.append(place)
            elif partition.topic not in full and partition.outstanding <= limit // 2:
                resume.append(place)
        if pause:
            self._consumer.pause(places(pause))
            self._paused.update(pause)
        if resume:
            self._consumer.resume(places(resume))
            self._paused.difference_update(resume)
        return bool(full - lasting)

    def _take(self, records: Sequence[Any]) -> None:
        batch: list[Message] = []
        for record in records:
            error = record.error()
            if error is not None:
                if error.name() != "_PARTITION_EOF":
                    _log.warning("kafka: %s %s", record.topic(), error.str())
                continue
            topic = record.topic()
            partition = self._partitions.get((topic, record.partition()))
            if partition is None:  # revoked between reading and here
                continue
            entry = Entry(partition, record)
            names = replay_target(record) or self._wanted.topics.get(topic, ())
            if partition.was_finished(record.offset()):
                names = ()
            made = [each for name in names for each in self._make(record, name, entry)]
            partition.begin(record.offset(), entry, len(made))
            batch += made
        if batch:
            self._courier.submit(batch)

    def _finished(self, message: Message, verdict: Verdict) -> None:
        """On the courier's thread: a message was delivered, or has to be stored as a dead letter first."""
        entry: Entry = message.receipt
        if verdict.outcome is Outcome.DELIVERED:
            entry.partition.finish(entry)
        else:
            _log.error("%s to %s: dead letter: %s", message.origin, message.target, verdict.reason)
            target = self._wanted.targets.get(message.target)
            self._dead.add(entry, entry.record, message.target, target.url if target else "", verdict)

    def _stored(self, entry: Entry) -> None:
        self.measures.count("penstock_dead_letters", "Dead letters stored.")
        entry.partition.finish(entry)

    def _assigned(self, consumer: Any, assigned: Sequence[Any]) -> None:
        for place in committed(consumer, assigned):
            partition = Partition(place.topic, place.partition, place.offset, place.metadata or "")
            self._partitions[place.topic, place.partition] = partition
        _log.info("kafka: assigned %s", names(assigned))

    def _revoked(self, _: Any, revoked: Sequence[Any]) -> None:
        """Before another member gets them: finish what is under way and commit it, forget the rest."""
        _log.info("kafka: revoked %s", names(revoked))
        gone = self._forget(revoked)
        if gone and not self._draining:
            self._courier.withdraw(lambda message: message.receipt.partition in gone, self._limits.drain_seconds)
            self._dead.flush(DEAD_FLUSH_SECONDS)
        self._commit(gone, wait=True)

    def _lost(self, _: Any, lost: Sequence[Any]) -> None:
        """Another member has them already: nothing of theirs may be committed any more."""
        _log.warning("kafka: lost %s; what was under way will be delivered again", names(lost))
        gone = self._forget(lost)
        if not self._draining:
            self._courier.withdraw(lambda message: message.receipt.partition in gone, 0.0)

    def _forget(self, gone: Sequence[Any]) -> set[Partition]:
        keys = [(place.topic, place.partition) for place in gone]
        self._paused.difference_update(keys)
        return {self._partitions.pop(key) for key in keys if key in self._partitions}

    def _commit(self, partitions: Iterable[Partition], *, wait: bool) -> bool:
        """Commit what has moved since the last confirmed commit; False when the brokers refused."""
        moved = [
            (partition, progress)
            for partition in partitions
            if (progress := partition.progress()) is not None and progress != partition.committed
        ]
        if moved and not commit(self._consumer, [(part.topic, part.number, *to) for part, to in moved], wait=wait):
            return False
        if wait:
            for partition, progress in moved:
                partition.committed = progress
        return True

    def _commit_ended(self, error: Any, places: Sequence[Any]) -> None:
        """A commit that was not waited for. What no broker confirmed, or not for this partition, is said again.

        One that a broker took down with it may never be answered.
        """
        if error is not None:
            _log.warning("kafka: offsets not committed: %s", error.str())
            return
        for place in places:
            partition = self._partitions.get((place.topic, place.partition))
            if partition is not None and place.error is None:
                partition.committed = place.offset, place.metadata or ""

    def _apply_discovery(self) -> None:
        found = self._finder.news()
        if found is None or found == self._wanted:
            return
        # A target nobody names any more keeps what it holds: the gateway's 404 makes dead letters of it.
        kept = {name: target for name, target in self._wanted.targets.items() if self._courier.held(name)}
        targets = {**kept, **found.targets}
        self._courier.configure(targets.values())
        topics_before = set(self._wanted.topics)
        self._wanted = Subscriptions(targets, found.topics)
        if set(found.topics) != topics_before:
            _log.info("kafka: topics %s", ", ".join(sorted(found.topics)) or "none")
            if found.topics:
                self._consumer.subscribe(
                    sorted(found.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
                )
            else:
                self._consumer.unsubscribe()

    def _drain(self) -> None:
        if not self._courier.stop(self._limits.drain_seconds):
            _log.warning("requests under way were cut off; their records will be delivered again")
        self._draining = True
        self._dead.flush(DEAD_FLUSH_SECONDS)
        self._consumer.pause(places(self._partitions))
        end = self._clock() + DRAIN_COMMIT_SECONDS
        # In the middle of a rebalance commits are refused; it goes on when the consumer is polled.
        while not self._commit(self._partitions.values(), wait=True) and self._clock() < end:
            self._consumer.poll(POLL_SECONDS)
        self._partitions.clear()
        self._consumer.close()

    def _add_gauges(self) -> None:
        # At zero from the start: a counter that appears with its first value is no increase to Prometheus.
        self.measures.count("penstock_dead_letters", "Dead letters stored.", 0)
        gauge = self.measures.gauge
        gauge("penstock_kafka_lag", "Records after the committed offset.", self.statistics.lag)
        gauge(
            "penstock_kafka_uncommitted",
            "Records read and not committable yet.",
            lambda: [
                ({"topic": topic, "partition": str(number)}, partition.outstanding)
                for (topic, number), partition in list(self._partitions.items())
            ],
        )
        gauge("penstock_kafka_paused", "Partitions that wait for room.", lambda: [({}, len(self._paused))])
        gauge("penstock_dead_letters_pending", "Not stored yet.", lambda: [({}, self._dead.pending)])
        gauge(
            "penstock_delivery_held",
            "Messages in memory, not finished.",
            lambda: [({"target": name}, self._courier.held(name)) for name in list(self._wanted.targets)],
        )
