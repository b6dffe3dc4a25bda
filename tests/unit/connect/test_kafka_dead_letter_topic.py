"""Dead letters that brokers refuse, on librdkafka's own mock brokers."""

from __future__ import annotations

import time

from penstock.connect.kafka.dead_letter_topic import DeadLetterTopic
from penstock.connect.kafka.progress import Partition, PendingRecord
from penstock.delivery.verdict import DeliveryOutcome, Verdict

from tests.unit.connect.fakes import FakeRecord
from tests.unit.connect.mock_kafka import Cluster

LARGEST = 4000


def test_the_last_wait_for_refused_dead_letters_leaves_the_processor_alone() -> None:
    """They are tried again after seconds: a stop that asked all the time took a core until it gave up."""
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return time.monotonic()

    cluster = Cluster()
    cluster.create("dead-letters")
    settings = {"bootstrap.servers": cluster.servers, "message.max.bytes": str(LARGEST)}
    topic = DeadLetterTopic("dead-letters", settings, lambda _: None, clock=clock)
    record = PendingRecord(Partition("uploads", 0), FakeRecord(the_offset=0))
    # A dead letter names its URL, so no broker takes one for this.
    topic.add(record, "thumbs", f"http://sink.example/?{'x' * LARGEST}", Verdict(DeliveryOutcome.DEAD, 422, "no"))
    topic.flush(1)
    assert "dead letter topic dead-letters" in topic.error
    assert topic.pending == 1
    assert looks < 100  # some ten turns; without a wait there are thousands
