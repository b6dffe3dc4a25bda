"""The index sink on a real Apache Cassandra: the contract of sinks, and what is this database's own."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cassandra import ConsistencyLevel, InvalidRequest, WriteTimeout, WriteType
from penstock.errors import ConfigError, PenstockError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import cassandra as module
from penstock.sinks.address import parse_sink
from penstock.sinks.cassandra import CassandraSink
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.sinks.cassandra_table import CassandraTable, Rows, Statement
from penstock.sinks.document import NotSearchable
from penstock.types import Entry, Result, Write

from tests.components import CassandraEndpoint, CassandraServer
from tests.sink_contract import MARK, Broken, IndexContract, Unmarked, listed, photograph, put, read

KEYSPACE = "lake"


@pytest.fixture
def server(cassandra: CassandraServer) -> CassandraEndpoint:
    make_keyspace(cassandra.endpoint)
    return cassandra.endpoint


def make_keyspace(endpoint: CassandraEndpoint) -> None:
    endpoint.run(
        f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE}"
        " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    )


@pytest.fixture
def table(unique_name: str) -> str:
    return unique_name.replace("-", "_")[:48]


def open_sink(
    server: CassandraEndpoint, table: str, *, keyspace: str = KEYSPACE, tls: bool = False, **settings: Any
) -> CassandraSink:
    address = parse_sink(f"{server.url}/{keyspace}/{table}?tls={'on' if tls else 'off'}")
    assert isinstance(address, CassandraAddress)
    given = {"username": server.username, "password": server.password, "timeout_seconds": 60, **settings}
    return CassandraSink(address, **given)


@pytest.fixture
def sink(server: CassandraEndpoint, table: str) -> Iterator[CassandraSink]:
    with contextlib.closing(open_sink(server, table)) as sink:
        yield sink


class TestCassandraSink(IndexContract):
    """The contract of indexes."""

    more_keys = ("nul\0",)
    overtaken = (TargetChanged, TemporaryError)  # a contended transaction may run out of time

    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PAGE_ROWS", 1)

    @pytest.fixture
    def unmarked(self, sink: CassandraSink, server: CassandraEndpoint, table: str) -> Unmarked:
        def put(address: str) -> None:
            sink.check()
            bucket, shard, key = module.place_of(address)
            server.run(
                f"INSERT INTO {KEYSPACE}.{table} (bucket, shard, key, body) VALUES (%s, %s, %s, '{{\"a\": 1}}')",
                bucket,
                shard,
                key,
            )

        return put

    @pytest.fixture
    def broken(self, server: CassandraEndpoint, table: str) -> Broken:
        def break_it() -> None:
            with contextlib.suppress(InvalidRequest):  # it is done already
                server.run(f"ALTER TABLE {KEYSPACE}.{table} RENAME key TO elsewhere")

        return break_it


def test_document_is_read_as_it_was_written(sink: CassandraSink) -> None:
    assert sink.document("upload", "in/rose.jpg") is None
    inside: dict[str, Any] = {"numbers": [1, 2.5, 1e300, 2**60], "none": None, "text": 'a\0 "b" \\ \n', "empty": {}}
    put(sink, **inside)
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert {name: document[name] for name in inside} == inside
    assert (document["key"], document["size"], document["penstock"]["state"]) == ("in/rose.jpg", 12, "s1")


def test_search_is_said_to_be_impossible(sink: CassandraSink) -> None:
    with pytest.raises(NotSearchable, match="cannot be searched by words") as caught:
        sink.search("rose")
    assert caught.value.status == 501


@pytest.mark.parametrize("arrives", [True, False])
def test_write_without_an_answer_is_looked_at_again(
    sink: CassandraSink, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    first = put(sink)
    run_many = CassandraTable.run_many

    def unanswered(table: CassandraTable, subject: str, statements: Sequence[Statement]) -> list[Rows | PenstockError]:
        """Writes reach the cluster or do not; their answers are lost."""
        is_read = statements[0][0].startswith("SELECT")
        outcomes = run_many(table, subject, statements) if is_read or arrives else []
        lost = WriteTimeout("no answer", write_type=WriteType.CAS, consistency=ConsistencyLevel.QUORUM)
        return outcomes if is_read else [table.meaning(lost, subject)] * len(statements)

    monkeypatch.setattr(CassandraTable, "run_many", unanswered)
    places = [Write(first.address, Result({"kind": "b"}), MARK, photograph(), first)]
    [outcome] = sink.write_many(places)
    found = read(sink, first.address, MARK)
    if arrives:
        assert isinstance(outcome, Entry)
        assert found == outcome != first
    else:
        assert isinstance(outcome, TemporaryError)
        assert found == first


def test_dropped_table_is_not_taken_for_absent_documents_and_comes_back(
    sink: CassandraSink, server: CassandraEndpoint, table: str
) -> None:
    entry = put(sink)
    server.run(f"DROP TABLE {KEYSPACE}.{table}")
    with pytest.raises(TemporaryError, match="dropped"):
        read(sink, entry.address, MARK)
    assert read(sink, entry.address, MARK) is None
    put(sink)


@pytest.mark.parametrize("comment", ["", "Penstock index, layout 0"])
def test_table_of_another_program_or_layout_is_left_alone(
    sink: CassandraSink, server: CassandraEndpoint, table: str, comment: str
) -> None:
    server.run(f"CREATE TABLE {KEYSPACE}.{table} (id text PRIMARY KEY) WITH comment = '{comment}'")
    with pytest.raises(TemporaryError, match="another program or version"):
        sink.check()
    assert server.run(f"SELECT id FROM {KEYSPACE}.{table}") == []


def test_keyspace_that_is_not_there_is_named(server: CassandraEndpoint, table: str) -> None:
    with (
        contextlib.closing(open_sink(server, table, keyspace="absent")) as sink,
        pytest.raises(ConfigError, match=r"CREATE KEYSPACE absent"),
    ):
        sink.check()


@pytest.mark.parametrize("password", ["wrong", ""])
def test_refused_log_in_says_what_to_do(server: CassandraEndpoint, table: str, password: str) -> None:
    sink = open_sink(replace(server, password=password), table)
    with pytest.raises(TemporaryError, match="SINK_USERNAME and SINK_PASSWORD"):
        sink.check()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CassandraServer]:
    """A server that the tests of this file may freeze and kill; each leaves it at work."""
    with CassandraServer(tmp_path_factory.mktemp("own")) as server:
        make_keyspace(server.endpoint)
        yield server


def test_killed_and_frozen_server_loses_nothing_that_was_answered(own: CassandraServer, table: str) -> None:
    with contextlib.closing(open_sink(own.endpoint, table, timeout_seconds=10)) as sink:
        answered = [put(sink, f"{number:03}") for number in range(20)]
        own.children[0].signal(signal.SIGSTOP)
        writes = [
            Write(f"upload/frozen{n}", Result({"kind": "a"}), MARK, photograph(f"frozen{n}"), None) for n in (1, 2)
        ]
        assert [type(one) for one in sink.write_many(writes)] == [TemporaryError] * 2
        own.children[0].signal(signal.SIGCONT)
        own.kill()
        with pytest.raises(TemporaryError):
            read(sink, answered[0].address, MARK)
        own.restart()

        def is_back() -> bool:
            with contextlib.suppress(TemporaryError):
                return sink.read_many([(entry.address, MARK) for entry in answered]) == answered
            return False

        own.wait_until(is_back, "with every document that was answered", 120)
        put(sink, "after", read(sink, "upload/after", MARK))


def test_server_killed_in_the_middle_of_batches_loses_nothing_that_was_told_as_written(
    own: CassandraServer, table: str
) -> None:
    with contextlib.closing(open_sink(own.endpoint, table, timeout_seconds=10)) as sink:
        sink.check()
        killer = threading.Timer(2, own.kill)
        written: dict[str, Entry] = {}
        is_lost = False
        while not is_lost:
            first = len(written)
            keys = [f"{number:06}" for number in range(first, first + 40)]
            writes = [Write(f"upload/{key}", Result({"kind": "a"}), MARK, photograph(key), None) for key in keys]
            outcomes = sink.write_many(writes)
            assert all(isinstance(one, Entry | TemporaryError) for one in outcomes)
            written |= {one.address: one for one in outcomes if isinstance(one, Entry)}
            is_lost = any(isinstance(one, TemporaryError) for one in outcomes)
            if killer.ident is None:  # after the first batch, however long that took
                killer.start()
        assert written
        own.restart()
        found = {entry.address: entry for _, entry in eventually(lambda: list(sink.entries("upload")))}
        assert {address: found.get(address) for address in written} == written


def test_certificate_is_checked_and_a_server_without_tls_is_refused(
    tmp_path: Path, server: CassandraEndpoint, table: str
) -> None:
    with pytest.raises(TemporaryError, match="MINIO_CA_FILE"):
        open_sink(server, table, tls=True).check()
    with CassandraServer(tmp_path / "tls", tls=True) as guarded:
        make_keyspace(guarded.endpoint)
        with contextlib.closing(open_sink(guarded.endpoint, table, tls=True, ca_file=guarded.endpoint.ca_file)) as sink:
            put(sink)
            assert listed(sink) == ["in/rose.jpg"]
        for tls in (True, False):  # without the authority, and without TLS
            with pytest.raises(TemporaryError, match="MINIO_CA_FILE"):
                open_sink(guarded.endpoint, table, tls=tls).check()


def test_document_that_is_too_large_is_refused_for_good(sink: CassandraSink) -> None:
    texts = {
        "0": "a",
        "large": "é" * (module.MAX_DOCUMENT_BYTES // 2),
        "2": "é" * (module.MAX_DOCUMENT_BYTES // 2 - 999),
    }
    writes = [
        Write(f"upload/{key}", Result({"text": text}), MARK, photograph(key), None) for key, text in texts.items()
    ]
    assert [type(outcome) for outcome in sink.write_many(writes)] == [Entry, PermanentError, Entry]
    assert listed(sink) == ["0", "2"]


def eventually(act: Callable[[], Any], within_seconds: float = 90) -> Any:
    """What `act` returns as soon as it raises no `TemporaryError`, as a delivery that is repeated."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            return act()
        except TemporaryError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
