"""The index sink on a real PostgreSQL: the contract of sinks, and what is this database's own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import ConfigError, EventError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import postgresql as module
from penstock.sinks.address import parse_sink
from penstock.sinks.postgresql import PostgresqlSink
from penstock.sinks.postgresql_address import PostgresqlAddress
from penstock.types import Entry, ObjectRef, Result, Write
from pg8000.exceptions import DatabaseError

from tests.components import PostgresEndpoint, PostgresServer
from tests.sink_contract import MADE, MARK, Broken, Unmarked, WordsContract, listed, photograph, put, read


@pytest.fixture
def server(postgresql: PostgresServer) -> PostgresEndpoint:
    return postgresql.endpoint


@pytest.fixture
def table(unique_name: str) -> str:
    return unique_name.replace("-", "_")


def open_sink(server: PostgresEndpoint, table: str, *, tls: bool = False, **settings: Any) -> PostgresqlSink:
    address = parse_sink(f"{server.url}/{table}{'' if tls else '?sslmode=disable'}")
    assert isinstance(address, PostgresqlAddress)
    given = {"username": server.username, "password": server.password, **settings}
    return PostgresqlSink(address, **given)


@pytest.fixture
def sink(server: PostgresEndpoint, table: str) -> Iterator[PostgresqlSink]:
    with contextlib.closing(open_sink(server, table)) as sink:
        yield sink


class TestPostgresqlSink(WordsContract):
    """The contract of indexes."""

    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PAGE_ROWS", 4)

    @pytest.fixture
    def unmarked(self, sink: PostgresqlSink, server: PostgresEndpoint, table: str) -> Unmarked:
        def put(address: str) -> None:
            sink.check()
            server.run(f"INSERT INTO {table} (id, body) VALUES (:id, '{{\"a\": 1}}')", id=address)

        return put

    @pytest.fixture
    def broken(self, server: PostgresEndpoint, table: str) -> Broken:
        def break_it() -> None:
            with contextlib.suppress(DatabaseError):  # it is done already
                server.run(f"ALTER TABLE {table} RENAME COLUMN id TO elsewhere")

        return break_it


def test_document_is_read_as_it_was_written(sink: PostgresqlSink) -> None:
    assert sink.document("upload", "in/rose.jpg") is None
    inside: dict[str, Any] = {
        "numbers": [1, 2.5, -0.0, 1e300, 2**60],
        "none": None,
        "text": 'a\\u0000 "b" \\ \n',
        "empty": {},
    }
    put(sink, **inside)
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert {name: document[name] for name in inside} == inside
    assert (document["key"], document["size"], document["kind"]) == ("in/rose.jpg", 12, "a")
    assert document["penstock"]["state"] == "s1"
    assert document["metadata"] == {"camera": "Zeiss", "a.b": "dots are no paths"}


def test_character_that_jsonb_cannot_hold_is_replaced(sink: PostgresqlSink) -> None:
    put(sink, text={"beginning": "a\0b\\\0\\\\u0000"})
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert document["text"]["beginning"] == "a\ufffdb\\\ufffd\\\\u0000"


def test_of_many_programs_that_start_at_once_each_finds_the_table(server: PostgresEndpoint, table: str) -> None:
    start = threading.Barrier(6)

    def work(number: int) -> None:
        with contextlib.closing(open_sink(server, table)) as sink:
            start.wait(60)
            sink.check()
            put(sink, str(number))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    with contextlib.closing(open_sink(server, table)) as sink:
        assert listed(sink) == [str(number) for number in range(6)]


def test_batches_that_write_the_same_keys_in_other_orders_all_end(sink: PostgresqlSink) -> None:
    keys = [f"{number:03}" for number in range(100)]
    first = {key: put(sink, key) for key in keys}

    def work(order: list[str]) -> list[type]:
        places = [Write(first[key].address, MADE, MARK, photograph(key), first[key]) for key in order]
        return [type(outcome) for outcome in sink.write_many(places)]

    with ThreadPoolExecutor(2) as pool:
        outcomes = [kind for kinds in pool.map(work, (keys, keys[::-1])) for kind in kinds]
    assert outcomes.count(Entry) == outcomes.count(TargetChanged) == len(keys)


def test_document_that_the_server_refuses_is_a_permanent_error_of_its_own(
    sink: PostgresqlSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STATEMENT_CHARS", 1500)  # several statements
    writes = [
        Write(sink.address(ObjectRef("upload", key), None), Result({"kind": "a"}), MARK, photograph(key), None)
        for key in ("0", "1", "nul\0", "3", "4", "5")
    ]
    outcomes = sink.write_many(writes)
    assert [type(outcome) for outcome in outcomes] == [Entry, Entry, PermanentError, Entry, Entry, Entry]
    assert listed(sink) == ["0", "1", "3", "4", "5"]


def test_search_gives_the_best_first_and_pages(sink: PostgresqlSink) -> None:
    for number in (1, 3, 2):
        put(sink, f"{number}.txt", text={"beginning": "donors " * number})
    assert [found["key"] for found in sink.search("donors")] == ["3.txt", "2.txt", "1.txt"]
    assert [found["key"] for found in sink.search("donors", limit=1, offset=1)] == ["2.txt"]
    with pytest.raises(EventError, match="no word"):
        sink.search("&|!")


def test_long_words_and_texts_are_stored_and_found(sink: PostgresqlSink) -> None:
    put(sink, text={"beginning": "日" * 3000 + " " + "a " * 8000 + "end"})
    assert len(sink.search("end")) == 1
    assert len(sink.search("日" * 3000)) == 1


def test_dropped_table_is_not_taken_for_absent_documents_and_comes_back(
    sink: PostgresqlSink, server: PostgresEndpoint, table: str
) -> None:
    entry = put(sink)
    server.run(f"DROP TABLE {table}")
    with pytest.raises(TemporaryError, match="dropped"):
        read(sink, entry.address, MARK)
    assert read(sink, entry.address, MARK) is None
    put(sink)


@pytest.mark.parametrize("comment", ["NULL", "'Penstock index, layout 0'"])
def test_table_of_another_program_or_layout_is_left_alone(
    sink: PostgresqlSink, server: PostgresEndpoint, table: str, comment: str
) -> None:
    server.run(f"CREATE TABLE {table} (id text)")
    server.run(f"COMMENT ON TABLE {table} IS {comment}")
    with pytest.raises(TemporaryError, match="another program or version"):
        sink.check()
    assert server.run(f"SELECT count(*) FROM {table}") == [[0]]


def test_table_in_a_schema_is_another_one(server: PostgresEndpoint, table: str) -> None:
    server.run(f"CREATE SCHEMA s_{table}")
    sinks = (open_sink(server, table), open_sink(server, f"s_{table}.{table}"))
    put(sinks[1], "there")
    assert [listed(sink) for sink in sinks] == [[], ["there"]]
    for sink in sinks:
        sink.close()


def test_role_without_rights_on_the_schema_may_use_a_table_that_is_there(
    sink: PostgresqlSink, server: PostgresEndpoint, table: str
) -> None:
    server.run(f"CREATE ROLE {table} LOGIN PASSWORD 'x'")
    with contextlib.closing(open_sink(server, table, username=table, password="x")) as other:
        with pytest.raises(TemporaryError, match=r"42501.*CREATE in its schema"):
            other.check()
        sink.check()
        with pytest.raises(TemporaryError, match=r"42501.*SELECT, INSERT, UPDATE and DELETE"):
            other.check()
        server.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {table}")
        other.check()
        put(other)


@pytest.mark.parametrize(
    ("settings", "database", "says"),
    [
        ({"password": "wrong"}, "postgres", "28P01.*SINK_USERNAME and SINK_PASSWORD"),
        ({"password": ""}, "postgres", "password"),
        ({}, "absent", "3D000.*create the database"),
    ],
)
def test_refused_log_in_says_what_to_do(
    server: PostgresEndpoint, table: str, settings: dict[str, Any], database: str, says: str
) -> None:
    sink = open_sink(replace(server, database=database), table, **settings)
    with pytest.raises(TemporaryError, match=says) as caught:
        sink.check()
    assert server.password not in str(caught.value)


def test_database_that_cannot_hold_every_key_is_refused(server: PostgresEndpoint, table: str) -> None:
    server.run(f"CREATE DATABASE {table} ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(ConfigError, match=r"LATIN1.*UTF8"):
        open_sink(replace(server, database=table), table).check()


def uses_tls(server: PostgresEndpoint) -> list[list[bool]]:
    """Whether the one connection of a sink is encrypted."""
    where = "USING (pid) WHERE application_name = 'penstock'"
    return server.run(f"SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity {where}")


def test_certificate_is_checked_and_a_server_without_tls_is_refused(
    tmp_path: Path, server: PostgresEndpoint, table: str
) -> None:
    with pytest.raises(TemporaryError, match=r"no TLS.*sslmode=disable"):
        open_sink(server, table, tls=True).check()
    with PostgresServer(tmp_path / "tls", tls=True) as guarded:
        with contextlib.closing(open_sink(guarded.endpoint, table, tls=True, ca_file=guarded.endpoint.ca_file)) as sink:
            put(sink)
            assert uses_tls(guarded.endpoint) == [[True]]
        with contextlib.closing(open_sink(guarded.endpoint, table)) as sink:
            put(sink, "without")
            assert uses_tls(guarded.endpoint) == [[False]]
        with pytest.raises(TemporaryError, match="certificate"):
            open_sink(guarded.endpoint, table, tls=True).check()


def test_server_that_was_killed_is_a_temporary_error_and_nothing_is_lost(tmp_path: Path, table: str) -> None:
    with PostgresServer(tmp_path) as server, contextlib.closing(open_sink(server.endpoint, table)) as sink:
        entry = put(sink)
        server.kill()
        with pytest.raises(TemporaryError):
            put(sink, "meanwhile")
        with pytest.raises(TemporaryError, match="cannot be reached"):
            read(sink, entry.address, MARK)
        server.restart()
        assert read(sink, entry.address, MARK) == entry
        put(sink, "meanwhile")
        assert listed(sink) == ["in/rose.jpg", "meanwhile"]
