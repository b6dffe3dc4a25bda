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
from penstock.sinks import opensearch, sqlite
from penstock.sinks.address import parse_sink
from penstock.sinks.bucket import BucketSink, target_ref
from penstock.sinks.bucket_address import BucketAddress
from penstock.sinks.opensearch import OpenSearchSink
from penstock.sinks.sqlite import SqliteSink
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer

from tests.fake_search_server import FakeSearchServer
from tests.sink_contract import SOURCE, Broken, SearchContract, SinkContract, Unmarked, WordsContract


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


class TestSqliteSink(WordsContract):
    more_keys = ("a\0b", "/lead")

    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite, "PAGE_ROWS", 4)

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


class TestSearchSink(SearchContract):
    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(opensearch, "PAGE_DOCUMENTS", 4)

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
