"""A real gunicorn under bad callers: busy threads, slow and silent callers, more requests than it can take."""

from __future__ import annotations

import json
import select
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.functional.test_serving_server import SLOW, Post, started
from tests.served import free_port
from tests.waiting import wait_until

PROBES = ("/_/health", "/_/ready", "/metrics")
THREADS = 2


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A function whose calls last until the file `go` is there."""
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "handler.py").write_text(SLOW)
    return folder


@pytest.fixture
def url(slow: Path) -> Iterator[str]:
    with started(
        slow, THREADS=str(THREADS), MAX_WAITING="3", READ_TIMEOUT_SECONDS="1", MIN_BYTES_PER_SECOND="1000"
    ) as (url, _):
        yield url


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=60) as response:
        return int(response.status)


@contextmanager
def connected(url: str, data: bytes = b"") -> Iterator[socket.socket]:
    """A connection on which `data` was sent."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(data)
        yield connection


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """All that comes until the server closes: status, headers, body."""
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


@contextmanager
def busy(url: str, slow: Path, count: int = THREADS) -> Iterator[list[Post]]:
    """As many long calls under way as there are threads, and `count - THREADS` that wait."""
    posts = [Post(f"{url}/{number}") for number in range(THREADS)]
    for number in range(THREADS):
        wait_until((slow / f"working-{number}").exists)
    posts += [Post(f"{url}/{number}") for number in range(THREADS, count)]
    try:
        yield posts
    finally:
        (slow / "go").touch()
        for post in posts:
            post.join(60)


# Probes


def test_probes_are_answered_while_every_thread_works(url: str, slow: Path) -> None:
    with busy(url, slow) as posts:
        assert [status(url + path) for path in PROBES] == [200, 200, 200]
        assert all(post.is_alive() for post in posts)
    assert [post.answer for post in posts] == [b"work done"] * THREADS


def test_probes_are_answered_on_one_connection_while_every_thread_works_and_others_wait(url: str, slow: Path) -> None:
    requests = b"".join(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode() for path in PROBES)
    last = b"GET /_/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with busy(url, slow, THREADS + 3), connected(url, requests + last) as connection:
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    assert data.count(b"HTTP/1.1 200 OK") == 4


READY_WAITS = """
from pathlib import Path
from penstock import Result

def ready():
    (Path(__file__).parent / "asked").touch()
    while (Path(__file__).parent / "hang").exists():
        time.sleep(0.01)
    return True

def handle(event, context):
    return Result(b"done")
"""


def test_ready_that_waits_keeps_neither_liveness_nor_work(slow: Path) -> None:
    (slow / "handler.py").write_text(READY_WAITS)
    with started(slow, THREADS="1") as (url, _), ExitStack() as stack:
        (slow / "asked").unlink()
        (slow / "hang").touch()
        for _ in range(4):
            stack.enter_context(connected(url, b"GET /_/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        wait_until((slow / "asked").exists)
        assert status(f"{url}/_/health") == 200
        assert urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60).read() == b"done"
        (slow / "hang").unlink()


def test_probe_with_a_body_is_no_probe_and_keeps_no_probe_waiting(url: str) -> None:
    with ExitStack() as stack:
        for path in PROBES * 4:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n".encode()
            stack.enter_context(connected(url, head))
        assert [status(url + path) for path in PROBES] == [200, 200, 200]


# Slow callers


@pytest.mark.parametrize("sent", [b"P", b"POST / HTTP/1.1\r\nHost: localhost\r\n", b"GET /_/health HTTP/1.1\r\n"])
def test_half_heads_keep_no_thread_and_are_answered_408(url: str, sent: bytes, slow: Path) -> None:
    (slow / "go").touch()
    with ExitStack() as stack:
        slow_ones = [stack.enter_context(connected(url, sent)) for _ in range(THREADS * 8)]
        assert urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60).read() == b"x done"
        for connection in slow_ones:
            code, headers, body = answer(connection)
            assert (code, headers["connection"]) == (408, "close")
            assert "READ_TIMEOUT_SECONDS" in json.loads(body)["reason"]
        assert status(f"{url}/_/health") == 200


