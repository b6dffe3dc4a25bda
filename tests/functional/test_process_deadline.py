"""DEADLINE_SECONDS: what takes too long is cut off between two steps, answered 503, and leaves nothing half done."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, Result, TemporaryError
from penstock.process.deadline import BoundedChunks, check_deadline, within
from penstock.serving.wiring import make_served_runtime
from penstock.settings.config import StoreSettings
from penstock.settings.environment import load_config
from penstock.sinks.address import parse_sink
from penstock.sinks.bucket import BucketSink
from penstock.sinks.bucket_address import BucketAddress
from penstock.store.deadline import DeadlineStore
from penstock.store.memory import MemoryStore
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.functional.test_app import notification, serve
from tests.lake import SOURCE, Lake, upper


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("penstock.process.deadline.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def with_deadline(handle: Callable[[Event[Any], Context[Any]], Result] = upper) -> Lake:
    """A lake whose function has ten seconds for each object, wired as `make_runtime` does."""
    store = MemoryStore("upload", "processed")
    address = parse_sink("s3://processed/{key}")
    assert isinstance(address, BucketAddress)
    bounded = DeadlineStore(store)
    lake = Lake(handle, sink=BucketSink(bounded, address), store=store, deadline_seconds=10)
    lake.runtime = replace(lake.runtime, store=bounded)
    return lake


@pytest.mark.parametrize("late", ["GET", "HEAD"])
def test_object_whose_store_is_slow_is_a_503_and_writes_nothing(clock: Clock, late: str) -> None:
    lake = with_deadline()
    lake.put(b"one")

    def slow(verb: str, ref: ObjectRef) -> None:
        if (verb == late and ref == SOURCE) or late == "HEAD":
            clock.now += 11

    lake.before = slow
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert response.status_code == 503
    assert response.json is not None
    assert "not finished within 10 seconds (DEADLINE_SECONDS)" in response.json["reason"]
    assert lake.keys() == []


def test_each_object_of_a_request_has_its_own_time(clock: Clock) -> None:
    lake = with_deadline()
    for key in ("a", "b", "c", "slow"):
        lake.put(b"one", ObjectRef("upload", key))

    def slow(verb: str, ref: ObjectRef) -> None:
        if verb == "GET" and ref.bucket == "upload":
            clock.now += 11 if ref.key == "slow" else 6

    lake.before = slow
    response = serve(lake).post("/event", json=notification("a", "slow", "b", "c"))
    assert response.status_code == 503
    assert response.json is not None
    outcomes = {result["source"]["key"]: result["outcome"] for result in response.json["results"]}
    assert outcomes == {"a": "processed", "slow": "failed", "b": "processed", "c": "processed"}
    assert lake.keys() == ["a", "b", "c"]


def test_result_that_comes_too_slowly_is_not_stored(clock: Clock) -> None:
    def trickle(_event: Event[Any], _context: Context[Any]) -> Result:
        def chunks() -> Iterator[bytes]:
            for _ in range(5):
                clock.now += 3
                yield b"x"

        return Result(chunks())

    lake = with_deadline(trickle)
    lake.put(b"one")
    client = serve(lake)
    assert client.post("/event", json=notification("a.txt")).status_code == 503
    assert lake.keys() == []
    direct = client.post("/", data=b"one")
    assert (direct.status_code, "DEADLINE_SECONDS" in direct.text) == (503, True)


def test_body_that_a_handler_reads_too_slowly_raises(clock: Clock) -> None:
    def reading(event: Event[Any], _context: Context[Any]) -> Result:
        event.body.peek(1)
        clock.now += 11
        return Result(event.body.read())

    lake = with_deadline(reading)
    lake.put(b"x" * 600_000)
    client = serve(lake)
    for response in (client.post("/event", json=notification("a.txt")), client.post("/", data=b"x" * 600_000)):
        assert (response.status_code, "DEADLINE_SECONDS" in response.text) == (503, True)


def test_without_the_setting_nothing_is_cut_off(clock: Clock) -> None:
    with within(0):
        clock.now += 1e9
        check_deadline("a")
    check_deadline("a")


def test_limit_ends_with_its_block(clock: Clock) -> None:
    with within(10):
        clock.now += 11
        with pytest.raises(TemporaryError, match="a: not finished within 10 seconds"):
            check_deadline("a")
    check_deadline("a")


def test_closing_the_chunks_closes_the_source_also_when_none_was_read() -> None:
    closed = []

    class Source:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def close(self) -> None:
            closed.append(True)

    BoundedChunks(Source(), "a").close()
    assert closed == [True]


@contextmanager
def dribbling() -> Iterator[str]:
    """A store that begins to answer and then sends a byte now and then, for as long as its caller waits."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(
                    b'HTTP/1.1 200 OK\r\nETag: "e"\r\nLast-Modified: Tue, 03 Nov 2026 00:00:00 GMT\r\n'
                    b"Content-Length: 1000000\r\n\r\n"
                )
                while not stop.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return

    def serve_all() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    threading.Thread(target=serve_all, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_served_function_leaves_a_store_that_gives_a_byte_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(
        "from penstock import Result\ndef handle(event, context): return Result(event.body.read())\n"
    )
    with dribbling() as url:
        config = load_config(
            {
                "FUNCTION_NAME": "upper",
                "SOURCE": "s3://upload/*",
                "SINK": f"sqlite://{tmp_path}/index.db",
                "MINIO_ENDPOINT": url,
                "MINIO_ACCESS_KEY": "reader",
                "MINIO_SECRET_KEY": "secret",
                "DEADLINE_SECONDS": "1",
            }
        )
        runtime = make_served_runtime(tmp_path, config)
        [ended] = runtime.agree_all([SOURCE])
    assert isinstance(ended, TemporaryError)


def test_store_that_gives_a_byte_now_and_then_is_left() -> None:
    with dribbling() as url:
        store = DeadlineStore(S3ObjectStore(StoreSettings(url, "reader", "secret"), request_seconds=1))
        opened = store.open(SOURCE)
        assert opened is not None
        with pytest.raises(TemporaryError):
            list(opened[1])
