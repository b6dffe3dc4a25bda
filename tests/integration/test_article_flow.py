"""The MinIO article from end to end: a photograph in, resized at its nested path, through Kafka on real servers.

The lake is examples/article/lake.yml as `penstock lake apply` sets it up, the function has stack.yml's settings.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from minio import Minio
from penstock.local.demo.photos import read_photos
from PIL import Image

from tests.components import KafkaServer, MinioServer
from tests.integration.flow import (
    DEAD_LETTERS,
    Tail,
    died,
    dlq,
    headers_of,
    kafka_connector,
    letters,
    penstock,
    quiet,
    serve,
    stack_settings,
)
from tests.integration.processes import store_settings, wait_until
from tests.paths import ROOT

TOPIC = "my-topic"


class Article:
    """MinIO, Kafka, `resize` and the connector between them."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.kafka = held.enter_context(KafkaServer(folder / "kafka"))
        for topic in (TOPIC, DEAD_LETTERS):
            self.kafka.endpoint.create_topic(topic)
        self.events, self.dead = Tail(self.kafka, TOPIC), Tail(self.kafka, DEAD_LETTERS)
        for tail in (self.events, self.dead):
            held.callback(tail.close)
        self.minio = held.enter_context(MinioServer(folder / "minio"))
        queue, brokers = str(folder / "queue"), self.kafka.endpoint.bootstrap_servers
        env = {**store_settings(self.minio), "MINIO_QUEUE_DIR": queue, "KAFKA_BROKERS": brokers}
        penstock("lake", "apply", "--file", str(ROOT / "examples/article/lake.yml"), env=env)
        self.settings = stack_settings("resize", self.minio)
        self.resize = serve("resize", folder, self.settings)
        held.callback(self.resize.end)
        target = {TOPIC: f"resize=http://{self.resize.address}/"}
        self.connector = held.enter_context(kafka_connector(self.kafka, folder, "connector", target))

    @property
    def client(self) -> Minio:
        return self.minio.endpoint.client()

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object("images", key, io.BytesIO(data), len(data), content_type="image/jpeg")

    def read(self, key: str) -> bytes:
        with self.client.get_object("processed", key) as answer:
            return answer.read()

    def width(self, key: str) -> int:
        with Image.open(io.BytesIO(self.read(key))) as picture:
            assert picture.format == "JPEG"
            picture.load()
            return picture.width

    def processed(self) -> set[str]:
        """Every key in the destination bucket, records of refusals included."""
        return {str(found.object_name) for found in self.client.list_objects("processed", recursive=True)}

    def reconcile(self, *options: str) -> str:
        return penstock("reconcile", "functions/resize", *options, env=self.settings)


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Article]:
    with ExitStack() as held:
        yield Article(tmp_path_factory.mktemp("article"), held)


@pytest.fixture(scope="module")
def photograph() -> bytes:
    """A real photograph in the public domain, wider than the 400 pixels that stack.yml asks for."""
    data = next(data for photo, data in read_photos() if photo.file == "rocket.jpg")
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.width == 640
    return data


def test_photograph_is_resized_at_its_nested_path(article: Article, photograph: bytes) -> None:
    before = len(article.events.records())
    article.put("deeper/path/rose.jpg", photograph)
    wait_until(quiet(lambda: article.width("deeper/path/rose.jpg") == 400), "the resized picture")
    assert article.client.stat_object("processed", "deeper/path/rose.jpg").content_type == "image/jpeg"
    assert article.client.stat_object("images", "deeper/path/rose.jpg").size == len(photograph)
    # The function's own reading of the source came back to nobody: the rule names no accessed events.
    reported = [json.loads(record.value() or b"")["EventName"] for record in article.events.records()[before:]]
    assert set(reported) == {"s3:ObjectCreated:Put"}
    assert letters(article.kafka) == []


def test_two_byte_rose_is_refused_told_and_replaced_by_the_next_good_one(article: Article, photograph: bytes) -> None:
    article.put("rose.jpg", b"x\n")
    wait_until(lambda: died(article.connector) == 1, "a dead letter")
    [letter] = letters(article.kafka)
    assert (letter.message.target, letter.code) == ("resize", 415)
    [record] = article.dead.records()
    headers = headers_of(record)
    assert headers["knativeerrorcode"] == "415"
    assert headers["knativeerrordest"] == f"http://{article.resize.address}/"
    assert headers["penstock-topic"] == TOPIC
    assert json.loads(record.value() or b"")["Key"] == "images/rose.jpg"
    shown = dlq(article.kafka, DEAD_LETTERS, "show", letter.id)
    assert "UnsupportedInput" in shown
    assert "rose.jpg" in shown

    [refusal] = [key for key in article.processed() if key.startswith(".penstock/refused/resize/")]
    recorded = json.loads(article.read(refusal))
    assert recorded["error"] == "UnsupportedInput"
    assert "rose.jpg" not in article.processed()
    assert "1 agreeing" in article.reconcile("--check", "--prefix", "rose.jpg"), "a recorded refusal is an end"

    article.put("rose.jpg", photograph)
    wait_until(quiet(lambda: article.width("rose.jpg") == 400), "the good picture")
    wait_until(lambda: refusal not in article.processed(), "the refusal gone")
    assert dlq(article.kafka, DEAD_LETTERS, "drop", letter.id) == "1 dropped\n"


def test_refusal_takes_the_picture_of_an_older_state_away(article: Article, photograph: bytes) -> None:
    article.put("once.jpg", photograph)
    wait_until(quiet(lambda: article.width("once.jpg") == 400), "the resized picture")
    before = died(article.connector)
    article.put("once.jpg", photograph[:1000])
    wait_until(lambda: "once.jpg" not in article.processed(), "no picture of something else")
    wait_until(lambda: died(article.connector) == before + 1, "a dead letter")
    [letter] = letters(article.kafka)
    assert letter.code == 422
    article.put("once.jpg", photograph)
    wait_until(quiet(lambda: article.width("once.jpg") == 400), "the picture again")
    assert dlq(article.kafka, DEAD_LETTERS, "replay", letter.id) == "1 replayed\n"
    assert letters(article.kafka) == []
    article.reconcile("--check")
