"""Connectors are killed, brokers and stores restarted, one key is fought over; in the end every target is right."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from minio.notificationconfig import NotificationConfig, QueueConfig, SuffixFilterRule

from tests.components import KafkaServer, MinioServer
from tests.integration.processes import kafka_connector, store_settings, wait_until
from tests.paths import ROOT
from tests.served import Served, served
from tests.uploads import UploadsClient

KEYS = [
    "plain.csv",
    "with space.csv",
    "a+b.csv",
    "100%.csv",
    "a%20b.csv",
    "a&b=c?d#e.csv",
    'it\'s "quoted".csv',
    "new\nline.csv",
    "日本/語.csv",
    f"{'a' * 200}/{'é' * 100}/{'b' * 200}/{'c' * 200}/{'d' * 84}.csv",
]


class World:
    """MinIO that notifies Kafka, each restartable, and `compress` from `upload` to `processed`."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.folder = folder
        self._held = held
        self.kafka = held.enter_context(KafkaServer(folder / "kafka"))
        self.kafka.endpoint.create_topic("upload", 6)
        self.kafka.endpoint.create_topic("dead-letters")
        self.minio = held.enter_context(
            MinioServer(
                folder / "minio",
                env={
                    "MINIO_API_SYNC_EVENTS": "on",
                    "MINIO_NOTIFY_KAFKA_ENABLE_LAKE": "on",
                    "MINIO_NOTIFY_KAFKA_BROKERS_LAKE": self.kafka.endpoint.bootstrap_servers,
                    "MINIO_NOTIFY_KAFKA_TOPIC_LAKE": "upload",
                    "MINIO_NOTIFY_KAFKA_QUEUE_DIR_LAKE": str(folder / "queue"),
                },
            )
        )
        for bucket in ("upload", "processed"):
            self.client.make_bucket(bucket)
        self.client.set_bucket_notification(
            "upload",
            NotificationConfig(
                queue_config_list=[
                    QueueConfig(
                        queue="arn:minio:sqs::LAKE:kafka",
                        events=["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                        suffix_filter_rule=SuffixFilterRule(".csv"),
                    )
                ]
            ),
        )
        self.settings = {
            "SOURCE": "s3://upload/*.csv",
            "SINK": "s3://processed/{key}.gz",
            "ON_SOURCE_REMOVED": "delete",
            "LOG_LEVEL": "WARNING",
            **store_settings(self.minio),
        }

    @property
    def client(self) -> UploadsClient:
        return self.minio.endpoint.client()

    def serve(self, function: str = "compress", settings: dict[str, str] | None = None) -> Served:
        return self._held.enter_context(served(function, self.settings | (settings or {})))

    def connect(self, target: Served, name: str, *options: str) -> subprocess.Popen[bytes]:
        log = self.folder / f"{name}.log"
        url = f"{target.url}/"
        return self._held.enter_context(kafka_connector(self.kafka, {"upload": url}, "lake", log, *options))

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object("upload", key, io.BytesIO(data), len(data), content_type="text/csv")

    def read(self, bucket: str, key: str) -> bytes:
        with self.client.get_object(bucket, key) as response:
            return response.read()

    def targets(self) -> set[str]:
        found = {str(item.object_name) for item in self.client.list_objects("processed", recursive=True)}
        return {key.removesuffix(".gz") for key in found if not key.startswith(".penstock/")}

    def reconcile(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "penstock.cli", "reconcile", "compress", *options]
        return subprocess.run(command, cwd=ROOT, env=self.settings, capture_output=True, text=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as held:
        yield World(tmp_path, held)


def data_of(key: str) -> bytes:
    return f"email, name\n{key!r}@example.com,A\n".encode() * 40


def assert_every_target_is_right(world: World, keys: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        for key, packed in zip(keys, pool.map(lambda key: world.read("processed", f"{key}.gz"), keys), strict=True):
            assert gzip.decompress(packed) == data_of(key), key
    check = world.reconcile("--check")
    assert check.returncode == 0, check.stdout + check.stderr


def test_every_key_survives_the_way_through_kafka(world: World) -> None:
    world.connect(world.serve(), "connector")
    for key in KEYS:
        world.put(key, data_of(key))
    wait_until(lambda: world.targets() == set(KEYS), "a target for every key")
    assert_every_target_is_right(world, KEYS)


def test_a_thousand_objects_survive_a_killed_connector_and_a_restarted_broker(world: World) -> None:
    function = world.serve()
    connectors = [world.connect(function, f"connector-{number}") for number in range(3)]
    keys = [f"{number % 10}/{number:04}.csv" for number in range(1000)]
    with ThreadPoolExecutor(8) as pool:
        for number, _ in enumerate(pool.map(lambda key: world.put(key, data_of(key)), keys)):
            if number == 300:
                connectors[0].kill()
            if number == 600:
                world.kafka.restart()
    wait_until(lambda: world.targets() >= set(keys), "a target for each of 1,000 objects", 240)
    assert_every_target_is_right(world, keys)
    # A record that a killed connector had is delivered again, and its upload may be under way.
    wait_until(lambda: world.client.unfinished("processed") == [], "no upload left")


def test_events_wait_in_minio_while_kafka_is_down(world: World) -> None:
    world.connect(world.serve(), "connector")
    world.kafka.stop()
    keys = [f"{number}.csv" for number in range(20)]
    for key in keys:
        world.put(key, data_of(key))
    world.kafka.restart()
    wait_until(lambda: world.targets() == set(keys), "targets for what was written while Kafka was down")
    assert_every_target_is_right(world, keys)


def test_reconcile_brings_what_a_restart_of_minio_lost(world: World) -> None:
    function = world.serve()
    world.connect(function, "connector")
    keys = [f"{number:03}.csv" for number in range(120)]
    for number, key in enumerate(keys):
        if number == 60:
            world.minio.kill()
            world.minio.restart()
        world.put(key, data_of(key))
    # What a kill loses depends on the moment, so one object is certain to have no event: its rule was away.
    world.client.delete_bucket_notification("upload")
    world.put("unnoticed.csv", data_of("unnoticed.csv"))
    keys.append("unnoticed.csv")
    check = world.reconcile("--check")
    assert check.returncode == 1, check.stdout
    done = world.reconcile()
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.targets() == set(keys)
    assert_every_target_is_right(world, keys)


@pytest.mark.parametrize("ends_deleted", [False, True])
def test_sixty_overwrites_of_one_key_end_at_the_last_state(world: World, ends_deleted: bool) -> None:
    compress = world.serve()
    index_settings = {
        "SINK": f"sqlite://{world.folder}/index.db",
        "WORKERS": "2",
    }
    index = world.serve("index", index_settings)
    for name, function in (("one", compress), ("two", compress)):
        world.connect(function, name)
    log = world.folder / "index.log"
    with kafka_connector(world.kafka, {"upload": f"{index.url}/"}, "index", log):

        def write(number: int) -> None:
            if number % 7 == 3:
                world.client.remove_object("upload", "one.csv")
            else:
                world.put("one.csv", b"state %d\n" % number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(60)))
        if ends_deleted:
            world.client.remove_object("upload", "one.csv")
        else:
            world.put("one.csv", b"the last state\n")

        def agrees() -> bool:
            _, document = index.get("/?bucket=upload&key=one.csv")
            if ends_deleted:
                return world.targets() == set() and not document.get("key")
            try:
                packed = world.read("processed", "one.csv.gz")
            except Exception:  # noqa: BLE001 - not there yet
                return False
            return gzip.decompress(packed) == b"the last state\n" and document.get("etag") == etag

        etag = None if ends_deleted else world.client.stat_object("upload", "one.csv").etag
        wait_until(agrees, "targets that agree with the last state")
        wait_until(lambda: world.reconcile("--check").returncode == 0, "nothing to do for reconcile")
