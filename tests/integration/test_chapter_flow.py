"""The book chapter from end to end: donors.csv in, through Kafka and MQTT, to a searchable document, on real servers.

The lake is examples/chapter/lake.yml as `penstock lake apply` sets it up; the functions have stack.yml's settings.
"""

from __future__ import annotations

import gzip
import io
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from tests.components import ElasticsearchServer, KafkaServer, MinioServer, MosquittoServer, OpenSearchServer
from tests.components.http import HttpError
from tests.integration.connect_helpers import Penstock
from tests.integration.flow import (
    DEAD_LETTERS,
    QUICK,
    get_json,
    kafka_connector,
    letters,
    measured,
    penstock,
    quiet,
    serve,
    stack_settings,
)
from tests.integration.processes import store_settings, wait_until
from tests.served import ROOT

ROWS = 120_000
COLUMNS = ["email", "name", "type", "birthday", "state"]
INDEXES = ("sqlite", "opensearch")


class Chapter:
    """Everything that runs, and what a test asks of it."""

    def __init__(
        self,
        folder: Path,
        held: ExitStack,
        mosquitto: MosquittoServer,
        opensearch: OpenSearchServer,
        elasticsearch: ElasticsearchServer,
    ) -> None:
        self.folder = folder
        self.mosquitto = mosquitto
        self._elasticsearch = elasticsearch
        self.kafka = held.enter_context(KafkaServer(folder / "kafka"))
        for topic in ("upload", DEAD_LETTERS):
            self.kafka.endpoint.create_topic(topic)
        held.callback(self._forget_documents)
        self.minio = held.enter_context(MinioServer(folder / "minio"))
        self.env = {
            **store_settings(self.minio),
            "MINIO_QUEUE_DIR": str(folder / "queue"),
            "KAFKA_BROKERS": self.kafka.endpoint.bootstrap_servers,
            "MQTT_BROKER": mosquitto.endpoint.url,
            "ELASTICSEARCH_URL": elasticsearch.endpoint.url,
        }
        self.lake("apply")
        compress = serve("compress", folder, stack_settings("compress", self.minio))
        held.callback(compress.end)
        self.functions = {"compress": compress.address}
        sinks = {
            "sqlite": f"sqlite://{folder}/index.db",
            "opensearch": f"opensearch+{opensearch.endpoint.url}/chapter",
        }
        for name, sink in sinks.items():
            (folder / name).mkdir()
            index = serve("index", folder / name, stack_settings("index", self.minio, INDEX_SINK=sink))
            held.callback(index.end)
            self.functions[name] = index.address
        held.enter_context(
            kafka_connector(self.kafka, folder, "kafka", {"upload": f"compress=http://{compress.address}/"})
        )
        self.mqtt = held.enter_context(self._mqtt_connector())

    @property
    def client(self) -> Minio:
        return self.minio.endpoint.client()

    def lake(self, what: str) -> str:
        return penstock("lake", what, "--file", str(ROOT / "examples/chapter/lake.yml"), env=self.env)

    def read_back(self) -> bytes:
        with self.client.get_object("processed", "donors.csv.gz") as answer:
            return gzip.decompress(answer.read())

    def document(self, index: str, key: str = "donors.csv.gz") -> Any:
        """The function's own document, None when there is none."""
        return get_json(f"http://{self.functions[index]}/?bucket=processed&key={key}")

    def minios_documents(self) -> dict[str, Any]:
        """What MinIO's own Elasticsearch target keeps: the last notification about each key."""
        self._elasticsearch.endpoint.request("POST", "/processed/_refresh")
        hits = self._elasticsearch.endpoint.request("GET", "/processed/_search?size=1000")["hits"]["hits"]
        records = [hit["_source"]["Records"][0] for hit in hits]
        return {record["s3"]["object"]["key"]: record for record in records}

    @contextmanager
    def _mqtt_connector(self) -> Iterator[Penstock]:
        to = [word for name in INDEXES for word in ("--to", f"processed={name}=http://{self.functions[name]}/")]
        url = f"mqtt://{self.mosquitto.endpoint.host}:{self.mosquitto.endpoint.port}"
        inbox = str(self.folder / "dead.db")
        child = Penstock(
            "mqtt", self.folder, "connect", "mqtt", "--url", url, "--client-id", self.folder.name,
            "--inbox", inbox, *to, *QUICK,
        )  # fmt: skip
        try:
            child.until(child.is_ready, "subscribed")
            yield child
            assert child.end() == 0, child.text()
        finally:
            child.kill()

    def _forget_documents(self) -> None:
        """The index is named by the example, and other tests count what is in it."""
        try:
            self._elasticsearch.endpoint.request("DELETE", "/processed")
        except HttpError as error:
            if error.status != 404:
                raise


@pytest.fixture(scope="module")
def chapter(
    tmp_path_factory: pytest.TempPathFactory,
    mosquitto: MosquittoServer,
    opensearch: OpenSearchServer,
    elasticsearch: ElasticsearchServer,
) -> Iterator[Chapter]:
    with ExitStack() as held:
        yield Chapter(tmp_path_factory.mktemp("chapter"), held, mosquitto, opensearch, elasticsearch)


@pytest.fixture(scope="module")
def donors(chapter: Chapter) -> bytes:
    """`donors.csv` as `penstock donors` writes it, uploaded in parts, once everything about it has been done."""
    path = chapter.folder / "donors.csv"
    penstock("donors", "--rows", str(ROWS), "--seed", "7", "--output", str(path), env={})
    upload(chapter, path)
    for index in INDEXES:
        wait_until(indexed(chapter, index, ROWS), f"a document in {index}")
    wait_until(quiet(lambda: "donors.csv.gz" in chapter.minios_documents()), "MinIO's own document")
    return path.read_bytes()


