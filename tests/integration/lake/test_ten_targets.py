"""One lake with all ten kinds of notification target, applied on a real MinIO with the real server behind each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nats
import pika
import pytest
import redis
from confluent_kafka import Consumer
from nats.js.api import StreamConfig
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.components import (
    ElasticsearchServer,
    KafkaServer,
    MariadbServer,
    MinioServer,
    MosquittoServer,
    NatsServer,
    NsqdServer,
    PostgresServer,
    RabbitServer,
    RedisServer,
)
from tests.integration.connect_helpers import RecordingFunction
from tests.integration.lake.conftest import Penstock, keys_of, put, starts

# MinIO's own statement for this table is for MySQL alone: MariaDB takes no NOT NULL PRIMARY KEY of a computed column.
MARIADB_TABLE = (
    "CREATE TABLE events (key_name VARCHAR(3072) NOT NULL, "
    "key_hash CHAR(64) AS (SHA2(key_name, 256)) PERSISTENT UNIQUE, value JSON) "
    "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = Dynamic"
)
KEY = "donors +%日本.csv"


class Receivers:
    """The servers behind the new kinds, started for one test."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.redis = stack.enter_context(RedisServer(folder / "redis"))
        self.nats = stack.enter_context(NatsServer(folder / "nats"))
        self.nsqd = stack.enter_context(NsqdServer(folder / "nsqd"))
        self.rabbit = stack.enter_context(RabbitServer(folder / "rabbitmq"))
        self.postgres = stack.enter_context(PostgresServer(folder / "postgresql"))
        self.mariadb = stack.enter_context(MariadbServer(folder / "mariadb"))

    def amqp(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(
            pika.URLParameters(f"amqp://guest:guest@{self.rabbit.endpoint.address}/%2F?heartbeat=0")
        )

    def redis_client(self) -> redis.Redis:
        told = self.redis.endpoint
        return redis.Redis(told.host, told.port, password=told.password)

    async def _stream(self, act: Callable[[Any], Any]) -> Any:
        told = self.nats.endpoint
        client = await nats.connect(told.address, user=told.username, password=told.password)
        try:
            return await act(client.jetstream())
        finally:
            await client.close()

    def jetstream(self, act: Callable[[Any], Any]) -> Any:
        return asyncio.run(self._stream(act))


@pytest.fixture
def receivers(tmp_path: Path) -> Iterator[Receivers]:
    with ExitStack() as stack:
        yield Receivers(stack, tmp_path)


def declared(name: str, receivers: Receivers, more: dict[str, dict[str, str]], queue_dir: Path) -> str:
    """A lake file with one bucket, all targets, and a rule for each."""
    nats_server, rabbit = receivers.nats.endpoint, receivers.rabbit.endpoint
    targets = {
        "amqp": {"url": "{file: amqp.secret}", "exchange": name, "exchange_type": "fanout", "routing_key": "lake"},
        "mysql": {"dsn_string": "{file: mysql.secret}", "table": "events"},
        "nats": {
            "address": nats_server.address,
            "subject": f"lake.{name}",
            "username": nats_server.username,
            "password": "{file: nats.secret}",
        },
        "nsq": {"nsqd_address": receivers.nsqd.endpoint.address, "topic": name},
        "postgresql": {"connection_string": "{file: postgresql.secret}", "table": "events", "format": "access"},
        "redis": {
            "address": receivers.redis.endpoint.address,
            "key": name,
            "format": "access",
            "password": "{env: REDIS_PASSWORD}",
        },
        **more,
    }
    assert len(targets) == 10
    postgres, mariadb = receivers.postgres.endpoint, receivers.mariadb.endpoint
    quoted = postgres.password.replace("'", "\\'")
    for file, secret in {
        "amqp": f"amqp://{rabbit.username}:{rabbit.password}@{rabbit.address}/",
        "mysql": f"{mariadb.username}:{mariadb.password}@tcp({mariadb.host}:{mariadb.port})/{mariadb.database}",
        "nats": nats_server.password,
        "postgresql": f"host={postgres.host} port={postgres.port} dbname={postgres.database} user={postgres.username}"
        f" password='{quoted}' sslmode=disable",
    }.items():
        (queue_dir.parent / f"{file}.secret").write_text(secret + "\n", encoding="utf-8")
    lines = [f"name: {name}", f"queue_dir: {queue_dir}", "buckets:", f"  {name}:", "targets:"]
    for kind, keys in targets.items():
        lines += [f"  {kind}:", f"    type: {kind}", f"    id: {name}-{kind}"]
        lines += [f"    {key}: {value}" for key, value in keys.items()]
    lines += ["rules:", *(f"  - {{bucket: {name}, target: {kind}}}" for kind in targets)]
    path = queue_dir.parent / "lake.yml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_an_event_arrives_in_each_of_the_ten_kinds(
    server: MinioServer,
    penstock: Penstock,
    receivers: Receivers,
    receiver: RecordingFunction,
    kafka: KafkaServer,
    mosquitto: MosquittoServer,
    elasticsearch: ElasticsearchServer,
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = unique_name
    kafka.endpoint.create_topic(name, 1)
    others = {
        "webhook": {"endpoint": receiver.url},
        "kafka": {"brokers": kafka.endpoint.bootstrap_servers, "topic": name},
        "mqtt": {"broker": mosquitto.endpoint.url, "topic": name},
        "elasticsearch": {"url": elasticsearch.endpoint.url, "index": name},
    }
    path = declared(name, receivers, others, tmp_path / "queue dir")
    receivers.jetstream(lambda stream: stream.add_stream(StreamConfig(name=name, subjects=[f"lake.{name}"])))
    amqp = receivers.amqp()
    channel = amqp.channel()
    channel.exchange_declare(name, "fanout", durable=True)
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(name, name)
    heard: list[str] = []
    listener = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    listener.on_message = lambda _client, _data, message: heard.append(json.loads(message.payload)["Key"])
    listener.connect(mosquitto.endpoint.host, mosquitto.endpoint.port)
    listener.subscribe(name, 1)
    listener.loop_start()
    receivers.mariadb.query(MARIADB_TABLE)
    env = {"REDIS_PASSWORD": receivers.redis.endpoint.password}

    assert penstock("apply", "--file", path, **env) == 0, capsys.readouterr()
    began = starts(server)
    assert penstock("plan", "--file", path, **env) == 0, capsys.readouterr()
    assert penstock("apply", "--file", path, **env) == 0
    assert starts(server) == began
    assert penstock("show", "--json", "--file", path, **env) == 0
    printed = capsys.readouterr().out
    for secret in ("guest:guest", "maria-secret", "it's secret", "nats-secret", "redis secret"):
        assert secret not in printed

    put(server, name, KEY)

    wanted = f"{name}/{KEY}"
    store = receivers.redis_client()
    server.wait_until(lambda: store.llen(name) >= 1, "in Redis")
    [entry] = json.loads(store.lindex(name, 0) or b"")
    assert entry["Event"][0]["s3"]["bucket"]["name"] == name
    server.wait_until(lambda: receivers.nsqd.endpoint.depth(name) >= 1, "in NSQ")
    rows = "SELECT event_data::text FROM events"
    server.wait_until(lambda: bool(receivers.postgres.endpoint.run(rows)), "in PostgreSQL")
    told = receivers.postgres.endpoint.run(rows)[0][0]
    [record] = json.loads(told)["Records"]
    assert record["s3"]["bucket"]["name"] == name
    server.wait_until(lambda: receivers.mariadb.query("SELECT key_name FROM events") == f"{wanted}\n", "in MariaDB")
    server.wait_until(lambda: channel.queue_declare(name, passive=True).method.message_count >= 1, "in RabbitMQ")
    method, properties, body = channel.basic_get(name)
    assert json.loads(body)["Key"] == wanted
    assert (method.routing_key, properties.delivery_mode) == ("lake", 2)

    def last_in_nats() -> str:
        message = receivers.jetstream(lambda stream: stream.get_last_msg(name, f"lake.{name}"))
        return str(json.loads(message.data)["Key"])

    server.wait_until(lambda: last_in_nats() == wanted, "in NATS")
    server.wait_until(lambda: set(keys_of(receiver)) == {wanted}, "at the webhook")
    assert first_record(kafka, name) == wanted
    server.wait_until(lambda: set(heard) == {wanted}, "in MQTT")
    server.wait_until(lambda: found(elasticsearch, name) == 1, "in Elasticsearch")
    assert penstock("remove", "--file", path, **env) == 0
    listener.disconnect()
    listener.loop_stop()
    amqp.close()


def found(elasticsearch: ElasticsearchServer, index: str) -> int:
    """Documents of an index, after a refresh; the target makes the index."""
    elasticsearch.endpoint.request("POST", f"/{index}/_refresh?ignore_unavailable=true")
    total: int = elasticsearch.endpoint.request("GET", f"/{index}/_count?ignore_unavailable=true")["count"]
    return total


def first_record(kafka: KafkaServer, topic: str) -> str:
    """The key in the first record of a topic."""
    settings = {"bootstrap.servers": kafka.endpoint.bootstrap_servers, "group.id": topic, "log_level": 0}
    consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        record = consumer.poll(60)
        while record is not None and record.error():  # a topic's first metadata may come before its leader
            record = consumer.poll(60)
        assert record is not None
        key: str = json.loads(record.value() or b"")["Key"]
        return key
    finally:
        consumer.close()
