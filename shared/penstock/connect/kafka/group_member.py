"""One membership in the consumer group: a consumer, the partitions that it was given, and their offsets.

A connector has one at a time. When its consumer never joins again, the connector abandons it and makes another.
Every method is called by the thread that consumes, and so are librdkafka's callbacks.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from penstock.connect.kafka.client_log import librdkafka_logger
from penstock.connect.kafka.offsets import commit, committed, names, places
from penstock.connect.kafka.progress import Partition
from penstock.connect.kafka.settings import consumer_settings, refused_settings
from penstock.connect.kafka.statistics import Statistics

POLL_SECONDS = 0.1
DRAIN_COMMIT_SECONDS = 10.0
ENDS_SECONDS = 5.0

_log = logging.getLogger("penstock.connect")


class GroupMember:
    """Reads the records of the partitions that the group gives it, and commits their offsets.

    `leaving(partitions, drain)` is called before partitions go to another member: what is under way for them must be
    withdrawn; if `drain` is true, requests that are being sent are waited for.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        leaving: Callable[[set[Partition], bool], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from confluent_kafka import Consumer

        self._leaving = leaving
        self._clock = clock
        self._closing = self._abandoned = False
        self.statistics = Statistics()
        self.partitions: dict[tuple[str, int], Partition] = {}
        self._paused: set[tuple[str, int]] = set()
        with refused_settings():
            self._consumer = Consumer(
                {
                    **consumer_settings(settings),
                    "stats_cb": self.statistics.update,
                    "error_cb": self.statistics.fail,
                    "on_commit": self._commit_ended,
                },
                logger=librdkafka_logger(),
            )

    def subscribe(self, topics: Iterable[str]) -> None:
        """Make these the topics; none leaves the group."""
        wanted = sorted(topics)
        if wanted:
            self._consumer.subscribe(wanted, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        else:
            self._consumer.unsubscribe()

    def read(self, limit: int) -> list[Any]:
        """At most `limit` records, or none after `POLL_SECONDS`."""
        # `consume` alone would wait until its batch is full; this way a single record is on its way at once.
        first = self._consumer.poll(POLL_SECONDS)
        return [] if first is None else [first, *self._consumer.consume(limit - 1, 0.0)]

    @property
    def paused(self) -> set[tuple[str, int]]:
        """Those of the present partitions that are not read just now."""
        return self._paused & self.partitions.keys()

    def unread_ends(self) -> dict[tuple[str, int], int]:
        """The end of each partition that is not paused and has records which were not read, as the brokers say.

        A partition whose leader does not answer within five seconds is left out.
        """
        from confluent_kafka import KafkaException

        found = {}
        for place in places(self.partitions.keys() - self._paused):
            try:
                first, end = self._consumer.get_watermark_offsets(place, timeout=ENDS_SECONDS, cached=False)
                [reached] = self._consumer.position([place])
            except KafkaException:
                continue
            start = self.partitions[place.topic, place.partition].start
            unread = reached.offset if reached.offset >= 0 else max(first, start)
            if unread < end:
                found[place.topic, place.partition] = end
        return found

    def balance(self, full: set[str], lasting: set[str], max_uncommitted: int) -> None:
        """Pause partitions of topics that have been full for long, and those read too far ahead; resume others.

        `full` has the topics without room, `lasting` those of them without room for long.
        """
        pause, resume = [], []
        for place, partition in self.partitions.items():
            if place not in self._paused:
                if partition.topic in lasting or partition.outstanding >= max_uncommitted:
                    pause.append(place)
            elif partition.topic not in full and partition.outstanding <= max_uncommitted // 2:
                resume.append(place)
        if pause:
            self._consumer.pause(places(pause))
            self._paused.update(pause)
        if resume:
            self._consumer.resume(places(resume))
            self._paused.difference_update(resume)

    def commit(self, partitions: Iterable[Partition] | None = None, *, wait: bool) -> bool:
        """Commit what has moved since the last confirmed commit, of all partitions or some; False when refused."""
        moved = [
            (partition, progress)
            for partition in (self.partitions.values() if partitions is None else partitions)
            if (progress := partition.progress()) is not None and progress != partition.committed
        ]
        if moved and not commit(self._consumer, [(part.topic, part.number, *to) for part, to in moved], wait=wait):
            return False
        if wait:
            for partition, progress in moved:
                partition.committed = progress
        return True

    def close(self) -> None:
        """Commit what is finished, then leave the group."""
        self._closing = True
        self._consumer.pause(places(self.partitions))
        end = self._clock() + DRAIN_COMMIT_SECONDS
        # In the middle of a rebalance commits are refused; it goes on when the consumer is polled.
        while not self.commit(wait=True) and self._clock() < end:
            self._consumer.poll(POLL_SECONDS)
        self.partitions.clear()
        self._consumer.close()

    def abandon(self) -> None:
        """Give up a consumer that no longer reaches its group: nothing of it may be committed any more.

        It is closed on a thread of its own, because that may wait for the coordinator that it cannot reach.
        """
        self._abandoned = True
        self._leave(list(self.partitions), drain=False)
        threading.Thread(target=self._consumer.close, name="abandoned consumer", daemon=True).start()

    def _assigned(self, consumer: Any, assigned: Sequence[Any]) -> None:
        if self._abandoned:
            return
        for place in committed(consumer, assigned):
            partition = Partition(place.topic, place.partition, place.offset, place.metadata or "")
            self.partitions[place.topic, place.partition] = partition
        _log.info("kafka: assigned %s", names(assigned))

    def _revoked(self, _: Any, revoked: Sequence[Any]) -> None:
        """Before another member gets them: finish what is under way and commit it, forget the rest."""
        if self._abandoned:
            return
        _log.info("kafka: revoked %s", names(revoked))
        gone = self._leave([(place.topic, place.partition) for place in revoked], drain=True)
        self.commit(gone, wait=True)

    def _lost(self, _: Any, lost: Sequence[Any]) -> None:
        """Another member has them already: nothing of theirs may be committed any more."""
        if self._abandoned:
            return
        _log.warning("kafka: lost %s; what was under way will be delivered again", names(lost))
        self._leave([(place.topic, place.partition) for place in lost], drain=False)

    def _leave(self, keys: Sequence[tuple[str, int]], *, drain: bool) -> set[Partition]:
        # They stay in `_paused`: librdkafka keeps a pause beyond the assignment. So a partition that comes back is
        # still paused, and `balance` has to resume it.
        gone = {self.partitions.pop(key) for key in keys if key in self.partitions}
        if gone and not self._closing:
            self._leaving(gone, drain)
        return gone

    def _commit_ended(self, error: Any, places: Sequence[Any]) -> None:
        """The answer to a commit that was not waited for. What it does not confirm is committed again.

        If the broker ended meanwhile, the answer may never come.
        """
        if self._abandoned:
            return
        if error is not None:
            _log.warning("kafka: offsets not committed: %s", error.str())
            return
        for place in places:
            partition = self.partitions.get((place.topic, place.partition))
            if partition is not None and place.error is None:
                partition.committed = place.offset, place.metadata or ""
