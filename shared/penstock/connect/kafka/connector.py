"""The connector's loop: read, hand to the delivery core, commit what is finished, pause what is full.

The way of a record, and the thread that takes each step:

    consuming   read, and `Partition.begin`: the record is pending, and waits for each message made of it
    sending     a message was delivered:  PendingRecord.finish
                a message was given up:   DeadLetterTopic.add
    consuming   the brokers have stored the dead letter:  PendingRecord.finish
    consuming   commit the offset up to which every record is finished

The `PendingRecord` is the receipt of its messages, so it comes back with each verdict. An offset is committed only when
every record up to it was answered finally or is stored as a dead letter.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.connect.kafka.arrivals import Arrivals
from penstock.connect.kafka.dead_letter_topic import DeadLetterTopic
from penstock.connect.kafka.group_member import GroupMember
from penstock.connect.kafka.progress import Partition, PendingRecord
from penstock.connect.kafka.records import Make, is_tombstone, replay_target
from penstock.connect.kafka.settings import producer_settings
from penstock.connect.kafka.statistics import Statistics
from penstock.connect.kafka.topics import brokers_answer, is_topic
from penstock.connect.subscription_watch import SubscriptionState, SubscriptionWatch
from penstock.connect.subscriptions import Finder, Subscriptions, names_refused
from penstock.delivery.deliverer import DeliveryOutcome, Message, Policy, Verdict
from penstock.delivery.measures import DeliveryMeasures
from penstock.delivery.sender import Sender
from penstock.process import metric_table
from penstock.settings.connector_table import DELIVERY_DRAIN_SECONDS

if TYPE_CHECKING:
    from penstock.process.tracing import Tracer

BATCH = 500
# A target that stays full this long gets its topics paused, so that the others go on.
FULL_SECONDS = 0.5
DEAD_FLUSH_SECONDS = 5.0
FULL_POLL_SECONDS = 0.002
ILL_AFTER_SECONDS = 60.0
# How long a start waits for a broker, before it listens for probes: startupProbe of the manifests leaves room for it.
BROKER_SECONDS = 30.0

_log = logging.getLogger("penstock.connect")


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_uncommitted` records per partition are read ahead of the oldest that is not finished."""

    max_uncommitted: int = 10_000
    drain_seconds: float = DELIVERY_DRAIN_SECONDS.default
    commit_seconds: float = 1.0