def test_head_that_comes_byte_by_byte_is_read_and_cut_off_at_its_time(url: str, slow: Path) -> None:
    (slow / "go").touch()
    with connected(url) as connection:
        for byte in b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx":
            connection.sendall(bytes([byte]))
        assert answer(connection)[::2] == (200, b"x done")
    with connected(url, b"POST / HTTP/1.1\r\n") as connection:
        # Something comes all the time, and no head is ever whole.
        def send() -> bool:
            try:
                connection.sendall(b"X-Slow: 1\r\n")
            except OSError:
                return True
            return False

        wait_until(send)


def test_connection_that_is_not_used_is_closed_in_silence(url: str) -> None:
    with connected(url) as connection:
        assert connection.recv(1) == b""


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", [b"/", b"/event"])
def test_body_that_does_not_come_is_a_408_and_the_worker_goes_on(
    url: str, slow: Path, framing: bytes, path: bytes
) -> None:
    (slow / "go").touch()
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n" % (path, framing)
    with ExitStack() as stack:
        slow_ones = [stack.enter_context(connected(url, head)) for _ in range(THREADS)]
        for connection in slow_ones:
            code, _, body = answer(connection)
            assert code == 408
            document = json.loads(body)
            assert document["error"] == "RequestTooSlow"
            assert "MIN_BYTES_PER_SECOND" in document["reason"]
        assert urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60).read() == b"x done"


