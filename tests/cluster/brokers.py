"""A real Kafka on the cluster's node, reached by pods at the node's address and by the tests through a relay."""

from __future__ import annotations

from tests.components.cluster import ClusterServer, node
from tests.components.install import HERE, java
from tests.components.kafka import CLUSTER_ID, KAFKA, ONE_BROKER, KafkaEndpoint
from tests.components.process import LOOPBACK, free_ports

KAFKA_PORT = 9092
KAFKA_ADDRESS = f"{node.ADDRESS}:{KAFKA_PORT}"
_OUTSIDE_PORT, _CONTROLLER_PORT = 9094, 9095


def start_kafka(server: ClusterServer) -> KafkaEndpoint:
    """One broker without users or TLS, which ends with the node; returns how this process reaches it."""
    (port,) = free_ports(1)
    properties = {
        **ONE_BROKER,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{_CONTROLLER_PORT}",
        "listeners": f"PLAINTEXT://0.0.0.0:{KAFKA_PORT},OUTSIDE://0.0.0.0:{_OUTSIDE_PORT},"
        f"CONTROLLER://{LOOPBACK}:{_CONTROLLER_PORT}",
        "advertised.listeners": f"PLAINTEXT://{KAFKA_ADDRESS},OUTSIDE://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(server.folder / "var" / "kafka"),
    }
    file = server.folder / "kafka.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()), encoding="utf-8")
    log = f"-Dlog4j2.configurationFile={HERE / 'java/kafka/log4j2.xml'}"
    command = [*java(KAFKA.install(), "-Xmx384m", log)]
    options = ["--standalone", "--cluster-id", CLUSTER_ID]
    server.execute(*command, "kafka.tools.StorageTool", "format", *options, "--config", file)
    server.run_in_node("kafka", [*command, "kafka.Kafka", file])
    server.relay(port, f"{LOOPBACK}:{_OUTSIDE_PORT}")
    endpoint = KafkaEndpoint(f"{LOOPBACK}:{port}")
    server.wait_until(endpoint.answers, "answering (Kafka)")
    return endpoint