class Connector:
    """Delivers the records of some topics to the targets that want them, until `stop`.

    `watch` says when the consumer no longer works and another must be made; by default a minute after it last did.
    `keep_identity` keeps the uploader and the client's address in dead letters.
    """

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
        watch: SubscriptionWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
        keep_identity: bool = False,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._settings = settings
        self._make = make
        self._finder = finder
        self._limits = limits or Limits()
        self._clock = clock
        self._full_since: dict[str, float] = {}
        self._wanted = Subscriptions({}, {})
        self._subscribed = False
        self._refusal = ""  # names that functions want and no topic has
        self._quantum = max(1, min(BATCH, (policy or Policy()).max_in_flight // 2))
        self._stopping = threading.Event()
        self._watch = watch or SubscriptionWatch("kafka", lambda: brokers_answer(settings), clock=clock)
        self.measures = measures or DeliveryMeasures()
        self.last_turn = clock()
        self._sender: Sender[PendingRecord] = Sender(
            policy or Policy(), self._ended, observe=self.measures.observe, tracer=tracer
        )
        self._dead = DeadLetterTopic(
            dead_letter_topic, producer_settings(settings), self._stored, clock=clock, keep_identity=keep_identity
        )
        self._member = GroupMember(settings, self._leaving, clock=clock)
        self._arrivals = Arrivals(lambda: self._member.unread_ends(), clock=clock)  # noqa: PLW0108 - the member changes
        self._add_metrics()

    @property
    def statistics(self) -> Statistics:
        """What librdkafka says of the present consumer."""
        return self._member.statistics

    def check(self, timeout_seconds: float = BROKER_SECONDS) -> None:
        """Raise `ConfigError` unless a broker answers and the topic for dead letters exists; `stop` ends it too."""
        self._dead.check(timeout_seconds, self._stopping.is_set)

    def stop(self) -> None:
        """Let `run` drain and return; may be called by any thread and by a signal handler."""
        self._stopping.set()

    def unready(self) -> str:
        """Why records do not flow, or ""."""
        if self._watch.state in (SubscriptionState.UNREACHABLE, SubscriptionState.STALLED) or not self._wanted.topics:
            return self._watch.problem()
        return self.statistics.problem() or self._dead.error or self._refusal

    def ill(self) -> str:
        """What a restart would mend, or ""."""
        silent = self._clock() - self.last_turn
        if silent > ILL_AFTER_SECONDS:
            return f"the loop has not turned for {silent:.0f} seconds"
        return self.statistics.fatal or self._watch.ill()

    def run(self) -> None:
        """Consume until `stop` is called or librdkafka reports a fatal error; then drain."""
        self._sender.start(())
        self._finder.start()
        committed_at = self._clock()
        try:
            while not self._stopping.is_set() and not self.statistics.fatal:
                self.last_turn = self._clock()
                self._apply_discovery()
                self._look_after_member()
                self._dead.work()
                if self.last_turn - committed_at >= self._limits.commit_seconds:
                    self._member.commit(wait=False)
                    committed_at = self.last_turn
                self._turn()
        finally:
            _log.info("kafka: ending")
            self._finder.stop()
            self._drain()

    def _turn(self) -> None:
        """Read one batch, unless a target that wants it is full."""
        if self._balance():
            self._arrivals.saw(record=False)
            self._stopping.wait(FULL_POLL_SECONDS)
            return
        topics = {topic for topic, _ in self._member.partitions.keys() - self._member.paused}
        room = min((self._room(topic) for topic in topics), default=BATCH)
        records = self._member.read(min(room, BATCH))
        if records or not topics:
            self._arrivals.saw(record=bool(records))
        self._take(records)

    def _room(self, topic: str) -> int:
        """Messages that every target of this topic takes now; too few to be worth a batch count as none."""
        room = min((self._sender.room(name) for name in self._wanted.topics.get(topic, ())), default=BATCH)
        return room if room >= self._quantum else 0

    def _balance(self) -> bool:
        """Pause and resume partitions; True when a target is full only since a moment ago and is worth waiting for."""
        now = self._clock()
        full = {topic for topic in {topic for topic, _ in self._member.partitions} if not self._room(topic)}
        self._full_since = {topic: self._full_since.get(topic, now) for topic in full}
        lasting = {topic for topic, since in self._full_since.items() if now - since > FULL_SECONDS}
        self._member.balance(full, lasting, self._limits.max_uncommitted)
        return bool(full - lasting)

    def _take(self, records: Sequence[Any]) -> None:
        batch: list[Message[PendingRecord]] = []
        for record in records:
            error = record.error()
            if error is not None:
                if error.name() != "_PARTITION_EOF":
                    _log.warning("kafka: %s %s", record.topic(), error.str())
                continue
            topic = record.topic()
            partition = self._member.partitions.get((topic, record.partition()))
            if partition is None:  # revoked between reading and here
                continue
            pending = PendingRecord(partition, record)
            names = replay_target(record) or self._wanted.topics.get(topic, ())
            if partition.was_finished(record.offset()):
                names = ()
            elif is_tombstone(record):
                names = ()
                self._tombstones.inc()
            made = [each for name in names for each in self._make(record, name, pending)]
            partition.begin(record.offset(), pending, len(made))
            batch += made
        if batch:
            self._sender.submit(batch)

    def _ended(self, message: Message[PendingRecord], verdict: Verdict) -> None:
        """On the sender's thread: a message was delivered, or has to be stored as a dead letter first."""
        pending = message.receipt
        if verdict.outcome is DeliveryOutcome.DELIVERED:
            pending.finish()
        else:
            _log.error("%s to %s: dead letter: %s", message.origin, message.target, verdict.reason)
            target = self._wanted.targets.get(message.target)
            self._dead.add(pending, message.target, target.url if target else "", verdict)

    def _stored(self, pending: PendingRecord) -> None:
        self._dead_letters_stored.inc()
        pending.finish()

    def _leaving(self, gone: set[Partition], drain: bool) -> None:
        """Partitions go to another member: withdraw what waits, and wait for what is being sent if there is time."""
        self._sender.withdraw(
            lambda message: message.receipt.partition in gone, self._limits.drain_seconds if drain else 0.0
        )
        if drain:
            self._dead.flush(DEAD_FLUSH_SECONDS)

    def _look_after_member(self) -> None:
        """Make a new consumer in the place of one that does not reach its group, or reads nothing that is there."""
        found = self.statistics
        joined = found.joined and not self._arrivals.are_missing()
        if not self._watch.look(subscribed=self._subscribed, joined=joined, rebalancing=found.rebalancing):
            return
        self._arrivals.new_consumer()
        self._member.abandon()
        self._member = GroupMember(self._settings, self._leaving, clock=self._clock)
        self._subscribe()
        self._new_consumers.inc()

    def _apply_discovery(self) -> None:
        found = self._finder.news()
        if found is None or found == self._wanted:
            return
        # A target that is gone keeps what it holds: the gateway's 404 makes dead letters of it.
        kept = {name: target for name, target in self._wanted.targets.items() if self._sender.held(name)}
        targets = {**kept, **found.targets}
        self._sender.configure(targets.values())
        topics_before = set(self._wanted.topics)
        self._wanted = Subscriptions(targets, found.topics)
        if set(found.topics) != topics_before:
            self._subscribe()

    def _subscribe(self) -> None:
        """Subscribe to the topics that functions want, but for names that no topic of Kafka has.

        One of these would end the subscription to all others, or be a pattern of others' topics.
        """
        topics = [name for name in self._wanted.topics if is_topic(name)]
        odd = sorted(set(self._wanted.topics) - set(topics))
        self._refusal = names_refused("Kafka", odd)
        if odd:
            _log.error("kafka: %s", self._refusal)
        _log.info("kafka: topics %s", ", ".join(sorted(topics)) or "none")
        self._subscribed = bool(topics)
        self._member.subscribe(topics)

    def _drain(self) -> None:
        if not self._sender.stop(self._limits.drain_seconds):
            _log.warning("requests under way were cut off; their records will be delivered again")
        self._dead.flush(DEAD_FLUSH_SECONDS)
        self._member.close()

    def _add_metrics(self) -> None:
        counter, gauge = self.measures.counter, self.measures.gauge
        self._dead_letters_stored = counter(metric_table.DEAD_LETTERS)
        self._tombstones = counter(metric_table.KAFKA_TOMBSTONES)
        self._new_consumers = counter(metric_table.KAFKA_NEW_CONSUMERS)
        gauge(metric_table.KAFKA_LAG, lambda: self._member.statistics.lag())  # noqa: PLW0108 - the member changes
        gauge(
            metric_table.KAFKA_UNCOMMITTED,
            lambda: [
                ({"topic": topic, "partition": str(number)}, partition.outstanding)
                for (topic, number), partition in list(self._member.partitions.items())
            ],
        )
        gauge(metric_table.KAFKA_PAUSED, lambda: [({}, len(self._member.paused))])
        gauge(metric_table.DEAD_LETTERS_PENDING, lambda: [({}, self._dead.pending)])
        gauge(metric_table.SUBSCRIPTION, self._watch.measured)
        gauge(
            metric_table.DELIVERY_HELD,
            lambda: [({"target": name}, self._sender.held(name)) for name in list(self._wanted.targets)],
        )
