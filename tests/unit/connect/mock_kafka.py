"""librdkafka's own mock brokers, as tests use them."""

import uuid
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition


class Cluster:
    """librdkafka's mock cluster: three brokers without disks, in this process. Topics appear when first named."""

    def __init__(self) -> None:
        self._producer = Producer({"test.mock.num.brokers": "3", "bootstrap.servers": "none", "log_level": 0})
        brokers = self._producer.list_topics(timeout=10).brokers.values()
        self.servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create(self, *topics: str) -> None:
        for topic in topics:
            assert self._producer.list_topics(topic, timeout=10).topics[topic].error is None

    def produce(self, topic: str, *pairs: tuple[str, bytes | None], partition: int = 0) -> None:
        for key, value in pairs:
            self._producer.produce(topic, key=key, value=value, partition=partition, headers=[("team", b"lake")])
        assert self._producer.flush(10) == 0

    def committed(self, topic: str, group: str = "penstock") -> int:
        return max(0, self.committed_place(topic, group).offset)

    def committed_place(self, topic: str, group: str = "penstock") -> TopicPartition:
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group, "log_level": 0})
        [place] = consumer.committed([TopicPartition(topic, 0)], timeout=10)
        consumer.close()
        return place

    def dead_letters(self, topic: str, count: int) -> list[tuple[bytes, dict[str, bytes]]]:
        """The first dead letters that came from a topic, each as value and headers."""
        settings = {"group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest", "log_level": 0}
        consumer = Consumer({"bootstrap.servers": self.servers, **settings})
        consumer.assign([TopicPartition("dead-letters", number, 0) for number in range(4)])
        found: list[tuple[bytes, dict[str, bytes]]] = []
        while len(found) < count:
            record = consumer.poll(10)
            assert record is not None
            assert record.error() is None
            headers: Any = dict(record.headers() or ())
            if headers.get("penstock-topic", b"").decode() == topic:  # a mark of a replay has none
                found.append((record.value() or b"", headers))
        consumer.close()
        return found
