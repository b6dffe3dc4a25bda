"""The book chapter from end to end on real servers: donors.csv, through Kafka and MQTT, to a searchable document."""

from __future__ import annotations

import gzip
import io
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.components import ElasticsearchServer, MosquittoServer, OpenSearchServer
from tests.integration import notebooks
from tests.integration.chapter import INDEXES, ROWS, Chapter
from tests.integration.connect_helpers import Penstock
from tests.integration.flow import (
    get_json,
    letters,
    measured,
    penstock,
    quiet,
)
from tests.integration.processes import wait_until

COLUMNS = ["email", "name", "type", "birthday", "state"]


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
    """What was uploaded as `donors.csv`."""
    return chapter.upload_donors()


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


@pytest.mark.parametrize("name", ["listen", "read_back"])
def test_committed_notebook_shows_what_happens_when_it_is_run(chapter: Chapter, donors: bytes, name: str) -> None:
    executed = notebooks.execute(name, chapter)
    assert notebooks.outputs(executed) == notebooks.outputs(notebooks.read(name)), (
        f"{name}.ipynb shows something else; look why, or renew it: python -m tests.integration.notebooks"
    )


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
    chapter.upload(path)
    fewer = path.read_bytes()
    wait_until(quiet(lambda: chapter.read_back() == fewer), "the new state compressed")
    for index in INDEXES:
        wait_until(chapter.indexed(index, 50), f"the new state in {index}")
    chapter.client.remove_object("upload", "donors.csv")
    chapter.client.remove_object("processed", "donors.csv.gz")
    wait_until(lambda: not any(chapter.document(index) for index in INDEXES), "gone from both indexes")
    wait_until(quiet(lambda: "donors.csv.gz" not in chapter.minios_documents()), "gone from MinIO's own index")
    assert measured(chapter.mqtt.address, "penstock_inbox_dead") == 0
    assert letters(chapter.kafka) == []


def put(chapter: Chapter, bucket: str, key: str, data: bytes) -> None:
    chapter.client.put_object(bucket, key, io.BytesIO(data), len(data))
