"""The index sink on a real Apache Cassandra: the contract of sinks, and what is this database's own."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cassandra import InvalidRequest
from cassandra.cluster import Session
from penstock.errors import EventError, PermanentError, TargetChanged, TemporaryError
from penstock.sinks import cassandra as module
from penstock.sinks.address import parse_sink
from penstock.sinks.cassandra import CassandraSink
from penstock.sinks.cassandra_address import CassandraAddress
from penstock.sinks.cassandra_table import OutcomeUnknown
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Result, Write

from tests.components import CassandraEndpoint, CassandraServer
from tests.sink_contract import MADE, Broken, SinkContract, Unmarked, read, write

MARK = Mark(state="s1", function="index", options="o", source="digest")
REFUSAL = Refusal("UnsupportedInput", "not a picture", 415)
KEYS = [
    *("a b", "a+b", "100%", "a&b=c?d#e", 'it\'s "quoted"', "line\nbreak", "日本語/ファイル.csv", "k" * 1024, "x//y"),
    *("{a,b}", "back\\slash", "NULL", ":name", "$1", "\U0001f339", "Zebra", "_", "nul\0"),
]


@pytest.fixture(scope="module")
def server(cassandra: CassandraServer) -> CassandraEndpoint:
    return cassandra.endpoint


@pytest.fixture(scope="module")
def session(server: CassandraEndpoint) -> Iterator[Session]:
    """What another program does to the keyspace."""
    with server.session() as session:
        session.set_keyspace(server.keyspace)
        yield session


@pytest.fixture
def table(unique_name: str) -> str:
    return unique_name.replace("-", "_")


def open_sink(server: CassandraEndpoint, table: str, *, tls: bool = False, **settings: Any) -> CassandraSink:
    address = parse_sink(f"{server.url}/{table}{'' if tls else '?tls=off'}")
    assert isinstance(address, CassandraAddress)
    given = {"username": server.username, "password": server.password, **settings}
    return CassandraSink(address, **given)


@pytest.fixture
def sink(server: CassandraEndpoint, table: str) -> Iterator[CassandraSink]:
    with contextlib.closing(open_sink(server, table)) as sink:
        yield sink


class TestCassandraSink(SinkContract):
    """The contract of sinks."""

    @pytest.fixture
    def unmarked(self, sink: CassandraSink, session: Session, table: str) -> Unmarked:
        def put(address: str) -> None:
            sink.check()
            session.execute(f"INSERT INTO {table} (id, body) VALUES (%s, %s)", (address, '{"a": 1}'))

        return put

    @pytest.fixture
    def broken(self, session: Session, table: str) -> Broken:
        def break_it() -> None:
            with contextlib.suppress(InvalidRequest):  # it is done already
                session.execute(f"DROP TABLE {table}")

        return break_it


def state(key: str = "in/rose.txt") -> ObjectState:
    modified = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    metadata = {"camera": "Zeiss", "a.b": "dots are no paths"}
    return ObjectState(ObjectRef("upload", key), 12, "e1", None, "image/jpeg", metadata, modified)


def put(sink: CassandraSink, key: str = "in/rose.jpg", previous: Entry | None = None, **inside: object) -> Entry:
    result = Result({"kind": "a", **inside})
    return write(sink, sink.address(ObjectRef("upload", key), None), result, MARK, state(key), previous)


def listed(sink: CassandraSink, prefix: str = "") -> list[str]:
    return sorted(ref.key for ref, _ in sink.entries("upload", prefix))


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


def test_document_is_read_as_it_was_written(sink: CassandraSink) -> None:
    assert sink.document("upload", "in/rose.jpg") is None
    inside: dict[str, Any] = {
        "numbers": [1, 2.5, -0.0, 1e300, 2**60],
        "none": None,
        "text": 'a\\u0000 \0 "b" \\ \n {table}',
        "empty": {},
    }
    put(sink, **inside)
    document = sink.document("upload", "in/rose.jpg")
    assert document is not None
    assert {name: document[name] for name in inside} == inside
    assert (document["key"], document["size"], document["kind"]) == ("in/rose.jpg", 12, "a")
    assert document["penstock"]["state"] == "s1"
    assert document["metadata"] == {"camera": "Zeiss", "a.b": "dots are no paths"}


def test_of_many_threads_that_replace_one_version_exactly_one_succeeds(sink: CassandraSink) -> None:
    first = put(sink)
    start = threading.Barrier(6)

    def work(_number: int) -> str:
        start.wait(60)
        try:
            put(sink, previous=first)
        except TargetChanged:
            return "changed"
        return "written"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(work, range(6))) == ["changed"] * 5 + ["written"]


def test_of_many_programs_that_start_at_once_each_finds_the_table(server: CassandraEndpoint, table: str) -> None:
    start = threading.Barrier(4)

    def work(number: int) -> None:
        with contextlib.closing(open_sink(server, table)) as sink:
            start.wait(60)
            eventually(sink.check)
            put(sink, str(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with contextlib.closing(open_sink(server, table)) as sink:
        assert listed(sink) == [str(number) for number in range(4)]


def test_whole_batch_is_written_read_and_replaced_once(sink: CassandraSink) -> None:
    keys = [f"{number:03}" for number in range(sink.batch_size)]
    places = [(sink.address(ObjectRef("upload", key), None), MARK) for key in keys]
    made = sink.write_many(
        [Write(place[0], MADE, MARK, state(key), None) for place, key in zip(places, keys, strict=True)]
    )
    assert [type(outcome) for outcome in made] == [Entry] * len(keys)
    assert sink.read_many(places) == made

    entries = [one for one in made if isinstance(one, Entry)]

    def work(order: list[int]) -> list[type]:
        writes = [Write(places[number][0], MADE, MARK, state(keys[number]), entries[number]) for number in order]
        return [type(outcome) for outcome in sink.write_many(writes)]

    order = list(range(len(keys)))
    with ThreadPoolExecutor(2) as pool:
        outcomes = [kind for kinds in pool.map(work, (order, order[::-1])) for kind in kinds]
    assert outcomes.count(Entry) == outcomes.count(TargetChanged) == len(keys)


def test_every_key_is_stored_and_listed(sink: CassandraSink) -> None:
    entries = [put(sink, key) for key in KEYS]
    assert sink.read_many([(entry.address, MARK) for entry in entries]) == entries
    assert listed(sink) == sorted(KEYS)
    assert listed(sink, "a") == sorted(key for key in KEYS if key.startswith("a"))
    assert list(sink.entries("other")) == []
    assert list(sink.entries("upl")) == []


def test_listing_reads_every_page(sink: CassandraSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.sinks.cassandra_table.PAGE_ROWS", 4)
    for number in range(11):
        put(sink, f"{number:03}")
    assert listed(sink) == [f"{number:03}" for number in range(11)]


def test_document_that_is_too_large_is_a_permanent_error_of_its_own(sink: CassandraSink) -> None:
    texts = {
        "0": "a",
        "large": "é" * (module.MAX_DOCUMENT_BYTES // 2),
        "2": "é" * (module.MAX_DOCUMENT_BYTES // 2 - 999),
    }
    writes = [
        Write(sink.address(ObjectRef("upload", key), None), Result({"text": text}), MARK, state(key), None)
        for key, text in texts.items()
    ]
    assert [type(outcome) for outcome in sink.write_many(writes)] == [Entry, PermanentError, Entry]
    assert listed(sink) == ["0", "2"]


def test_search_is_answered_with_501_and_a_document_is_found_by_its_key(sink: CassandraSink) -> None:
    put(sink)
    with pytest.raises(EventError, match="no full-text search") as caught:
        sink.search("rose")
    assert caught.value.status == 501
    found = sink.document("upload", "in/rose.jpg")
    assert found is not None
    assert found["kind"] == "a"


def test_dropped_table_is_not_taken_for_absent_documents_and_comes_back(
    sink: CassandraSink, session: Session, table: str
) -> None:
    entry = put(sink)
    session.execute(f"DROP TABLE {table}")
    with pytest.raises(TemporaryError, match="dropped"):
        read(sink, entry.address, MARK)
    assert read(sink, entry.address, MARK) is None
    put(sink)


@pytest.mark.parametrize("comment", ["", "Penstock index, layout 0"])
def test_table_of_another_program_or_layout_is_left_alone(
    sink: CassandraSink, session: Session, table: str, comment: str
) -> None:
    session.execute(f"CREATE TABLE {table} (id text PRIMARY KEY) WITH comment = '{comment}'")
    with pytest.raises(TemporaryError, match="another program or version"):
        sink.check()
    with pytest.raises(TemporaryError, match="another program or version"):
        put(sink)
    assert list(session.execute(f"SELECT * FROM {table}")) == []


def test_role_without_rights_on_the_keyspace_may_use_a_table_that_is_there(
    sink: CassandraSink, server: CassandraEndpoint, session: Session, table: str
) -> None:
    session.execute(f"CREATE ROLE {table} WITH LOGIN = true AND PASSWORD = 'x'")
    with contextlib.closing(open_sink(server, table, username=table, password="x")) as other:
        with pytest.raises(TemporaryError, match=r"SELECT and MODIFY.*CREATE on its keyspace"):
            other.check()
        sink.check()
        with pytest.raises(TemporaryError, match="SELECT and MODIFY"):
            other.check()
        for right in ("SELECT", "MODIFY"):
            session.execute(f"GRANT {right} ON TABLE {table} TO {table}")
        eventually(other.check)
        put(other)


@pytest.mark.parametrize(
    ("settings", "keyspace", "says"),
    [
        ({"password": "wrong"}, "lake", "SINK_USERNAME and SINK_PASSWORD"),
        ({"username": "", "password": ""}, "lake", "SINK_USERNAME and SINK_PASSWORD"),
        ({}, "absent", "create the keyspace"),
    ],
)
def test_refused_log_in_says_what_to_do(
    server: CassandraEndpoint, table: str, settings: dict[str, Any], keyspace: str, says: str
) -> None:
    with contextlib.closing(open_sink(replace(server, keyspace=keyspace), table, **settings)) as sink:
        with pytest.raises(TemporaryError, match=says):
            sink.check()
        with pytest.raises(TemporaryError, match=says):
            put(sink)


def test_transaction_without_an_answer_is_looked_at_again(sink: CassandraSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers are lost here and not the statements: each of the two ends is then told as it is."""
    first = put(sink)
    run_many = sink._table.run_many

    def lost(statements: Any, *, is_serial: bool = False) -> Any:
        answers = run_many(statements, is_serial=is_serial)
        return answers if is_serial else [OutcomeUnknown("no answer") for _ in answers]

    monkeypatch.setattr(sink._table, "run_many", lost)
    second = put(sink, previous=first, changed=True)
    with pytest.raises(OutcomeUnknown):
        put(sink, previous=first, changed=False)  # the row has another version: it was not done
    monkeypatch.undo()
    assert read(sink, first.address, MARK) == second


