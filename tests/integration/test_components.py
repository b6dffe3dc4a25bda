"""Each real component does the one thing the other tests rely on."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from queue import SimpleQueue

import paho.mqtt.client as mqtt
import pytest
from confluent_kafka import Consumer, Producer
from minio.error import MinioAdminException
from minio.notificationconfig import NotificationConfig, QueueConfig
from paho.mqtt.enums import CallbackAPIVersion
from pytest_httpserver import HTTPServer

from tests.components import (
    ComponentError,
    ElasticsearchServer,
    KafkaServer,
    MinioServer,
    MosquittoServer,
    NsqdServer,
    OpenSearchServer,
    SearchEndpoint,
)
from tests.components import mosquitto as mosquitto_module
from tests.components.http import HttpError
from tests.components.process import free_ports

EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]


def notify(server: MinioServer, bucket: str, target: str) -> None:
    rules = [QueueConfig(queue=f"arn:minio:sqs::{target}", events=EVENTS)]
    server.endpoint.client().set_bucket_notification(bucket, NotificationConfig(queue_config_list=rules))


def put(server: MinioServer, bucket: str, key: str, body: bytes) -> None:
    server.endpoint.client().put_object(bucket, key, io.BytesIO(body), len(body))


def get(server: MinioServer, bucket: str, key: str) -> bytes:
    with server.endpoint.client().get_object(bucket, key) as response:
        return response.read()


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=120).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it took the connection, and ended before it was ours
        return False
    return False


def test_minio_gives_back_what_was_put(minio: MinioServer, unique_name: str) -> None:
    minio.endpoint.client().make_bucket(unique_name)
    put(minio, unique_name, "a+b 日本.csv", b"email,name\n")
    assert get(minio, unique_name, "a+b 日本.csv") == b"email,name\n"
    assert "a+b 日本.csv" in minio.mc("ls", f"lake/{unique_name}").stdout


def test_minio_sends_an_event_to_a_webhook(tmp_path: Path, httpserver: HTTPServer, unique_name: str) -> None:
    httpserver.expect_request("/events", method="POST").respond_with_data()
    env = {
        "MINIO_NOTIFY_WEBHOOK_ENABLE_TEST": "on",
        "MINIO_NOTIFY_WEBHOOK_ENDPOINT_TEST": httpserver.url_for("/events"),
        "MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_TEST": str(tmp_path / "queue"),
    }
    with MinioServer(tmp_path / "minio", env=env) as server:
        server.endpoint.client().make_bucket(unique_name)
        notify(server, unique_name, "TEST:webhook")
        put(server, unique_name, "donors.csv", b"email\n")
        server.wait_until(lambda: bool(httpserver.log), "sent an event")
    events = [request.get_json() for request, _ in httpserver.log if request.content_length]
    assert [(event["EventName"], event["Key"]) for event in events] == [
        ("s3:ObjectCreated:Put", f"{unique_name}/donors.csv")
    ]


def test_minio_over_tls_keeps_objects_through_restarts_and_a_kill(tmp_path: Path, unique_name: str) -> None:
    with MinioServer(tmp_path, tls=True) as server:
        before = server.endpoint
        before.client().make_bucket(unique_name)
        put(server, unique_name, "key", b"kept")
        server.service_restart()
        server.restart()
        server.kill()
        assert refuses(server.port)
        server.restart()
        assert server.endpoint == before
        assert before.url.startswith("https://")
        assert get(server, unique_name, "key") == b"kept"
        assert unique_name in server.mc("ls", "lake").stdout


def test_kafka_gives_a_consumer_what_was_produced(kafka: KafkaServer, unique_name: str) -> None:
    kafka.endpoint.create_topic(unique_name, partitions=3)
    producer = Producer({"bootstrap.servers": kafka.endpoint.bootstrap_servers})
    producer.produce(unique_name, key=b"images/rose.jpg", value=b"{}")
    assert producer.flush(30) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.endpoint.bootstrap_servers,
            "group.id": unique_name,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.subscribe([unique_name])
        message = consumer.poll(30)
        assert message is not None
        assert (message.error(), message.key(), message.value()) == (None, b"images/rose.jpg", b"{}")
    finally:
        consumer.close()


def test_kafka_keeps_messages_through_a_kill(tmp_path: Path, unique_name: str) -> None:
    with KafkaServer(tmp_path) as server:
        server.endpoint.create_topic(unique_name)
        producer = Producer({"bootstrap.servers": server.endpoint.bootstrap_servers, "acks": "all"})
        producer.produce(unique_name, value=b"kept")
        assert producer.flush(30) == 0
        server.kill()
        server.restart()
        assert unique_name in server.endpoint.admin().list_topics(timeout=120).topics
        producer.produce(unique_name, value=b"and the same producer goes on")
        assert producer.flush(30) == 0


def subscriber(server: MosquittoServer, topic: str, received: SimpleQueue[bytes]) -> mqtt.Client:
    """A client with a session that the broker remembers, subscribed at QoS 1."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False)
    subscribed: SimpleQueue[None] = SimpleQueue()
    client.on_message = lambda _client, _data, message: received.put(bytes(message.payload))
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.connect(server.endpoint.host, server.endpoint.port)
    client.loop_start()
    client.subscribe(topic, qos=1)
    subscribed.get(timeout=120)
    return client


def publish(server: MosquittoServer, topic: str, payload: bytes) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    if server.endpoint.username:
        client.username_pw_set(server.endpoint.username, server.endpoint.password)
    client.connect(server.endpoint.host, server.endpoint.port)
    client.loop_start()
    client.publish(topic, payload, qos=1).wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


