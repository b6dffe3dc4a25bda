"""Every event type that MinIO sends, from a real client call through Kafka to a function, and what comes of it.

The rule is the article's own, which reports accesses too: `penstock lake` refuses it, and this shows that even then
nothing goes in circles.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from penstock.events import parse

from tests.components import KafkaServer
from tests.integration.flow import (
    SAFE_EVENTS,
    Tail,
    kafka_connector,
    letters,
    measured,
    minio_to_kafka,
    serve,
)
from tests.integration.processes import store_settings, wait_until

CSV = b"email, name\na@example.com,A\n" * 20
LARGE = b"email, name\nb@example.com,B\n" * 240_000  # 6.7 MB: past 5 MiB minio-py uploads in parts


class World:
    """MinIO that reports everything about `upload`, and `compress` behind the connector."""

    def __init__(self, folder: Path, held: ExitStack, kafka: KafkaServer, name: str) -> None:
        self.kafka, self.topic, self.dead = kafka, name, f"{name}-dead"
        events = (*SAFE_EVENTS, "s3:ObjectAccessed:*")
        self.minio = held.enter_context(minio_to_kafka(folder, kafka, name, "upload", "processed", events=events))
        self.events = Tail(kafka, name)
        held.callback(self.events.close)
        settings = {
            "SOURCE": "s3://upload/*.csv",
            "SINK": "s3://processed/{key}.gz",
            "ON_SOURCE_REMOVED": "delete",
            **store_settings(self.minio),
        }
        self.function = serve("compress", folder, settings)
        held.callback(self.function.end)
        to = {self.topic: f"compress=http://{self.function.address}/"}
        held.enter_context(kafka_connector(kafka, folder, name, to, "--dead-letter-topic", self.dead))

    @property
    def client(self) -> Minio:
        return self.minio.endpoint.client()

    def put(self, key: str, data: bytes = CSV) -> None:
        self.client.put_object("upload", key, io.BytesIO(data), len(data), content_type="text/csv")

    def target(self, key: str) -> bytes | None:
        try:
            with self.client.get_object("processed", f"{key}.gz") as answer:
                return gzip.decompress(answer.read())
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def written_bytes(self) -> float:
        """What the function has written since it started."""
        return measured(self.function.address, "penstock_output_bytes_total")

    def names(self, key: str | None = None) -> list[str]:
        """The names of all events so far, or of those of one key, without `s3:`."""
        found = [event for record in self.events.records() for event in parse(record.value() or b"", {})]
        return [(event.name or "").removeprefix("s3:") for event in found if key is None or event.ref.key == key]

    def settle(self) -> None:
        """Wait until the function has answered every event, those of its own reading included."""

        def settled() -> bool:
            records = len(self.events.records())
            answered = measured(self.function.address, "penstock_events_total")
            return answered >= records == len(self.events.records())

        wait_until(settled, "every event answered")

    def event_from(self, act: Callable[[], object], wanted: str) -> None:
        """Do something, and wait until its event has been seen and dealt with."""
        before = self.names().count(wanted)
        act()
        wait_until(lambda: self.names().count(wanted) > before, wanted)
        self.settle()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaServer) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("events")
    with ExitStack() as held:
        yield World(folder, held, kafka, folder.name)


def post_form(world: World, key: str) -> None:
    """Upload as a browser's form does."""
    policy = PostPolicy("upload", datetime.now(UTC) + timedelta(minutes=5))
    policy.add_equals_condition("key", key)
    fields: dict[str, str | tuple[str, bytes]] = dict(world.client.presigned_post_policy(policy))
    fields |= {"key": key, "file": (key, CSV)}
    answer = urllib3.request("POST", f"{world.minio.endpoint.url}/upload", fields=list(fields.items()))
    assert answer.status == 204, answer.data


def copy(world: World, key: str) -> None:
    world.client.copy_object("upload", key, CopySource("upload", "put.csv"))