def test_certificate_is_checked_and_a_server_without_tls_is_refused(
    tmp_path: Path, server: CassandraEndpoint, table: str
) -> None:
    with pytest.raises(TemporaryError, match="tls=off for a server without TLS"):
        open_sink(server, table, tls=True).check()
    with CassandraServer(tmp_path / "tls", tls=True) as guarded:
        with contextlib.closing(open_sink(guarded.endpoint, table, tls=True, ca_file=guarded.endpoint.ca_file)) as sink:
            put(sink)
            assert listed(sink) == ["in/rose.jpg"]
        for wrong in ({"tls": True}, {"tls": False}):
            with pytest.raises(TemporaryError, match="cannot be reached"):
                open_sink(guarded.endpoint, table, **wrong).check()


def test_server_that_was_killed_or_frozen_is_a_temporary_error_and_nothing_is_lost(tmp_path: Path, table: str) -> None:
    with CassandraServer(tmp_path) as server, contextlib.closing(open_sink(server.endpoint, table)) as sink:
        entry = put(sink)
        server.kill()
        with pytest.raises(TemporaryError):
            put(sink, "meanwhile")
        with pytest.raises(TemporaryError, match="cannot be reached"):
            read(sink, entry.address, MARK)
        server.restart()
        assert eventually(lambda: read(sink, entry.address, MARK)) == entry
        eventually(lambda: put(sink, "meanwhile"))

        server.children[-1].signal(signal.SIGSTOP)
        thaw = threading.Timer(15, server.children[-1].signal, [signal.SIGCONT])
        thaw.start()
        address = sink.address(ObjectRef("upload", "frozen"), None)
        outcomes = sink.write_many([Write(address, MADE, MARK, state("frozen"), None)])
        # The statement may have been done when the server went on, and then the second look says so.
        assert isinstance(outcomes[0], Entry | TemporaryError)
        thaw.join()

        def redelivered() -> Entry:
            found = read(sink, address, MARK)
            return found if found is not None else write(sink, address, MADE, MARK, state("frozen"))

        written = eventually(redelivered)
        assert eventually(lambda: read(sink, address, MARK)) == written
        assert eventually(lambda: listed(sink)) == ["frozen", "in/rose.jpg", "meanwhile"]


