"""The servers and processes of one campaign: MinIO, perhaps Kafka, two functions, the bridge, the connector."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from minio.notificationconfig import NotificationConfig, PrefixFilterRule, QueueConfig

from tests.chaos.clock import Clocks
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.model import MAX_INPUT_BYTES, SOURCES, TARGETS
from tests.chaos.notices import Relay
from tests.chaos.operations import PREFIXES
from tests.chaos.versions import Splitter, make_buckets, until_answered
from tests.chaos.volumes import mount, unmount
from tests.components import KafkaServer, MinioServer
from tests.components.process import free_ports
from tests.integration.connect_helpers import Penstock
from tests.integration.processes import store_settings
from tests.paths import ROOT

FUNCTIONS = ("compress", "index")
GROUP, TOPIC, DEAD_TOPIC, PARTITIONS = "lake", "upload", "dead-letters", 4
_EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
# Ten attempts within about half a minute: a store that stands still for longer makes dead letters, which are checked.
_POLICY = ("--min-wait-seconds", "0.1", "--max-wait-seconds", "5", "--drain-seconds", "10")

_STORE_MEGABYTES, _TEMPORARY_MEGABYTES = 256, 64


def _holds_event(path: Path) -> bool:
    """Whether MinIO keeps an event here; killed while it writes one, it may leave an empty file that it never sends."""
    try:
        return path.is_file() and path.stat().st_size > 0
    except FileNotFoundError:  # sent meanwhile
        return False


class Lake:
    """Everything that one campaign works with; a context manager."""

    def __init__(self, folder: Path, seed: int, *, with_kafka: bool) -> None:
        self.folder = folder
        self._held = ExitStack()
        # Each on a small volume of its own, where the machine allows such volumes.
        self.inbox = folder / "inbox" / "inbox.db"
        self.index = folder / "index" / "index.db"
        self.temporary = {name: folder / f"tmp-{name}" for name in FUNCTIONS}
        self.noted: Counter[str] = Counter()
        self._queues = [folder / "queue-bridge", folder / "queue-kafka"]
        names = (*FUNCTIONS, "bridge", "splitter")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        self.splitter = Splitter(ports["splitter"], seed, [ports["compress"]])
        self.relay = Relay(f"http://{self._addresses['bridge']}/", seed)
        self.kafka = KafkaServer(folder / "kafka") if with_kafka else None
        self._seed = seed

    @property
    def has_volumes(self) -> bool:
        """Whether the inbox, the index and the temporary files have small volumes of their own."""
        return self.inbox.parent.is_mount()

    def __enter__(self) -> Lake:
        try:
            self._start()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def _start(self) -> None:
        held = self._held
        stores, temporary = (self.inbox.parent, self.index.parent), self.temporary.values()
        sizes = {**dict.fromkeys(stores, _STORE_MEGABYTES), **dict.fromkeys(temporary, _TEMPORARY_MEGABYTES)}
        for path, megabytes in sizes.items():
            mount(path, megabytes)
            held.callback(unmount, path)
        self.clocks = Clocks(self.folder)
        self.splitter.start()
        held.callback(self.splitter.stop)
        self.relay.start()
        held.callback(self.relay.stop)
        environment = {"MINIO_API_SYNC_EVENTS": "on", **self._target("WEBHOOK", "BRIDGE", {"ENDPOINT": self.relay.url})}
        if self.kafka is not None:
            held.enter_context(self.kafka)
            self.kafka.endpoint.create_topic(TOPIC, PARTITIONS)
            self.kafka.endpoint.create_topic(DEAD_TOPIC)
            brokers = {"BROKERS": self.kafka.endpoint.bootstrap_servers, "TOPIC": TOPIC}
            environment |= self._target("KAFKA", "LAKE", brokers)
        self.minio = held.enter_context(MinioServer(self.folder / "minio", env=environment))
        self.proxy = FaultProxy(self.minio.port, self._seed)
        self.proxy.start()
        held.callback(self.proxy.stop)
        client = self.minio.endpoint.client()
        self.buckets = make_buckets(client, (SOURCES, TARGETS), random.Random(f"{self._seed}/buckets"))
        rules = [self._rule("arn:minio:sqs::BRIDGE:webhook", PREFIXES[0])]
        if self.kafka is not None:
            rules.append(self._rule("arn:minio:sqs::LAKE:kafka", PREFIXES[1]))
        client.set_bucket_notification(SOURCES, NotificationConfig(queue_config_list=rules))
        self.functions = {name: held.enter_context(ended(self._function(name))) for name in FUNCTIONS}
        self.bridge = held.enter_context(ended(self._bridge()))
        self.connector = held.enter_context(ended(self._connector(self.kafka))) if self.kafka is not None else None
        for child in self.children():
            child.until(child.is_ready, "ready", timeout_seconds=120)

    def children(self) -> list[Penstock]:
        """Every process of Penstock's own."""
        return [*self.functions.values(), self.bridge, *([self.connector] if self.connector is not None else [])]

    def settings(self, function: str) -> dict[str, str]:
        """The environment of a function, and of `penstock reconcile` for it."""
        sink = {"compress": f"s3://{TARGETS}/{{key}}.gz", "index": f"sqlite://{self.index}"}[function]
        own = {"MAX_INPUT_BYTES": str(MAX_INPUT_BYTES)} if function == "compress" else {}
        return {
            "FUNCTION_NAME": function,
            "SOURCE": f"s3://{SOURCES}/*.csv",
            "SINK": sink,
            "ON_SOURCE_REMOVED": "delete",
            "THREADS": "8",
            "LOG_LEVEL": "WARNING",
            **own,
            **store_settings(self.minio),
            "MINIO_ENDPOINT": self.proxy.url,
        }

    def reconcile(self, function: str, *options: str, timeout_seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `penstock reconcile` to its end."""
        command = [sys.executable, "-m", "penstock.cli", "reconcile", function, "--yes", *options]
        env = {"PYTHONPATH": str(ROOT / "shared"), "PATH": "/usr/bin:/bin", **self.settings(function)}
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout_seconds)

    def start_reconcile(self, function: str, name: str) -> Penstock:
        """`penstock reconcile` as a child that may be killed."""
        folder = str(ROOT / "functions" / function)
        return Penstock(name, self.folder, "reconcile", folder, "--yes", env=self.settings(function), address="-")

    def dlq(self, *words: str) -> list[str]:
        """The output of `penstock dlq`, line by line, for the bridge's inbox and the connector's topic."""
        places: list[tuple[str, ...]] = [("--inbox", str(self.inbox))]
        if self.kafka is not None:
            servers = f"bootstrap.servers={self.kafka.endpoint.bootstrap_servers}"
            places.append(("--dead-letter-topic", DEAD_TOPIC, "--set", servers))
        lines: list[str] = []
        for place in places:
            command = [sys.executable, "-m", "penstock.cli", "dlq", words[0], *place, *words[1:]]
            env = {"PYTHONPATH": str(ROOT / "shared"), "PATH": "/usr/bin:/bin"}
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                raise RuntimeError(f"penstock dlq {words[0]} exited with {done.returncode}: {done.stderr[-2000:]}")
            lines += done.stdout.splitlines()
        return lines

    def waiting(self) -> dict[str, int]:
        """Events that are still under way, by the place where they wait."""
        with closing(sqlite3.connect(f"file:{self.inbox}?mode=ro", uri=True, timeout=30)) as db:
            (pending,) = db.execute("SELECT count(*) FROM pending").fetchone()
        queued = sum(1 for queue in self._queues if queue.is_dir() for path in queue.rglob("*") if _holds_event(path))
        return {"inbox": pending, "MinIO's queues": queued, "relay": self.relay.waiting, "Kafka": self._lag()}

    def documents(self) -> dict[str, dict[str, Any]]:
        """The index as it is on disk, by `bucket/key`; `refusal` is set where a document stands for a refusal."""
        with closing(sqlite3.connect(f"file:{self.index}?mode=ro", uri=True, timeout=30)) as db:
            rows = db.execute("SELECT id, body, refusal FROM documents").fetchall()
        return {name: {**json.loads(body), "refusal": refusal} for name, body, refusal in rows}

    def unfinished_uploads(self) -> list[str]:
        """Keys of uploads in parts that `reconcile` could have seen and left.

        MinIO lists them from memory. So no S3 client sees those from before its last start, nor those whose beginning
        broke off: they are on its disk, and it had no one to tell their names to. It removes both itself after a day
        (tests/integration/test_uploads_of_an_earlier_start.py).
        """
        client = self.minio.endpoint.client()
        return [f"{bucket}/{key}" for bucket in (SOURCES, TARGETS) for key in client.unfinished(bucket)]

    def keys(self) -> list[str]:
        """Some keys that the source bucket holds now."""
        found = until_answered(lambda: list(self.minio.endpoint.client().list_objects(SOURCES, recursive=True)))
        return sorted(str(item.object_name) for item in found) or ["hook/none.csv"]

    def address_of(self, function: str) -> str:
        """HOST:PORT where events for a function go: behind it may be two versions."""
        return self._addresses["splitter" if function == "compress" else function]

    @contextmanager
    def second_version(self, settings: Mapping[str, str]) -> Iterator[int]:
        """Another version of compress, with these settings, until the block ends; its port."""
        name = "compress-next"
        [port] = free_ports(1)
        child = self._function("compress", name, f"127.0.0.1:{port}", settings)
        with ended(child):
            child.until(child.is_ready, "ready", timeout_seconds=120)
            yield port
            child.stop(60)
        if (code := child.returncode()) != 0:
            raise AssertionError(f"{name} ended with {code} after SIGTERM; see {child.log}")

    def _lag(self) -> int:
        if self.kafka is None:
            return 0
        settings = {"bootstrap.servers": self.kafka.endpoint.bootstrap_servers, "group.id": GROUP, "log_level": 0}
        consumer = Consumer(settings)
        places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
        try:
            committed = consumer.committed(places, timeout=20)
            ends = [consumer.get_watermark_offsets(place, timeout=20)[1] for place in places]
        except KafkaException:
            return sys.maxsize
        finally:
            consumer.close()
        return sum(end - max(0, place.offset) for end, place in zip(ends, committed, strict=True))

    def _target(self, kind: str, name: str, values: Mapping[str, str]) -> dict[str, str]:
        queue = self._queues[0 if kind == "WEBHOOK" else 1]
        given = {"ENABLE": "on", "QUEUE_DIR": str(queue), "QUEUE_LIMIT": "100000", **values}
        return {f"MINIO_NOTIFY_{kind}_{key}_{name}": value for key, value in given.items()}

    @staticmethod
    def _rule(arn: str, prefix: str) -> QueueConfig:
        return QueueConfig(queue=arn, events=_EVENTS, prefix_filter_rule=PrefixFilterRule(prefix))

    def _function(
        self, function: str, name: str = "", address: str = "", more: Mapping[str, str] | None = None
    ) -> Penstock:
        name, address = name or function, address or self._addresses[function]
        env = {
            **self.settings(function),
            **self.clocks.environment(name),
            "PORT": address.rpartition(":")[2],
            "TMPDIR": str(self.temporary[function]),
            **(more or {}),
        }
        path = str(ROOT / "functions" / function)
        return Penstock(name, self.folder, "serve", path, "--host", "127.0.0.1", env=env, address=address)

    def _bridge(self) -> Penstock:
        targets = [word for name in FUNCTIONS for word in ("--to", f"{name}=http://{self.address_of(name)}/")]
        words = ["bridge", *targets, "--inbox", str(self.inbox), "--allow-anonymous", *_POLICY]
        env = self.clocks.environment("bridge")
        return Penstock("bridge", self.folder, *words, env=env, address=self._addresses["bridge"])

    def _connector(self, kafka: KafkaServer) -> Penstock:
        words = [word for name in FUNCTIONS for word in ("--to", f"{TOPIC}={name}=http://{self.address_of(name)}/")]
        given = {"bootstrap.servers": kafka.endpoint.bootstrap_servers, "group.id": GROUP, "session.timeout.ms": "6000"}
        words += [word for pair in given.items() for word in ("--set", "=".join(pair))]
        env = self.clocks.environment("connector")
        return Penstock("connector", self.folder, "connect", "kafka", *words, *_POLICY, env=env)


@contextmanager
def ended(child: Penstock) -> Iterator[Penstock]:
    """A child that is ended with the block, frozen or not."""
    try:
        yield child
    finally:
        child.stop()


def is_alive(address: str) -> bool:
    """Whether a process answers its liveness probe."""
    try:
        with urllib.request.urlopen(f"http://{address}/_/health", timeout=10) as answer:
            return int(answer.status) == 200
    except OSError:
        return False
