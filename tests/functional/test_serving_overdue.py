"""Native code that cannot be interrupted: its worker is ended from outside, and after three times the object waits."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from penstock.errors import TemporaryError
from penstock.local.store.server import EmbeddedStore
from penstock.serving.overdue import Overdue
from penstock.settings.config import StoreSettings
from penstock.store.minio_client import connect
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.served import Served, served

HANDLER = """
import ctypes
from penstock import Result

# PyDLL holds the interpreter's lock while the C function runs, CDLL gives it up.
held, free = ctypes.PyDLL(None), ctypes.CDLL(None)

def handle(event, context):
    text = event.body.read()
    if text in (b"held", b"free"):
        (held if text == b"held" else free).sleep(100000)
    return Result(text.upper())
"""


@pytest.fixture(scope="module")
def place() -> Iterator[StoreSettings]:
    server = EmbeddedStore(
        access_key="penstock", secret_key="penstock-secret", notify=lambda ref, document: None, wanted=lambda *_: False
    )
    server.start()
    settings = server.settings
    for bucket in ("upload", "processed"):
        connect(settings).make_bucket(bucket)
    try:
        yield settings
    finally:
        server.stop()


@pytest.fixture
def store(place: StoreSettings) -> S3ObjectStore:
    return S3ObjectStore(place)


@pytest.fixture
def function(tmp_path: Path, place: StoreSettings) -> Iterator[Served]:
    (tmp_path / "handler.py").write_text(HANDLER)
    settings = {
        "FUNCTION_NAME": "upper",
        "SOURCE": "s3://upload/*",
        "SINK": "s3://processed/{key}",
        "MINIO_ENDPOINT": place.endpoint,
        "MINIO_ACCESS_KEY": "penstock",
        "MINIO_SECRET_KEY": "penstock-secret",
        "DEADLINE_SECONDS": "1",
        "THREADS": "2",
    }
    with served(tmp_path, settings) as running:
        yield running


def deliver(function: Served, key: str) -> tuple[int, str]:
    """As a connector: try again while the connection breaks; the first answer."""
    body = b'{"bucket": "upload", "key": "%s"}' % key.encode()
    until = time.monotonic() + 120
    breaks = 0
    while time.monotonic() < until:
        try:
            status, answer = function.post("/event", body)
        except (OSError, http.client.HTTPException):
            breaks += 1
            time.sleep(0.1)
            continue
        return status, f"{breaks >= 1} {answer}"
    raise AssertionError("it never answered")


@pytest.mark.long
@pytest.mark.parametrize("how", ["held", "free"])
def test_object_that_is_stuck_in_native_code_ends_with_words_and_takes_no_other_down(
    function: Served, store: S3ObjectStore, how: str
) -> None:
    for key in (how, "good"):
        store.put(ObjectRef("upload", key), [key.encode()], content_type="text/plain", metadata={})
    status, answer = deliver(function, how)
    assert status == 503
    assert answer.startswith("True ")  # workers were ended before
    assert f"s3://upload/{how}: took longer than DEADLINE_SECONDS (1) and ended its worker 3 times" in answer
    status, answer = deliver(function, "good")
    assert status == 200, answer
    assert store.stat(ObjectRef("processed", "good")) is not None
    assert store.stat(ObjectRef("processed", how)) is None
    # Another state of the object is another matter.
    store.put(ObjectRef("upload", how), [b"mended"], content_type="text/plain", metadata={})
    status, answer = deliver(function, how)
    assert status == 200, answer


def test_direct_call_that_is_stuck_ends_its_worker_and_the_next_one_is_answered(function: Served) -> None:
    for _ in range(2):
        with pytest.raises((OSError, http.client.HTTPException)):
            function.post("/a.txt", b"held")
    deliver(function, "nothing-there")
    assert function.process.poll() is None


def test_call_of_a_caller_that_left_writes_nothing(tmp_path: Path, place: StoreSettings, store: S3ObjectStore) -> None:
    (tmp_path / "handler.py").write_text(
        "import time\nfrom pathlib import Path\nfrom penstock import Result\nHERE = Path(__file__).parent\n"
        "def handle(event, context):\n"
        "    with (HERE / 'begun').open('a') as file: file.write('x')\n"
        "    while not (HERE / 'go').exists(): time.sleep(0.01)\n"
        "    return Result(event.body.read())\n"
    )
    settings = {
        "FUNCTION_NAME": "upper",
        "SOURCE": "s3://upload/*",
        "SINK": "s3://processed/{key}",
        "MINIO_ENDPOINT": place.endpoint,
        "MINIO_ACCESS_KEY": "penstock",
        "MINIO_SECRET_KEY": "penstock-secret",
        "THREADS": "1",
    }
    for key in ("left", "waits"):
        store.put(ObjectRef("upload", key), [b"x"], content_type="text/plain", metadata={})
    with served(tmp_path, settings) as running:
        address = urlsplit(running.url)
        body = b'{"bucket": "upload", "key": "left"}'
        head = b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as caller:
            caller.sendall(head + body)
            until = time.monotonic() + 60
            while not (tmp_path / "begun").exists():
                assert time.monotonic() < until
                time.sleep(0.01)
            # One more that waits for the only thread, and leaves before it has one.
            with socket.create_connection((str(address.hostname), int(address.port or 0))) as other:
                other.sendall(head + body)
        (tmp_path / "go").touch()
        assert running.send("upload", "waits")[0] == 200
    assert store.stat(ObjectRef("processed", "waits")) is not None
    assert store.stat(ObjectRef("processed", "left")) is None
    assert (tmp_path / "begun").read_text() == "xx"  # the second one's handler was not even started


def test_worker_within_its_time_goes_on_and_a_new_one_begins_without_the_old_ones_time() -> None:
    overdue = Overdue(2, 2, 10)
    watch = overdue.watch(1)
    watch.begin(until=100.0)
    watch.work_on("s3://upload/a", "s1")
    assert overdue.signal_for(1, 7, now=110.9) is None
    assert overdue.signal_for(0, 6, now=1000.0) is None
    found = overdue.signal_for(1, 7, now=111.1)
    assert found is not None
    assert (found[0].name, found[1]) == ("SIGVTALRM", "s3://upload/a")
    again = overdue.signal_for(1, 7, now=112.1)
    assert again is not None
    assert again[0].name == "SIGKILL"
    overdue.forget(1)
    assert overdue.signal_for(1, 8, now=1000.0) is None


def test_object_is_refused_after_three_times_and_for_one_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    overdue = Overdue(1, 1, 10)
    watch = overdue.watch(0)
    for pid in range(3):
        watch.begin(until=10.0)
        watch.work_on("s3://upload/a", "s1")
        assert overdue.signal_for(0, pid, now=1000.0 + pid) is not None
        overdue.forget(0)
    monkeypatch.setattr("penstock.serving.overdue.time.monotonic", lambda: 4000.0)
    with pytest.raises(TemporaryError, match="s3://upload/a: took longer than DEADLINE_SECONDS"):
        watch.work_on("s3://upload/a", "s1")
    watch.work_on("s3://upload/a", "s2")
    watch.work_on("s3://upload/b", "s1")
    monkeypatch.setattr("penstock.serving.overdue.time.monotonic", lambda: 4700.0)
    watch.work_on("s3://upload/a", "s1")


def test_threads_beyond_those_that_work_on_objects_have_no_slot() -> None:
    overdue = Overdue(1, 1, 10)
    watch = overdue.watch(0)
    watch.begin(until=1e9)
    thread = threading.Thread(target=watch.begin, args=(1.0,))
    thread.start()
    thread.join()
    assert overdue.signal_for(0, 1, now=1000.0) is None