def test_mosquitto_delivers_at_qos_1(mosquitto: MosquittoServer, unique_name: str) -> None:
    received: SimpleQueue[bytes] = SimpleQueue()
    client = subscriber(mosquitto, unique_name, received)
    publish(mosquitto, unique_name, b"processed/donors.csv.gz")
    assert received.get(timeout=120) == b"processed/donors.csv.gz"
    client.disconnect()
    client.loop_stop()


def test_mosquitto_keeps_an_absent_readers_messages_through_a_kill(tmp_path: Path, unique_name: str) -> None:
    with MosquittoServer(tmp_path) as server:
        received: SimpleQueue[bytes] = SimpleQueue()
        client = subscriber(server, unique_name, received)
        client.disconnect()
        client.loop_stop()
        publish(server, unique_name, b"kept")
        server.wait_until(lambda: server.saved(b"kept"), "saved")
        server.kill()
        server.restart()
        client = subscriber(server, unique_name, received)
        assert received.get(timeout=120) == b"kept"
        client.disconnect()
        client.loop_stop()


def test_mosquitto_with_credentials_refuses_strangers(tmp_path: Path, unique_name: str) -> None:
    with MosquittoServer(tmp_path, credentials=("penstock", "secret")) as server:
        publish(server, unique_name, b"known")
        stranger = mqtt.Client(CallbackAPIVersion.VERSION2)
        answers: SimpleQueue[bool] = SimpleQueue()
        stranger.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(reason.is_failure)
        stranger.connect(server.endpoint.host, server.endpoint.port)
        stranger.loop_start()
        assert answers.get(timeout=120)
        stranger.disconnect()
        stranger.loop_stop()


def index_and_search(search: SearchEndpoint, index: str) -> list[str]:
    search.request("PUT", f"/{index}/_doc/donors.csv.gz?refresh=true", {"state": "New York"})
    found = search.request("POST", f"/{index}/_search", {"query": {"match": {"state": "york"}}})
    return [hit["_id"] for hit in found["hits"]["hits"]]


def test_opensearch_finds_what_was_indexed(opensearch: OpenSearchServer, unique_name: str) -> None:
    assert index_and_search(opensearch.endpoint, unique_name) == ["donors.csv.gz"]
    assert opensearch.endpoint.request("GET", "/")["version"]["distribution"] == "opensearch"


def test_elasticsearch_finds_what_was_indexed(elasticsearch: ElasticsearchServer, unique_name: str) -> None:
    assert index_and_search(elasticsearch.endpoint, unique_name) == ["donors.csv.gz"]
    assert elasticsearch.endpoint.request("GET", "/")["version"]["number"] == "7.10.2"


def test_nsqd_holds_nothing_of_a_topic_that_is_not_there_yet(tmp_path: Path) -> None:
    with NsqdServer(tmp_path) as server:
        assert server.endpoint.depth("absent") == 0


def test_minios_elasticsearch_target_keeps_one_document_per_object(
    tmp_path: Path, elasticsearch: ElasticsearchServer, unique_name: str
) -> None:
    search = elasticsearch.endpoint
    env = {
        "MINIO_NOTIFY_ELASTICSEARCH_ENABLE_TEST": "on",
        "MINIO_NOTIFY_ELASTICSEARCH_URL_TEST": search.url,
        "MINIO_NOTIFY_ELASTICSEARCH_INDEX_TEST": unique_name,
        "MINIO_NOTIFY_ELASTICSEARCH_FORMAT_TEST": "namespace",
        "MINIO_NOTIFY_ELASTICSEARCH_QUEUE_DIR_TEST": str(tmp_path / "queue"),
    }

    def indexed_keys() -> list[str]:
        try:
            search.request("POST", f"/{unique_name}/_refresh")
            hits = search.request("GET", f"/{unique_name}/_search")["hits"]["hits"]
            # The document's id is a hash of bucket and key, so only its content names the object.
            return [hit["_source"]["Records"][0]["s3"]["object"]["key"] for hit in hits]
        except HttpError as error:
            if error.status != 404:  # the target makes the index with its first connection
                raise
            return []

    with MinioServer(tmp_path / "minio", env=env) as server:
        client = server.endpoint.client()
        client.make_bucket(unique_name)
        notify(server, unique_name, "TEST:elasticsearch")
        put(server, unique_name, "donors.csv.gz", b"x")
        server.wait_until(lambda: indexed_keys() == ["donors.csv.gz"], "in the index")
        client.remove_object(unique_name, "donors.csv.gz")
        server.wait_until(lambda: indexed_keys() == [], "gone from the index")


def test_minios_elasticsearch_target_refuses_opensearch(
    tmp_path: Path, opensearch: OpenSearchServer, unique_name: str
) -> None:
    target = {"url": opensearch.endpoint.url, "index": unique_name, "format": "namespace", "enable": "on"}
    with MinioServer(tmp_path) as server, pytest.raises(MinioAdminException, match="not connected to target"):
        server.endpoint.admin().config_set("notify_elasticsearch:test", target)


def test_a_server_that_does_not_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = MosquittoServer(tmp_path, config=["no_such_option true"])
    with pytest.raises(ComponentError, match='Unknown configuration variable "no_such_option"'):
        server.start()


def test_a_port_taken_by_somebody_else_is_chosen_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        choices = [[taken], free_ports(1)]
        monkeypatch.setattr(mosquitto_module, "free_ports", lambda _count: choices.pop(0))
        with MosquittoServer(tmp_path) as server:
            assert server.endpoint.port != taken


def test_servers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.components", "start", "mosquitto", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        port = json.loads(parent.stdout.readline())["mosquitto"]["port"]
        assert not refuses(port)
        parent.kill()
    deadline = time.monotonic() + 120  # the kernel's signal to the broker has no moment that we could wait for
    while not refuses(port):
        assert time.monotonic() < deadline, f"port {port} still answers"
        time.sleep(0.05)