def test_body_below_the_lowest_rate_is_cut_off(url: str) -> None:
    with connected(url, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n") as connection:
        connection.settimeout(0.05)
        data = b""

        def cut_off() -> bool:
            nonlocal data
            try:
                data += connection.recv(65536)
            except TimeoutError:
                connection.sendall(b"x")
            return b"408 " in data

        wait_until(cut_off)


def test_time_that_a_request_waits_for_a_thread_is_not_its_caller_s(url: str, slow: Path) -> None:
    head = b"POST /late HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
    with ExitStack() as stack:
        stack.enter_context(busy(url, slow))
        late = stack.enter_context(connected(url, head))
        # Another caller's time ends meanwhile: so would this one's, if it had begun.
        with connected(url, b"P") as other:
            assert answer(other)[0] == 408
        late.sendall(b"x")
        (slow / "go").touch()
        assert answer(late)[::2] == (200, b"x done")


def test_caller_that_does_not_read_its_response_loses_it(slow: Path) -> None:
    (slow / "handler.py").write_text(
        "from penstock import Result\ndef handle(event, context): return Result(b'x' * (64 << 20))\n"
    )
    with (
        started(slow, THREADS="1", READ_TIMEOUT_SECONDS="1", MIN_BYTES_PER_SECOND="1000000000") as (url, _),
        connected(url, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60) as response,
    ):
        assert len(response.read()) == 64 << 20


# The next request of a connection, for which the thread that answered waits a moment: here for as long as it takes


PATIENT = """
import sys
from penstock.serving import worker
worker.NEXT_REQUEST_SECONDS = 600
from penstock.commands.serve import main
sys.exit(main(sys.argv[1:]))
"""
POST = b"POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def patient(slow: Path) -> Iterator[str]:
    """A function of one thread, which waits for the next request of the connection that it answered."""
    (slow / "go").touch()
    with started(slow, ("-c", PATIENT), THREADS="1", WORKERS="1", READ_TIMEOUT_SECONDS="600") as (url, _):
        yield url


def take(connection: socket.socket, body: bytes) -> None:
    """Take one answer of 200 with this body, and leave the connection open."""
    data = b""
    while not data.endswith(b"\r\n\r\n" + body):
        chunk = connection.recv(65536)
        assert chunk, data
        data += chunk
    assert data.startswith(b"HTTP/1.1 200 ")


def posted(url: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60) as response:
        return bytes(response.read())


@pytest.mark.long
@pytest.mark.parametrize("whole", [POST % b"b", GET % b"/_/health"])
@pytest.mark.parametrize("cut", [1, 30])
@pytest.mark.parametrize("at_once", [True, False])
def test_half_head_behind_an_answered_request_keeps_no_thread(
    patient: str, whole: bytes, cut: int, at_once: bool
) -> None:
    sent, rest = whole[:cut], whole[cut:]
    with connected(patient) as connection:
        connection.sendall(POST % b"a" + (sent if at_once else b""))
        take(connection, b"x done")
        connection.sendall(b"" if at_once else sent)
        assert posted(patient) == b"x done"
        connection.sendall(rest)
        take(connection, b"ok\n" if b"health" in whole else b"x done")


def test_ready_that_waits_behind_an_answered_request_keeps_no_work_waiting(slow: Path) -> None:
    (slow / "handler.py").write_text(READY_WAITS)
    with started(slow, ("-c", PATIENT), THREADS="1", WORKERS="1") as (url, _), connected(url) as connection:
        connection.sendall(POST % b"a")
        take(connection, b"done")
        (slow / "asked").unlink()
        (slow / "hang").touch()
        connection.sendall(GET % b"/_/ready")
        wait_until((slow / "asked").exists)
        assert posted(url) == b"done"
        (slow / "hang").unlink()


def test_object_behind_an_answered_probe_keeps_no_probe_waiting(patient: str, slow: Path) -> None:
    with connected(patient) as connection:
        connection.sendall(GET % b"/_/health")
        take(connection, b"ok\n")
        (slow / "go").unlink()
        connection.sendall(POST % b"a")
        wait_until((slow / "working-a").exists)
        assert status(f"{patient}/_/health") == 200
        (slow / "go").touch()
        take(connection, b"x done")


def test_caller_that_sends_one_after_the_other_keeps_no_thread_from_the_others(patient: str) -> None:
    ended = threading.Event()
    with connected(patient) as connection:

        def send() -> None:
            while not ended.is_set():
                connection.sendall(POST % b"a")
                take(connection, b"x done")

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        assert [posted(patient) for _ in range(3)] == [b"x done"] * 3
        assert sender.is_alive()
        ended.set()
        sender.join(60)


def test_connection_that_may_send_more_takes_no_place_of_requests_that_wait(slow: Path) -> None:
    (slow / "go").touch()
    with started(slow, ("-c", PATIENT), THREADS="1", WORKERS="1", MAX_WAITING="0") as (url, _), ExitStack() as stack:
        sent = [stack.enter_context(connected(url, POST % b"a"))]
        take(sent[0], b"x done")

        def waits() -> bool:
            sent.append(stack.enter_context(connected(url, POST % b"b")))
            assert status(f"{url}/_/health") == 200  # so the request before is read
            return not select.select([sent[-1]], [], [], 0)[0]

        wait_until(waits, "a request that is not refused", timeout_seconds=20)  # a place is free after its answer
        *idle, other = sent
        for connection in idle:
            connection.close()
        take(other, b"x done")


def test_request_that_comes_later_on_a_kept_connection_is_not_served_first(patient: str, slow: Path) -> None:
    with connected(patient) as connection:
        connection.sendall(POST % b"a")
        take(connection, b"x done")
        for turn in range(10):  # a turn shows nothing when the thread does not wait yet
            (slow / "go").unlink()
            with connected(patient, POST % b"%d-first" % turn) as other:
                assert status(f"{patient}/_/health") == 200  # so the other request is read
                connection.sendall(POST % b"%d-second" % turn)
                begun = wait_until(partial(files, slow, f"working-{turn}-*"))
                assert begun == [f"working-{turn}-first"]
                (slow / "go").touch()
                take(other, b"x done")
                take(connection, b"x done")


def files(folder: Path, pattern: str) -> list[str]:
    return [path.name for path in folder.glob(pattern)]


def test_connection_that_ends_behind_an_answered_request_frees_its_thread(patient: str) -> None:
    with connected(patient) as connection:
        connection.sendall(POST % b"a")
        take(connection, b"x done")
    assert posted(patient) == b"x done"


@pytest.mark.parametrize("program", [("-m", "penstock.serve"), ("-c", PATIENT)])
def test_worker_that_stops_loses_no_request_of_a_caller_that_goes_on(slow: Path, program: Sequence[str]) -> None:
    (slow / "go").touch()
    with (
        started(slow, program, THREADS="1", WORKERS="1") as (url, process),
        connected(url) as connection,
    ):
        data = b""
        for number in count():
            if number == 20:
                process.terminate()
            try:
                connection.sendall(POST % b"a")
            except OSError:
                break
            data = b""
            while not data.endswith(b"x done") and (chunk := received(connection)):
                data += chunk
            if not data or b"connection: close" in data.lower():
                break
        assert data.endswith(b"x done") or not data  # a request is answered whole, or not taken
        assert process.wait(60) == 0


def received(connection: socket.socket) -> bytes:
    """What came, or nothing when the connection has ended."""
    try:
        return connection.recv(65536)
    except OSError:
        return b""


# Overload


def test_more_requests_than_may_wait_are_answered_503_with_a_time_to_come_back(url: str, slow: Path) -> None:
    whole = b"POST /more HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nmore"
    unread = b"POST /more HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    with busy(url, slow, THREADS + 3) as posts:
        # The three that wait have been read once a fourth is refused.
        refused: list[tuple[int, dict[str, str], bytes]] = []

        def is_full() -> bool:
            with connected(url, whole) as connection:
                connection.settimeout(0.2)
                try:
                    refused.append(answer(connection))
                except TimeoutError:
                    return False
            return True

        wait_until(is_full)
        for request in (whole, unread):
            with connected(url, request) as connection:
                refused.append(answer(connection))
        assert status(f"{url}/_/health") == 200
        assert status(f"{url}/_/ready") == 200
    for code, headers, body in refused:
        assert (code, headers["connection"]) == (503, "close")
        assert int(headers["retry-after"]) >= 1
        document: Any = json.loads(body)
        assert (document["error"], "MAX_WAITING" in document["reason"]) == ("TemporaryError", True)
    assert [post.answer for post in posts if post.problem is None].count(b"work done") >= THREADS
    assert status(f"{url}/_/health") == 200


def test_stopping_worker_does_not_wait_for_callers_that_send_nothing(slow: Path) -> None:
    with (
        started(slow, READ_TIMEOUT_SECONDS="600", GRACE_SECONDS="600") as (url, process),
        connected(url),
        connected(url, b"POST / HT"),
    ):
        process.terminate()
        assert process.wait(60) == 0


# The bridge


@contextmanager
def bridge(tmp_path: Path) -> Iterator[str]:
    """A bridge in a process of its own, with a short time for callers."""
    import os
    import subprocess
    import sys

    port = free_port()
    program = (
        "import sys; from pathlib import Path\n"
        "from penstock.connect.bridge.server import BridgeServer; from penstock.serving.gunicorn import run_server\n"
        "from penstock.connect.bridge.settings import BridgeConfig\n"
        "from penstock.delivery.deliverer import Policy; from penstock.delivery.http import HttpTarget\n"
        f"config = BridgeConfig(('127.0.0.1', {port}), '', Path({str(tmp_path / 'inbox.db')!r}),\n"
        "    (HttpTarget('sink', 'http://127.0.0.1:9/'),), Policy(), 0.0, {})\n"
        "server = BridgeServer(config)\n"
        "server.serving = server.serving._replace(read_timeout_seconds=1.0)\n"
        "sys.exit(run_server(server))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env={"PATH": os.environ["PATH"]})
    url = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        assert process.poll() is None
        try:
            return status(f"{url}/_/health") == 200
        except OSError:
            return False

    try:
        wait_until(is_up)
        yield url
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_half_heads_and_half_bodies_do_not_stop_the_bridge(tmp_path: Path, put: Callable[[], bytes]) -> None:
    half_body = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
    with bridge(tmp_path) as url, ExitStack() as stack:
        heads = [stack.enter_context(connected(url, b"POST / HT")) for _ in range(32)]
        with urllib.request.urlopen(urllib.request.Request(url, put()), timeout=60) as response:
            assert response.status == 202
        bodies = [stack.enter_context(connected(url, half_body)) for _ in range(16)]
        assert status(f"{url}/_/health") == 200
        assert {answer(connection)[0] for connection in (*heads, *bodies)} == {408}
        with urllib.request.urlopen(urllib.request.Request(url, put()), timeout=60) as response:
            assert response.status == 202


@pytest.fixture
def put() -> Callable[[], bytes]:
    from tests.paths import EVENTS

    return (EVENTS / "minio_put.json").read_bytes


@pytest.mark.parametrize(
    ("head", "status", "says"),
    [
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
            431,
            "headers, or one that is too long: at most 100, each of at most 8190 bytes",
        ),
        (
            b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            414,
            "the URL is too long: at most 4094 bytes",
        ),
        (b"G\x01T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "Invalid"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", 400, "bad header"),
    ],
    ids=["header", "line", "method", "malformed"],
)
def test_request_that_never_reaches_the_application_is_refused_in_json(
    url: str, head: bytes, status: int, says: str
) -> None:
    with connected(url, head) as connection:
        code, headers, body = answer(connection)
    assert (code, headers["content-type"]) == (status, "application/json")
    document = json.loads(body)
    assert (document["outcome"], document["status"]) == ("failed", status)
    assert says.lower() in document["reason"].lower()
