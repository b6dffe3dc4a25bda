"""What the end-to-end tests share: functions as stack.yml sets them up, connectors, dead letters, metrics."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition
from minio.notificationconfig import NotificationConfig, QueueConfig
from penstock.connect.kafka.dead_letter_log import DeadLetterLog
from penstock.delivery.dead_letters import DeadLetter
from penstock.settings.stackfile import load_stack
from prometheus_client.parser import text_string_to_metric_families

from tests.components import KafkaServer, MinioServer
from tests.components.process import free_ports
from tests.integration.connect_helpers import QUICK, Penstock
from tests.integration.processes import store_settings
from tests.paths import EVENTS, ROOT

DEAD_LETTERS = "dead-letters"
SAFE_EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")


def stack_settings(function: str, minio: MinioServer, **env: str) -> dict[str, str]:
    """The settings that stack.yml gives a function, with the way to this server; `env` fills in its ${NAME}s.

    A file that only a pod has, with the search server's authority, is left out.
    """
    spec = load_stack(ROOT / "stack.yml", {**env, "MINIO_ENDPOINT": minio.endpoint.url}).functions[function]
    here = {name: value for name, value in spec.environment.items() if name != "SINK_CA_FILE"}
    return {**here, **store_settings(minio)}


def penstock(*words: str, env: Mapping[str, str], code: int = 0) -> str:
    """Run a command to its end and return what it printed; it must exit with `code`."""
    command = [sys.executable, "-m", "penstock.cli", *words]
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"penstock {words[0]} exited with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def serve(function: str | Path, folder: Path, settings: Mapping[str, str], port: int | None = None) -> Penstock:
    """A function as a child that can be killed and come back on its port, which is in its settings as PORT."""
    path = function if isinstance(function, Path) else ROOT / "functions" / function
    address = f"127.0.0.1:{port or free_ports(1)[0]}"
    env = {**settings, "PORT": address.rpartition(":")[2]}
    child = Penstock(path.name, folder, "serve", str(path), "--host", "127.0.0.1", env=env, address=address)
    child.until(child.is_ready, "ready")
    return child


@contextmanager
def minio_to_kafka(
    folder: Path, kafka: KafkaServer, topic: str, source: str, *others: str, events: Sequence[str] = SAFE_EVENTS
) -> Iterator[MinioServer]:
    """A MinIO that reports the bucket `source` to a new topic; a topic for dead letters is made beside it.

    Without a queue_dir, where MinIO looks only every three seconds: the Kafka of these tests stays up.
    """
    for name in (topic, f"{topic}-dead"):
        kafka.endpoint.create_topic(name)
    target = {"ENABLE": "on", "BROKERS": kafka.endpoint.bootstrap_servers, "TOPIC": topic}
    env = {f"MINIO_NOTIFY_KAFKA_{key}_LAKE": value for key, value in target.items()}
    with MinioServer(folder / "minio", env={**env, "MINIO_API_SYNC_EVENTS": "on"}) as server:
        client = server.endpoint.client()
        for bucket in (source, *others):
            client.make_bucket(bucket)
        rule = QueueConfig(queue="arn:minio:sqs::LAKE:kafka", events=list(events))
        client.set_bucket_notification(source, NotificationConfig(queue_config_list=[rule]))
        yield server


@contextmanager
def kafka_connector(
    kafka: KafkaServer, folder: Path, name: str, targets: Mapping[str, str], *options: str
) -> Iterator[Penstock]:
    """`penstock connect kafka` from topics to URLs until the block ends; it must then drain and exit with 0.

    With the client's own session of 45 s: a short one ends on a busy machine, and records then come twice.
    """
    settings = {"bootstrap.servers": kafka.endpoint.bootstrap_servers, "group.id": name}
    words = [word for topic, url in targets.items() for word in ("--to", f"{topic}={url}")]
    words += [word for pair in settings.items() for word in ("--set", "=".join(pair))]
    child = Penstock(name, folder, "connect", "kafka", *words, *QUICK, *options)
    try:
        child.until(lambda: "kafka: assigned" in child.text(), "partitions assigned")
        yield child
        assert child.end() == 0, child.text()
    finally:
        child.kill()


def letters(kafka: KafkaServer, topic: str = DEAD_LETTERS) -> list[DeadLetter]:
    """The dead letters of a topic that are neither replayed nor dropped."""
    given = {"bootstrap.servers": kafka.endpoint.bootstrap_servers, "log_level": "0"}
    return list(DeadLetterLog(topic, given).read())


def dlq(kafka: KafkaServer, topic: str, *words: str) -> str:
    """What `penstock dlq` prints about one topic."""
    servers = f"bootstrap.servers={kafka.endpoint.bootstrap_servers}"
    return penstock("dlq", words[0], "--dead-letter-topic", topic, "--set", servers, *words[1:], env={})


class Tail:
    """Every record of a topic with one partition, from its beginning on."""

    def __init__(self, kafka: KafkaServer, topic: str) -> None:
        settings = {"bootstrap.servers": kafka.endpoint.bootstrap_servers, "group.id": "tail", "log_level": 0}
        self._place = TopicPartition(topic, 0, 0)
        self._consumer = Consumer({**settings, "fetch.wait.max.ms": 100, "enable.auto.commit": False})
        self._consumer.assign([self._place])
        self._records: list[Message] = []

    def records(self) -> list[Message]:
        """All that is in the topic at this moment."""
        _, end = self._consumer.get_watermark_offsets(self._place, timeout=30)
        while len(self._records) < end:
            record = self._consumer.poll(30)
            assert record is not None, f"{len(self._records)} of {end} records in {self._place.topic}"
            assert record.error() is None, record.error()
            self._records.append(record)
        return self._records

    def close(self) -> None:
        self._consumer.close()


def headers_of(record: Message) -> dict[str, str]:
    """A record's headers as text."""
    pairs = record.headers() or {}
    items = pairs.items() if isinstance(pairs, dict) else pairs
    return {name: value if isinstance(value, str) else (value or b"").decode() for name, value in items}


def put_event(bucket: str, key: str) -> bytes:
    """What MinIO sends about a new object."""
    document = json.loads((EVENTS / "minio_put.json").read_bytes())
    document["Key"] = f"{bucket}/{key}"
    s3 = document["Records"][0]["s3"]
    s3["bucket"]["name"], s3["object"]["key"] = bucket, key
    return json.dumps(document).encode()


def died(connector: Penstock) -> int:
    """How many dead letters this connector has stored."""
    return int(measured(connector.address, "penstock_dead_letters_total"))


def measured(address: str, name: str, **labels: str) -> float:
    """The sum of one metric over the samples with these labels, from http://ADDRESS/metrics."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def get_json(url: str) -> Any:
    """The JSON of an answer to GET; an answer 404 is None."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None


def quiet(check: Callable[[], object]) -> Callable[[], bool]:
    """A check whose errors mean "not yet", for waiting until something is there."""

    def found() -> bool:
        try:
            return bool(check())
        except Exception:  # noqa: BLE001 - what stays wrong ends the wait with the text of its caller
            return False

    return found
