"""The contract of sinks, on those that need no server."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.errors import TemporaryError
from penstock.settings.config import SourceRule
from penstock.sinks.address import parse_sink
from penstock.sinks.bucket import BucketSink, target_ref
from penstock.sinks.bucket_address import BucketAddress
from penstock.sinks.opensearch import OpenSearchSink
from penstock.sinks.sqlite import SqliteSink
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer

from tests.fake_search_server import FakeSearchServer
from tests.sink_contract import MADE, MARK, REFUSAL, SOURCE, Broken, SinkContract, Unmarked, read, state, write


class TestBucketSink(SinkContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore("processed")

    @pytest.fixture
    def sink(self, store: MemoryStore) -> BucketSink:
        address = parse_sink("s3://processed/{key}.json")
        assert isinstance(address, BucketAddress)
        return BucketSink(store, address, sources=(SourceRule("upload"),))

    @pytest.fixture
    def unmarked(self, store: MemoryStore) -> Unmarked:
        return lambda address: store.put(target_ref(address), [b"theirs"])

    @pytest.fixture
    def broken(self, store: MemoryStore) -> Broken:
        def fail(_verb: str, ref: ObjectRef) -> None:
            raise TemporaryError(f"{ref}: cannot be reached")

        def break_it() -> None:
            store.on_request = fail

        return break_it


class TestSqliteSink(SinkContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "index.db"

    @pytest.fixture
    def sink(self, path: Path) -> Iterator[SqliteSink]:
        with contextlib.closing(SqliteSink(path, "upper")) as sink:
            yield sink

    @pytest.fixture
    def unmarked(self, sink: SqliteSink, path: Path) -> Unmarked:
        def put(address: str) -> None:
            sink.check()
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                db.execute("INSERT INTO documents (id, version, body) VALUES (?, 'v', '{\"a\": 1}')", (address,))

        return put

    @pytest.fixture
    def broken(self, path: Path) -> Broken:
        def break_it() -> None:
            for name in ("", "-wal", "-shm"):
                Path(f"{path}{name}").unlink(missing_ok=True)
            path.write_bytes(b"not a database, but a text that is long enough to be taken for one" * 100)

        return break_it

    def test_search_does_not_find_a_refusal_beside_a_foreign_document(
        self, sink: SqliteSink, address: str, unmarked: Unmarked
    ) -> None:
        refuse_beside_a_foreign_document(sink, address, unmarked)


class TestSearchSink(SinkContract):
    @pytest.fixture
    def server(self, httpserver: HTTPServer) -> FakeSearchServer:
        fake = FakeSearchServer()
        httpserver.expect_request(re.compile(".*")).respond_with_handler(fake.answer)
        return fake

    @pytest.fixture
    def sink(self, server: FakeSearchServer, httpserver: HTTPServer) -> Iterator[OpenSearchSink]:
        with contextlib.closing(OpenSearchSink(httpserver.url_for(""), "photos", timeout=5)) as sink:
            yield sink

    @pytest.fixture
    def unmarked(self, server: FakeSearchServer) -> Unmarked:
        return lambda address: server.store(address, {"bucket": SOURCE.bucket, "key": SOURCE.key, "a": 1})

    @pytest.fixture
    def broken(self, server: FakeSearchServer) -> Broken:
        def break_it() -> None:
            server.is_broken = True

        return break_it

    def test_search_does_not_find_a_refusal_beside_a_foreign_document(
        self, sink: OpenSearchSink, address: str, unmarked: Unmarked
    ) -> None:
        refuse_beside_a_foreign_document(sink, address, unmarked)


def refuse_beside_a_foreign_document(sink: SqliteSink | OpenSearchSink, address: str, unmarked: Unmarked) -> None:
    unmarked(address)
    sink.refuse(address, REFUSAL, MARK, state(), read(sink, address, MARK))
    other = ObjectRef("upload", "in/other.txt")
    write(sink, sink.address(other, None), MADE, MARK, state(other))
    for text in ("rose", "refused", "picture", "penstock", "upper"):
        assert sink.search(text) == []
    assert [found["key"] for found in sink.search("in")] == ["in/other.txt"]
