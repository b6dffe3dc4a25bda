"""A real Kafka broker in KRaft mode: one process that is broker and controller."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.components.install import HERE, JavaLibrary, java
from tests.components.process import LOOPBACK, Server, free_ports

KAFKA = JavaLibrary("kafka", HERE / "java" / "kafka")

CLUSTER_ID = "cGVuc3RvY2stdGVzdHMtMQ"  # 16 bytes in URL-safe base64, as StorageTool random-uuid prints them
ONE_BROKER = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "auto.create.topics.enable": "false",
    # One broker cannot replicate its own bookkeeping topics three times, and 50 partitions of them are slow.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    # The default waits 3 s for more members before the first poll of every new group.
    "group.initial.rebalance.delay.ms": "0",
}
"""Settings of a broker that is alone."""


@dataclass(frozen=True, slots=True)
class KafkaEndpoint:
    """What a client needs: plaintext, no credentials."""

    bootstrap_servers: str

    def admin(self) -> AdminClient:
        # Refused connections while the broker starts are expected, and librdkafka would print each.
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def answers(self) -> bool:
        """Tell whether the broker says who it is."""
        try:
            return bool(self.admin().list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Create a topic and wait until its partitions have a leader; one that exists is an error."""
        admin = self.admin()
        for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            future.result(timeout=30)
        # A broker may answer from metadata that is a moment older than its own answer to the creation.
        for _ in range(100):
            metadata = admin.list_topics(topic, timeout=30).topics[topic]
            if metadata.error is None and all(part.leader >= 0 for part in metadata.partitions.values()):
                return
            time.sleep(0.1)
        raise KafkaException(metadata.error)


class KafkaServer(Server[KafkaEndpoint]):
    """Kafka with `properties` added to server.properties; topics are not created by use."""

    name = "kafka"

    def __init__(self, folder: Path | None = None, *, properties: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._extra_properties = dict(properties or {})

    def install(self) -> None:
        self._library = KAFKA.install()

    def prepare(self) -> KafkaEndpoint:
        self.port, controller_port = free_ports(2)
        # The formatted storage remembers the controller's port, so new ports need new storage.
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        properties = {
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.folder / "data"),
            **ONE_BROKER,
            # A broker that was killed cannot register again before its old session ends; the default is 9 s.
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "1000",
            **self._extra_properties,
        }
        lines = "".join(f"{key}={value}\n" for key, value in properties.items())
        self._config = self.folder / "server.properties"
        self._config.write_text(lines, encoding="utf-8")
        return KafkaEndpoint(f"{LOOPBACK}:{self.port}")

    def launch(self) -> None:
        # -Xmx384m is enough for tests; the rest of the machine belongs to other servers.
        command = [*java(self._library, "-Xmx384m", f"-Dlog4j2.configurationFile={HERE / 'java/kafka/log4j2.xml'}")]
        if not (self.folder / "data" / "meta.properties").exists():
            options = ["--standalone", "--cluster-id", CLUSTER_ID]
            tool = [*command, "kafka.tools.StorageTool", "format"]
            self.run_to_end("kafka-format", [*tool, *options, "--config", self._config])
        self.run("kafka", [*command, "kafka.Kafka", self._config])

    def is_ready(self) -> bool:
        return self.listens_on(self.port) and self.endpoint.answers()
