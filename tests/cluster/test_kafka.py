"""The Kafka connector as a Deployment in the cluster: a record of a real Kafka wakes a function that is at zero."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from confluent_kafka import Consumer, Producer

from tests.cluster.brokers import KAFKA_ADDRESS, KAFKA_PORT, start_kafka
from tests.cluster.lake import CONNECTORS_IMAGE, NAMESPACE, ClusterLake
from tests.components.cluster import node
from tests.components.kafka import KafkaEndpoint
from tests.integration.flow import put_event

_CONNECTOR = "kafka-connector"
# Kafka is on the node here, and functions are behind Knative's gateway. The rest of the rendered policy holds.
_POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "kafka-connector-here", "namespace": NAMESPACE},
    "spec": {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": _CONNECTOR}},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": f"{node.ADDRESS}/32"}}],
                "ports": [{"protocol": "TCP", "port": KAFKA_PORT}],
            },
            {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kourier-system"}}}]},
        ],
    },
}


@pytest.fixture(scope="module")
def kafka(lake: ClusterLake) -> Iterator[KafkaEndpoint]:
    """Kafka, and the connector that `penstock render kubernetes` makes, with its NetworkPolicy, for this file alone."""
    endpoint = start_kafka(lake.server)
    for topic in ("upload", "my-topic", "processed", "dead-letters"):
        endpoint.create_topic(topic)
    lake.run(f"penstock render kubernetes --kafka {KAFKA_ADDRESS} --kafka-secret '' --image {CONNECTORS_IMAGE}")
    base = lake.folder / "deploy" / "kubernetes" / "base"
    documents = [each for file in base.glob("*.yaml") for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    wanted = [each for each in documents if each.get("metadata", {}).get("name") == _CONNECTOR]
    kinds = {each["kind"] for each in wanted}
    assert {"Deployment", "NetworkPolicy", "ServiceAccount"} <= kinds
    for each in wanted:
        each["metadata"]["namespace"] = NAMESPACE
    lake.server.apply_documents([*wanted, _POLICY])
    lake.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{_CONNECTOR}", "--timeout=180s")
    yield endpoint
    lake.kubectl("-n", NAMESPACE, "delete", f"deployment/{_CONNECTOR}", "--wait=true", "--timeout=180s")


def _produce(kafka: KafkaEndpoint, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce("upload", value)
    assert producer.flush(60) == 0


def test_record_wakes_a_function_from_zero(lake: ClusterLake, kafka: KafkaEndpoint) -> None:
    """The result is taken away first, so that what makes it again is the record alone."""
    key = "by kafka/one.csv"
    lake.put("upload", key, b"a,b\n" * 100)
    lake.wait_until(lambda: lake.has("processed", f"{key}.gz"), "the result is there")
    lake.wait_for_zero("compress")
    lake.store.remove_object(bucket_name="processed", object_name=f"{key}.gz")
    assert lake.is_at_zero("compress")
    _produce(kafka, put_event("upload", key))
    lake.wait_until(lambda: lake.has("processed", f"{key}.gz"), "the record's result is there", 300)
    lake.wait_for_zero("compress")


def test_record_that_no_function_can_take_is_a_dead_letter_in_kafka(lake: ClusterLake, kafka: KafkaEndpoint) -> None:
    _produce(kafka, b"this is no event")
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "tests", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["dead-letters"])
    found: list[bytes] = []

    def came() -> bool:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            found.append(message.value() or b"")
        return bool(found)

    try:
        lake.wait_until(came, "the dead letter is in its topic", 300)
    finally:
        consumer.close()
    assert b"this is no event" in found[0] or "this is no event" in json.dumps(json.loads(found[0])), found[0]
