"""The declared lake on a real MinIO: the examples with all their targets, and what an operator may come across."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException
from minio.error import S3Error
from minio.notificationconfig import NotificationConfig, QueueConfig
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from penstock import cli
from penstock.config import StoreSettings
from penstock.store.any_key import connect

from tests.components import ElasticsearchServer, KafkaServer, MinioServer, MosquittoServer
from tests.components.http import HttpError
from tests.integration.connect_helpers import RecordingFunction
from tests.integration.processes import store_settings

EXAMPLES = Path(__file__).parents[2] / "examples"
Penstock = Callable[..., int]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """A server that tests restart and reconfigure, with the product's own way to start."""
    with MinioServer(tmp_path_factory.mktemp("lake"), env={"MINIO_SYNC_BOOT": "off"}) as server:
        yield server


@pytest.fixture
def penstock(
    server: MinioServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Penstock:
    """Runs `penstock lake ...` against the server and returns the exit code; environment variables by keyword."""

    def run(*arguments: str, **env: str) -> int:
        settings = {**store_settings(server), "MINIO_QUEUE_DIR": str(tmp_path / "queue"), **env}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return cli.main(["lake", *arguments])

    return run


@pytest.fixture
def receiver() -> Iterator[RecordingFunction]:
    """Where a webhook target leads."""
    receiver = RecordingFunction()
    yield receiver
    receiver.stop()


def starts(server: MinioServer) -> int:
    """How often the server has started, restarts of its own included."""
    return server.children[0].log.read_bytes().count(b"\nAPI: http")


def put(server: MinioServer, bucket: str, key: str, data: bytes = b"x") -> None:
    server.endpoint.client().put_object(bucket, key, io.BytesIO(data), len(data), content_type="application/csv")


def remove(server: MinioServer, bucket: str, key: str) -> None:
    server.endpoint.client().remove_object(bucket, key)


def topic(kafka: KafkaServer, name: str) -> None:
    """The topic that an example names; the broker may have it from another test."""
    try:
        kafka.endpoint.create_topic(name)
    except KafkaException as exc:
        if "TOPIC_ALREADY_EXISTS" not in str(exc):
            raise


def read_topic(kafka: KafkaServer, name: str, count: int) -> list[tuple[str, str]]:
    """(event name, key) of all notifications in a topic, once there are `count`."""
    settings = {
        "bootstrap.servers": kafka.endpoint.bootstrap_servers,
        "group.id": f"reader-{name}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer, found = Consumer(settings), list[dict[str, object]]()
    consumer.subscribe([name])

    def look() -> bool:
        record = consumer.poll(0.5)
        if record is not None and record.error() is None:
            found.append(json.loads(record.value() or b""))
        return len(found) >= count

    try:
        kafka.wait_until(look, f"there: {found}")
    finally:
        consumer.close()
    return [(str(event["EventName"]), str(event["Key"])) for event in found]


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
    assert sorted(read_topic(kafka, "upload", 2)) == [
        ("s3:ObjectCreated:CompleteMultipartUpload", "upload/2026/donors one.csv"),
        ("s3:ObjectRemoved:Delete", "upload/2026/donors one.csv"),
    ]

    put(server, "processed", "notes.txt")
    put(server, "processed", "donors.csv.gz")
    server.wait_until(lambda: len(mqtt_topic) >= 1, "published")
    assert mqtt_topic == [("s3:ObjectCreated:Put", "processed/donors.csv.gz")]
    server.wait_until(lambda: documents(elasticsearch) == ["donors.csv.gz", "notes.txt"], "indexed")
    remove(server, "processed", "notes.txt")
    server.wait_until(lambda: documents(elasticsearch) == ["donors.csv.gz"], "gone from the index")

    put(server, "images", "deeper/path/rose.png")
    put(server, "images", "deeper/path/rose.jpg")
    assert read_topic(kafka, "my-topic", 1) == [("s3:ObjectCreated:Put", "images/deeper/path/rose.jpg")]

    assert penstock("remove", *chapter, **env) == 0
    assert penstock("plan", *article, **env) == 0
    assert {bucket.name for bucket in server.endpoint.client().list_buckets()} >= {"upload", "processed", "twitter"}
    assert penstock("remove", *article, **env) == 0
    info = json.loads(server.endpoint.admin().info())
    assert not info.get("sqsARN")


@pytest.fixture
def lake_file(tmp_path: Path, receiver: RecordingFunction, unique_name: str) -> Callable[..., str]:
    """Writes a lake with one bucket, one webhook target and one rule, and returns the file's path."""

    def write(*, endpoint: str = "", target: Mapping[str, str] | None = None, rule: str = "") -> str:
        values = {
            "type": "webhook",
            "id": f"{unique_name}-hook",
            "endpoint": endpoint or receiver.url,
            "queue_dir": str(tmp_path / "queue with space"),
            **(target or {}),
        }
        lines = "".join(f"    {key}: {value}\n" for key, value in values.items())
        path = tmp_path / "lake.yml"
        path.write_text(
            f"name: {unique_name}\nbuckets:\n  {unique_name}: {{versioning: on}}\ntargets:\n  hook:\n{lines}"
            f"rules:\n  - {{bucket: {unique_name}, {rule}target: hook}}\n",
            encoding="utf-8",
        )
        return str(path)

    return write


def keys_of(receiver: RecordingFunction) -> list[str]:
    return [json.loads(body)["Key"] for body in receiver.delivered()]


def test_others_rules_and_targets_on_the_same_bucket_are_kept(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = f"{unique_name}-theirs"
    server.mc("mb", f"lake/{unique_name}")
    server.mc("admin", "config", "set", "lake", f"notify_webhook:{theirs}", f"endpoint={receiver.url}/theirs")
    server.service_restart()
    server.mc("event", "add", f"lake/{unique_name}", f"arn:minio:sqs::{theirs}:webhook", "--event", "put")

    assert penstock("apply", "--file", lake_file()) == 0
    assert penstock("remove", "--file", lake_file()) == 0
    assert penstock("apply", "--file", lake_file()) == 0
    capsys.readouterr()
    assert penstock("show", "--json", "--file", lake_file()) == 0

    shown = json.loads(capsys.readouterr().out)
    owners = {rule["rule"]: rule["lake"] for rule in shown["rules"] if unique_name in rule["rule"]}
    assert owners == {
        f"s3://{unique_name}/* -> webhook:{theirs}": "",
        f"s3://{unique_name}/* -> webhook:{unique_name}-hook": unique_name,
    }
    put(server, unique_name, "one")
    server.wait_until(lambda: len(receiver.calls) >= 2, "delivered to both")
    assert sorted(call.path for call in receiver.calls) == ["/", "/theirs"]


def test_a_receiver_that_is_down_changes_nothing_and_is_named(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert penstock("apply", "--file", lake_file()) == 0
    began = starts(server)

    assert penstock("apply", "--file", lake_file(endpoint="http://127.0.0.1:1/")) == 78

    told = capsys.readouterr().err
    assert f"target webhook:{unique_name}-hook: {server.endpoint.url} refuses it: " in told
    assert "connection refused; MinIO tries a target before it takes it: start the receiver first" in told
    assert starts(server) == began
    put(server, unique_name, "still delivered")
    server.wait_until(lambda: keys_of(receiver) == [f"{unique_name}/still delivered"], "delivered")


def test_a_queue_dir_that_minio_cannot_make_is_named(
    penstock: Penstock, lake_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("apply", "--file", lake_file(target={"queue_dir": "/proc/events"})) == 78

    assert "queue_dir must be a folder that MinIO may make and write on its own machine" in capsys.readouterr().err


def test_a_token_arrives_as_it_is_and_its_change_is_seen(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = '\'it\'s="a"-t%20oken"'
    (tmp_path / "token").write_text(token + "\n")
    path = lake_file(target={"auth_token": "{file: token}", "comment": "two words"})
    assert penstock("apply", "--file", path) == 0
    assert penstock("plan", "--file", path) == 0
    put(server, unique_name, "one")
    server.wait_until(lambda: len(receiver.calls) == 1, "delivered")
    assert receiver.calls[0].headers["authorization"] == f"Bearer {token}"

    (tmp_path / "token").write_text("Basic bGFrZQ==")
    capsys.readouterr()
    assert penstock("apply", "--file", path) == 0
    assert "    secrets: changed\n" in capsys.readouterr().out
    put(server, unique_name, "two")
    server.wait_until(lambda: len(receiver.calls) == 2, "delivered again")
    assert receiver.calls[1].headers["authorization"] == "Basic bGFrZQ=="


def test_prefix_and_suffix_mean_raw_keys(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
) -> None:
    assert penstock("apply", "--file", lake_file(rule='prefix: "日本 a+b&/<1>", suffix: "100%.csv", ')) == 0
    assert penstock("plan", "--file", lake_file(rule='prefix: "日本 a+b&/<1>", suffix: "100%.csv", ')) == 0

    for key in ("日本 a+b&/<2> 100%.csv", "日本 a+b&/<1> 100%.csv"):
        put(server, unique_name, key)

    server.wait_until(lambda: bool(receiver.calls), "delivered")
    assert keys_of(receiver) == [f"{unique_name}/日本 a+b&/<1> 100%.csv"]


def test_what_was_stored_without_a_restart_is_taken_up_by_the_next_apply(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    unique_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, began = lake_file(), starts(server)

    assert penstock("apply", "--no-restart", "--file", path) == 75
    assert "needs a restart before it has the targets" in capsys.readouterr().err
    assert starts(server) == began

    server.service_restart()
    assert penstock("apply", "--no-restart", "--file", path) == 0
    assert starts(server) == began + 1
    assert penstock("plan", "--file", path) == 0


def test_rules_of_others_whose_targets_are_gone_are_told(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert penstock("apply", "--file", lake_file()) == 0
    client, admin = server.endpoint.client(), server.endpoint.admin()
    gone = [f"{unique_name}-gone{number}" for number in range(8)]
    for name in gone:
        admin.config_set(f"notify_webhook:{name}", {"endpoint": receiver.url})
    server.service_restart()
    present = client.get_bucket_notification(unique_name).queue_config_list
    theirs = [QueueConfig(queue=f"arn:minio:sqs::{name}:webhook", events=["s3:ObjectCreated:*"]) for name in gone]
    client.set_bucket_notification(unique_name, NotificationConfig(queue_config_list=[*present, *theirs]))
    for name in gone:
        admin.config_reset("notify_webhook", name)
    server.service_restart()

    code = penstock("apply", "--file", lake_file(rule="suffix: .csv, "))

    # MinIO forgets one such rule with every look at them, and refuses to store the rest beside ours.
    assert code == 78
    assert f"bucket {unique_name}: the server refuses all rules" in capsys.readouterr().err
    client.delete_bucket_notification(unique_name)
    assert penstock("apply", "--file", lake_file(rule="suffix: .csv, ")) == 0


def test_an_administrator_with_the_documented_permissions_is_enough(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "lake.md").read_text(encoding="utf-8")
    (tmp_path / "policy.json").write_text(text.partition("```json\n")[2].partition("```")[0])
    server.mc("admin", "user", "add", "lake", unique_name, "lake-admin-secret")
    server.mc("admin", "policy", "create", "lake", unique_name, str(tmp_path / "policy.json"))
    as_user = {"MINIO_ACCESS_KEY": unique_name, "MINIO_SECRET_KEY": "lake-admin-secret"}
    assert penstock("plan", "--file", lake_file(), **as_user) == 78
    assert f"refuses {unique_name} (AccessDenied: " in capsys.readouterr().err

    server.mc("admin", "policy", "attach", "lake", unique_name, "--user", unique_name)

    assert penstock("apply", "--file", lake_file(), **as_user) == 0
    assert penstock("remove", "--file", lake_file(), **as_user) == 0
    put(server, unique_name, "kept")
    client = server.endpoint.client()
    assert client.get_bucket_versioning(unique_name).status == "Enabled"
    as_reader = StoreSettings(server.endpoint.url, unique_name, "lake-admin-secret")
    with pytest.raises(S3Error, match="AccessDenied"):
        connect(as_reader).get_object(unique_name, "kept")