def tag(world: World, key: str) -> None:
    tags = Tags.new_object_tags()
    tags["kind"] = "list"
    world.client.set_object_tags("upload", key, tags)


@pytest.mark.parametrize(
    ("key", "act", "event", "data"),
    [
        ("put.csv", lambda world, key: world.put(key), "ObjectCreated:Put", CSV),
        ("parts.csv", lambda world, key: world.put(key, LARGE), "ObjectCreated:CompleteMultipartUpload", LARGE),
        ("form.csv", post_form, "ObjectCreated:Post", CSV),
        ("copy.csv", copy, "ObjectCreated:Copy", CSV),
    ],
)
def test_created_object_gets_its_target(
    world: World, key: str, act: Callable[[World, str], None], event: str, data: bytes
) -> None:
    if key == "copy.csv":
        world.put("put.csv")
    world.event_from(lambda: act(world, key), event)
    assert world.target(key) == data


@pytest.mark.parametrize(
    ("event", "act"),
    [
        ("ObjectAccessed:Head", lambda world: world.client.stat_object("upload", "kept.csv")),
        ("ObjectAccessed:Get", lambda world: world.client.get_object("upload", "kept.csv").close()),
        ("ObjectCreated:PutTagging", lambda world: tag(world, "kept.csv")),
        ("ObjectCreated:DeleteTagging", lambda world: world.client.delete_object_tags("upload", "kept.csv")),
    ],
)
def test_reading_and_tagging_write_nothing(world: World, event: str, act: Callable[[World], object]) -> None:
    world.event_from(lambda: world.put("kept.csv"), "ObjectCreated:Put")
    target, written = world.client.stat_object("processed", "kept.csv.gz"), world.written_bytes()
    world.event_from(lambda: act(world), event)
    assert world.client.stat_object("processed", "kept.csv.gz").last_modified == target.last_modified
    assert world.written_bytes() == written
    assert world.target("kept.csv") == CSV


def test_removed_objects_take_their_targets_along(world: World) -> None:
    keys = ["one.csv", "two.csv", "three.csv"]
    for key in keys:
        world.put(key)
    world.settle()
    world.event_from(lambda: world.client.remove_object("upload", "one.csv"), "ObjectRemoved:Delete")
    assert [world.target(key) for key in keys] == [None, CSV, CSV]
    many = [DeleteObject(key) for key in keys[1:]]
    world.event_from(lambda: list(world.client.remove_objects("upload", many)), "ObjectRemoved:Delete")
    wait_until(lambda: [world.target(key) for key in keys] == [None, None, None], "all targets gone")
    world.event_from(lambda: world.client.remove_object("upload", "missing.csv"), "ObjectRemoved:NoOP")


def test_other_keys_are_not_read(world: World) -> None:
    world.event_from(lambda: world.put("notes.txt"), "ObjectCreated:Put")
    assert world.target("notes.txt") is None
    # The events of other tests' reading may come meanwhile; this key has none of reading.
    assert set(world.names("notes.txt")) == {"ObjectCreated:Put"}


def test_own_reading_is_ignored_and_nothing_goes_in_circles(world: World) -> None:
    """A put leads to one reading, whose events lead to none: what comes is finite, and all of it is answered."""
    before = measured(world.function.address, "penstock_events_total", outcome="processed")
    ignored = measured(world.function.address, "penstock_events_total", outcome="ignored")
    world.event_from(lambda: world.put("circle.csv"), "ObjectCreated:Put")
    names = world.names()
    wait_until(lambda: world.names()[-1].startswith("ObjectAccessed:"), "its own reading reported")
    world.settle()
    assert measured(world.function.address, "penstock_events_total", outcome="processed") == before + 1
    assert measured(world.function.address, "penstock_events_total", outcome="ignored") > ignored
    assert measured(world.function.address, "penstock_events_total", outcome="failed") == 0
    assert len(world.names()) <= len(names) + 4
    assert letters(world.kafka, world.dead) == []
