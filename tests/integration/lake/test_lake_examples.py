"""Both declared examples on the real servers: every target gets its events, and applying again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaException
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.components import ElasticsearchServer, KafkaServer, MinioServer, MosquittoServer
from tests.components.http import HttpError
from tests.integration.lake.conftest import Penstock, put, starts
from tests.paths import EXAMPLES


def remove(server: MinioServer, bucket: str, key: str) -> None:
    server.endpoint.client().remove_object(bucket, key)


def topic(kafka: KafkaServer, name: str) -> None:
    """The topic that an example names; the broker may have it from another test."""
    try:
        kafka.endpoint.create_topic(name)
    except KafkaException as exc:
        if "TOPIC_ALREADY_EXISTS" not in str(exc):
            raise


def read_topic(kafka: KafkaServer, name: str, count: int) -> set[tuple[str, str]]:
    """(event name, key) of all notifications in a topic, once there are `count`; each may come more than once."""
    settings = {
        "bootstrap.servers": kafka.endpoint.bootstrap_servers,
        "group.id": f"reader-{name}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer, found = Consumer(settings), set[tuple[str, str]]()
    consumer.subscribe([name])

    def look() -> bool:
        record = consumer.poll(0.5)
        if record is not None and record.error() is None:
            event = json.loads(record.value() or b"")
            found.add((event["EventName"], event["Key"]))
        return len(found) >= count

    try:
        kafka.wait_until(look, f"there: {found}")
    finally:
        consumer.close()
    return found


@pytest.fixture
def mqtt_topic(mosquitto: MosquittoServer) -> Iterator[list[tuple[str, str]]]:
    """(event name, key) of what is published on `processed` while the test runs."""
    found: list[tuple[str, str]] = []

    def take(_client: Client, _data: object, message: MQTTMessage) -> None:
        event = json.loads(message.payload)
        found.append((event["EventName"], event["Key"]))

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.on_message = take
    client.connect(mosquitto.endpoint.host, mosquitto.endpoint.port)
    client.subscribe("processed", qos=1)
    client.loop_start()
    yield found
    client.disconnect()
    client.loop_stop()


def documents(elasticsearch: ElasticsearchServer) -> list[str]:
    """The keys in the index `processed`, one for each document."""
    try:
        elasticsearch.endpoint.request("POST", "/processed/_refresh")
        answer = elasticsearch.endpoint.request("GET", "/processed/_search?size=1000")
    except HttpError as exc:
        if exc.status == 404:
            return []
        raise
    return sorted(hit["_source"]["Records"][0]["s3"]["object"]["key"] for hit in answer["hits"]["hits"])


def test_chapter_and_article_reach_every_target_and_agree_when_applied_again(
    server: MinioServer,
    penstock: Penstock,
    kafka: KafkaServer,
    mosquitto: MosquittoServer,
    elasticsearch: ElasticsearchServer,
    mqtt_topic: list[tuple[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("upload", "my-topic"):
        topic(kafka, name)
    env = {
        "KAFKA_BROKERS": kafka.endpoint.bootstrap_servers,
        "MQTT_BROKER": mosquitto.endpoint.url,
        "ELASTICSEARCH_URL": elasticsearch.endpoint.url,
    }
    chapter, article = (("--file", str(EXAMPLES / name / "lake.yml")) for name in ("chapter", "article"))

    assert penstock("plan", *chapter, **env) == 1
    assert penstock("apply", *chapter, **env) == 0
    assert penstock("apply", *article, **env) == 0
    began = starts(server)
    capsys.readouterr()
    for lake in (chapter, article):
        assert penstock("apply", *lake, **env) == 0
        assert penstock("plan", *lake, **env) == 0
    assert capsys.readouterr().out == f"{server.endpoint.url}: agrees, nothing to change\n" * 4
    assert starts(server) == began

    put(server, "upload", "notes.txt")
    put(server, "upload", "2026/donors one.csv", b"a" * (6 << 20))  # past 5 MiB minio-py uploads in parts
    server.endpoint.client().stat_object("upload", "2026/donors one.csv")
    remove(server, "upload", "2026/donors one.csv")
    assert read_topic(kafka, "upload", 2) == {
        ("s3:ObjectCreated:CompleteMultipartUpload", "upload/2026/donors one.csv"),
        ("s3:ObjectRemoved:Delete", "upload/2026/donors one.csv"),
    }

    put(server, "processed", "notes.txt")
    put(server, "processed", "donors.csv.gz")
    server.wait_until(lambda: len(mqtt_topic) >= 1, "published")
    assert set(mqtt_topic) == {("s3:ObjectCreated:Put", "processed/donors.csv.gz")}
    server.wait_until(lambda: documents(elasticsearch) == ["donors.csv.gz", "notes.txt"], "indexed")
    remove(server, "processed", "notes.txt")
    server.wait_until(lambda: documents(elasticsearch) == ["donors.csv.gz"], "gone from the index")

    put(server, "images", "deeper/path/rose.txt")
    put(server, "images", "deeper/path/rose.jpg")
    assert read_topic(kafka, "my-topic", 1) == {("s3:ObjectCreated:Put", "images/deeper/path/rose.jpg")}

    assert penstock("remove", *chapter, **env) == 0
    assert penstock("plan", *article, **env) == 0
    assert {bucket.name for bucket in server.endpoint.client().list_buckets()} >= {"upload", "processed", "twitter"}
    assert penstock("remove", *article, **env) == 0
    arns = json.loads(server.endpoint.admin().info()).get("sqsARN") or []
    assert not [arn for arn in arns if "penstock-chapter" in arn or arn.endswith(":1:kafka")]