def upload(chapter: Chapter, path: Path) -> None:
    """Multipart, with the content type of the chapter: browsers call CSV so where it is Excel's."""
    chapter.client.fput_object("upload", "donors.csv", str(path), content_type="application/csv", part_size=5 << 20)


def test_donors_arrive_compressed_and_read_back_equal(chapter: Chapter, donors: bytes) -> None:
    assert chapter.read_back() == donors
    target = chapter.client.stat_object("processed", "donors.csv.gz")
    assert target.content_type == "application/gzip"
    assert target.metadata is not None
    assert target.metadata["x-amz-meta-original-content-type"] == "application/csv"
    assert letters(chapter.kafka) == []


@pytest.mark.parametrize("index", INDEXES)
def test_index_knows_columns_and_rows_of_the_compressed_donors(chapter: Chapter, donors: bytes, index: str) -> None:
    document = chapter.document(index)
    assert document["csv"]["columns"] == COLUMNS
    assert document["csv"]["rows"] == ROWS
    first = donors.split(b"\n")[1].decode().split(",")
    assert document["csv"]["first_rows"][0] == first
    assert document["compression"]["original_size"] == len(donors)
    assert document["etag"] == chapter.client.stat_object("processed", "donors.csv.gz").etag
    search = f"http://{chapter.functions[index]}/?q=donors+birthday"
    wait_until(
        lambda: [found["key"] for found in get_json(search)["documents"]] == ["donors.csv.gz"], "found by its words"
    )


def test_minios_own_target_keeps_the_notification_and_nothing_of_the_content(chapter: Chapter, donors: bytes) -> None:
    record = chapter.minios_documents()["donors.csv.gz"]
    assert record["eventName"].startswith("s3:ObjectCreated:")
    assert record["s3"]["bucket"]["name"] == "processed"
    assert record["s3"]["object"]["size"] == chapter.client.stat_object("processed", "donors.csv.gz").size
    assert b"birthday" in donors.partition(b"\n")[0]
    assert "birthday" not in str(record)


def test_lake_still_agrees_with_its_file(chapter: Chapter, donors: bytes) -> None:
    assert "agrees, nothing to change" in chapter.lake("plan")


def listener(chapter: Chapter, source: str) -> Penstock:
    words = {
        "kafka": ("upload", "--from-beginning", "--set", f"bootstrap.servers={chapter.env['KAFKA_BROKERS']}"),
        "mqtt": ("processed", "--url", f"mqtt://{chapter.mosquitto.endpoint.host}:{chapter.mosquitto.endpoint.port}"),
        "minio": ("upload", "--suffix", ".csv"),
    }[source]
    return Penstock(f"listen-{source}", chapter.folder, "listen", source, *words, env=chapter.env)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("kafka", ("s3:ObjectCreated:CompleteMultipartUpload", "s3://upload/donors.csv")),
        ("mqtt", ("s3:ObjectCreated:", "s3://processed/some 100% +.gz")),
        ("minio", ("s3:ObjectCreated:", "s3://upload/some 100% +.csv")),
    ],
)
def test_listener_prints_each_notification_until_ctrl_c(
    chapter: Chapter, donors: bytes, source: str, line: tuple[str, str]
) -> None:
    child = listener(chapter, source)

    def printed() -> bool:
        # MQTT and MinIO tell only what happens from now on, and MinIO holds it back until 4 KB are full.
        if source == "mqtt":
            put(chapter, "processed", "some 100% +.gz", gzip.compress(b"x"))
        elif source == "minio":
            put(chapter, "upload", "some 100% +.csv", b"a,b\n")
        lines = child.text().splitlines()[1:]
        return any(name in text and text.endswith(ref) for text in lines for name, ref in [line])

    try:
        child.until(printed, "printed")
        child.signal(signal.SIGINT)
        assert child.wait(30) == 0
    finally:
        child.kill()
    header, *lines = child.text().splitlines()
    assert header.split() == ["TIME", "EVENT", "SIZE", "ETAG", "OBJECT"]
    assert all("s3:Object" in text for text in lines), "nothing but notifications, and no trace at the end"


def test_documents_follow_an_overwrite_and_a_removal(chapter: Chapter, donors: bytes) -> None:
    path = chapter.folder / "fewer.csv"
    penstock("donors", "--rows", "50", "--seed", "8", "--output", str(path), env={})
    upload(chapter, path)
    fewer = path.read_bytes()
    wait_until(quiet(lambda: chapter.read_back() == fewer), "the new state compressed")
    for index in INDEXES:
        wait_until(indexed(chapter, index, 50), f"the new state in {index}")
    chapter.client.remove_object("upload", "donors.csv")
    chapter.client.remove_object("processed", "donors.csv.gz")
    wait_until(lambda: not any(chapter.document(index) for index in INDEXES), "gone from both indexes")
    wait_until(quiet(lambda: "donors.csv.gz" not in chapter.minios_documents()), "gone from MinIO's own index")
    assert measured(chapter.mqtt.address, "penstock_inbox_dead") == 0
    assert letters(chapter.kafka) == []


def indexed(chapter: Chapter, index: str, rows: int) -> Callable[[], bool]:
    return quiet(lambda: chapter.document(index)["csv"]["rows"] == rows)


def put(chapter: Chapter, bucket: str, key: str, data: bytes) -> None:
    chapter.client.put_object(bucket, key, io.BytesIO(data), len(data))