def test_server_killed_in_the_middle_of_batches_loses_nothing_that_was_told_as_written(
    tmp_path: Path, table: str
) -> None:
    with CassandraServer(tmp_path) as server, contextlib.closing(open_sink(server.endpoint, table)) as sink:
        sink.check()
        threading.Timer(2, server.kill).start()
        written: dict[str, Entry] = {}
        for batch in range(10_000):
            keys = [f"{batch:05}-{number}" for number in range(20)]
            writes = [Write(f"upload/{key}", MADE, MARK, state(key), None) for key in keys]
            outcomes = sink.write_many(writes)
            written |= {one.address: one for one in outcomes if isinstance(one, Entry)}
            assert all(isinstance(one, Entry | TemporaryError) for one in outcomes)
            if any(isinstance(one, TemporaryError) for one in outcomes):
                break
        assert written
        server.restart()
        found = {entry.address: entry for _, entry in eventually(lambda: list(sink.entries("upload")))}
        assert {address: found.get(address) for address in written} == written


def test_of_three_nodes_one_may_die_and_no_write_that_was_told_is_lost(tmp_path: Path, table: str) -> None:
    """Each write adds 1 to what it read. So the number in the end is that of the writes that were done."""
    with CassandraServer(tmp_path, nodes=3) as server, ExitStack() as held:
        sinks = [held.enter_context(contextlib.closing(open_sink(server.endpoint, table))) for _ in range(3)]
        place = eventually(lambda: put(sinks[0], number=0)).address
        told, unknown = Counter[int](), Counter[int]()
        end = threading.Event()

        def work(worker: int) -> None:
            sink = sinks[worker]
            while not end.is_set():
                try:
                    seen, document = read(sink, place, MARK), sink.document("upload", "in/rose.jpg")
                except TemporaryError:
                    continue
                assert seen is not None
                assert document is not None
                try:
                    put(sink, previous=seen, number=document["number"] + 1)
                    told[worker] += 1
                except OutcomeUnknown:
                    unknown[worker] += 1
                except TemporaryError:  # another worker was faster, or there is no quorum
                    continue

        with ThreadPoolExecutor(3) as pool:
            workers = [pool.submit(work, number) for number in range(3)]
            server.wait_until(lambda: told.total() >= 30, "writes with three nodes")
            server.children[2].kill()
            before = told.total()
            deadline = time.monotonic() + 120
            while told.total() < before + 30 and time.monotonic() < deadline:
                time.sleep(0.2)
            end.set()
            for each in workers:
                each.result()
        assert told.total() >= before + 30
        document = eventually(lambda: sinks[0].document("upload", "in/rose.jpg"))
        assert told.total() <= document["number"] <= told.total() + unknown.total()

        server.children[1].kill()
        with pytest.raises(TemporaryError):
            put(sinks[0], "without a quorum")
        server.restart()
        assert eventually(lambda: sinks[0].document("upload", "in/rose.jpg")) == document
        eventually(lambda: put(sinks[0], "again"))
