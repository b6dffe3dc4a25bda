"""MinIO, Kafka, `index` and OpenSearch, PostgreSQL or Cassandra: one key fought over, and a server that goes away."""

from __future__ import annotations

import io
import json
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from tests.components import CassandraServer, KafkaServer, OpenSearchServer, PostgresServer
from tests.integration.flow import (
    get_json,
    kafka_connector,
    letters,
    measured,
    minio_to_kafka,
    penstock,
    serve,
    stack_settings,
)
from tests.integration.processes import wait_until
from tests.paths import ROOT


class World:
    """MinIO that reports `processed` to a topic; a test adds the index function and its server."""

    def __init__(self, folder: Path, held: ExitStack, kafka: KafkaServer, name: str) -> None:
        self.folder, self.kafka, self.topic, self.dead = folder, kafka, name, f"{name}-dead"
        self.minio = held.enter_context(minio_to_kafka(folder, kafka, name, "processed"))

    @property
    def client(self) -> Minio:
        return self.minio.endpoint.client()

    def settings(self, opensearch: OpenSearchServer, index: str) -> dict[str, str]:
        return self._settings(f"opensearch+{opensearch.endpoint.url}/{index}")

    def settings_with_files(self, server: PostgresServer | CassandraServer, sink: str) -> dict[str, str]:
        """The settings for a database, whose role and password are in files, as a platform's secrets are."""
        files = {"SINK_USERNAME": server.endpoint.username, "SINK_PASSWORD": server.endpoint.password}
        for name, value in files.items():
            (self.folder / name).write_text(value, encoding="utf-8")
        return self._settings(sink) | {f"{name}_FILE": str(self.folder / name) for name in files}

    def _settings(self, sink: str) -> dict[str, str]:
        return stack_settings("index", self.minio, INDEX_SINK=sink) | {"WORKERS": "2", "LOG_LEVEL": "WARNING"}

    def stack(self) -> str:
        """A stack file with the function, for commands that look for functions in one."""
        path = self.folder / "stack.yml"
        index = {"handler": str(ROOT / "functions/index"), "environment": {"SOURCE": "s3://processed/*"}}
        path.write_text(json.dumps({"provider": {"name": "openfaas"}, "functions": {"index": index}}), encoding="utf-8")
        return str(path)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object("processed", key, io.BytesIO(data), len(data))


@pytest.fixture
def world(tmp_path: Path, kafka: KafkaServer, unique_name: str) -> Iterator[World]:
    with ExitStack() as held:
        yield World(tmp_path, held, kafka, unique_name)


def document(address: str, key: str) -> Any:
    return get_json(f"http://{address}/?bucket=processed&key={key}")


def found_by(address: str, words: str) -> list[str]:
    return [found["key"] for found in get_json(f"http://{address}/?q={words}")["documents"]]


def test_sixty_overwrites_and_removals_end_at_the_last_state_in_opensearch(
    world: World, opensearch: OpenSearchServer
) -> None:
    overwrite_and_remove_sixty_times(world, world.settings(opensearch, world.topic))


def test_sixty_overwrites_and_removals_end_at_the_last_state_in_postgresql(
    world: World, postgresql: PostgresServer
) -> None:
    sink = f"{postgresql.endpoint.url}/{world.topic.replace('-', '_')}?sslmode=disable"
    overwrite_and_remove_sixty_times(world, world.settings_with_files(postgresql, sink))


def test_sixty_overwrites_and_removals_end_at_the_last_state_in_cassandra(
    world: World, cassandra: CassandraServer
) -> None:
    cassandra.endpoint.run(
        "CREATE KEYSPACE IF NOT EXISTS lake WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    )
    sink = f"{cassandra.endpoint.url}/lake/{world.topic.replace('-', '_')}?tls=off"
    overwrite_and_remove_sixty_times(world, world.settings_with_files(cassandra, sink), searches=False)


def overwrite_and_remove_sixty_times(world: World, settings: dict[str, str], *, searches: bool = True) -> None:
    index = serve("index", world.folder, settings)
    keys = ("stays.txt", "goes.txt")
    to = {world.topic: f"index=http://{index.address}/"}
    with kafka_connector(world.kafka, world.folder, world.topic, to, "--dead-letter-topic", world.dead) as connector:

        def write(number: int) -> None:
            for key in keys:
                if number % 7 == 3:
                    world.client.remove_object("processed", key)
                else:
                    world.put(key, b"state %d\n" % number)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(60)))
        world.put("stays.txt", b"the last state\n")
        world.client.remove_object("processed", "goes.txt")
        etag = world.client.stat_object("processed", "stays.txt").etag

        def agrees() -> bool:
            stays, goes = (document(index.address, key) for key in keys)
            return goes is None and stays is not None and stays["etag"] == etag

        wait_until(agrees, "documents that agree with the last states")
        wait_until(lambda: measured(connector.address, "penstock_delivery_held") == 0, "everything delivered")
        assert agrees()
        assert document(index.address, "stays.txt")["text"]["beginning"] == "the last state\n"
    if searches:
        wait_until(lambda: found_by(index.address, "last+stat*") == ["stays.txt"], "a search that finds the document")
    else:
        with pytest.raises(urllib.error.HTTPError) as caught:
            found_by(index.address, "last")
        assert caught.value.code == 501
    assert letters(world.kafka, world.dead) == []
    assert "1 agreeing" in penstock("reconcile", str(ROOT / "functions/index"), "--check", env=settings)
    assert penstock("status", "s3://processed/stays.txt", "--stack", world.stack(), env=settings).startswith(
        "index: ready"
    )
    assert (
        penstock("status", "s3://processed/goes.txt", "--stack", world.stack(), env=settings, code=1) == "index: gone\n"
    )
    assert index.end() == 0


def test_events_wait_while_the_search_server_is_down(world: World) -> None:
    with OpenSearchServer(world.folder / "opensearch") as server:
        index = serve("index", world.folder, world.settings(server, world.topic))
        to = {world.topic: f"index=http://{index.address}/"}
        options = ("--dead-letter-topic", world.dead, "--attempts", "0")
        with kafka_connector(world.kafka, world.folder, world.topic, to, *options) as connector:
            world.put("before.txt", b"one\n")
            wait_until(lambda: document(index.address, "before.txt") is not None, "a document")
            server.kill()
            world.put("meanwhile.txt", b"two\n")
            world.client.remove_object("processed", "before.txt")

            def retried() -> float:
                return measured(connector.address, "penstock_delivery_attempts_total", outcome="retry")

            wait_until(lambda: retried() >= 2, "retries")
            server.restart()
            wait_until(lambda: document(index.address, "meanwhile.txt") is not None, "the document that waited")
            wait_until(lambda: document(index.address, "before.txt") is None, "the removal that waited")
        assert index.end() == 0
    assert letters(world.kafka, world.dead) == []
