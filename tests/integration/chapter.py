"""The book chapter as it runs in the tests: its lake, Kafka, MQTT, three functions, two search servers.

The lake is examples/chapter/lake.yml as `penstock lake apply` sets it up; the functions have stack.yml's settings.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from minio import Minio

from tests.components import ElasticsearchServer, KafkaServer, MinioServer, MosquittoServer, OpenSearchServer
from tests.components.http import HttpError
from tests.integration.connect_helpers import QUICK, Penstock
from tests.integration.flow import (
    DEAD_LETTERS,
    get_json,
    kafka_connector,
    penstock,
    quiet,
    serve,
    stack_settings,
)
from tests.integration.processes import store_settings, wait_until
from tests.paths import ROOT

ROWS = 120_000
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

    def upload(self, path: Path) -> None:
        """Multipart, with the content type of the chapter: browsers call CSV so where it is Excel's."""
        self.client.fput_object("upload", "donors.csv", str(path), content_type="application/csv", part_size=5 << 20)

    def upload_donors(self) -> bytes:
        """Put `donors.csv` as `penstock donors` writes it, and wait until everything about it has been done."""
        path = self.folder / "donors.csv"
        penstock("donors", "--rows", str(ROWS), "--seed", "7", "--output", str(path), env={})
        self.upload(path)
        for index in INDEXES:
            wait_until(self.indexed(index, ROWS), f"a document in {index}")
        wait_until(quiet(lambda: "donors.csv.gz" in self.minios_documents()), "MinIO's own document")
        return path.read_bytes()

    def indexed(self, index: str, rows: int) -> Callable[[], bool]:
        """Whether the document in this index is about a file of so many rows."""
        return quiet(lambda: self.document(index)["csv"]["rows"] == rows)

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
