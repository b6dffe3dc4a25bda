"""A function behind Knative's real queue-proxy: its limit, its time-out, readiness, and an end that loses nothing.

The function waits at a gate that the test opens, so that every moment lasts as long as the test wants.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.components import QueueProxyServer
from tests.components.http import request_json
from tests.served import free_port, served

HANDLER = """\
import os
import time
from pathlib import Path

from penstock import Context, Event, Result

GATE = Path(os.environ["GATE"])


def handle(event: Event, context: Context) -> Result:
    body = event.body.read()
    inside = GATE / f"inside-{event.name}"
    inside.touch()
    (GATE / f"seen-{len(list(GATE.glob('inside-*')))}").touch()
    while not (GATE / "open").exists():
        time.sleep(0.02)
    inside.unlink()
    return Result(body.upper(), content_type="text/plain")
"""


class Gate:
    """Where requests wait inside the function."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def inside(self) -> int:
        return len(list(self.folder.glob("inside-*")))

    @property
    def most(self) -> int:
        """The most requests that were ever inside at once."""
        return max((int(path.name.removeprefix("seen-")) for path in self.folder.glob("seen-*")), default=0)

    def open(self) -> None:
        (self.folder / "open").touch()

    def close(self) -> None:
        (self.folder / "open").unlink(missing_ok=True)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.fixture
def handler(tmp_path: Path) -> Path:
    folder = tmp_path / "gated"
    folder.mkdir()
    (folder / "handler.py").write_text(HANDLER)
    return folder


class Callers:
    """Requests that are made at the same time, each on its own connection."""

    def __init__(self, url: str, count: int) -> None:
        self._address = urlsplit(url).netloc
        self._pool = ThreadPoolExecutor(count)
        self.sent = threading.Semaphore(0)

    def post(self, name: str) -> Future[tuple[int, bytes]]:
        return self._pool.submit(self._post, name)

    def _post(self, name: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._address, timeout=120)
        connection.request("POST", f"/{name}", f"body of {name}".encode(), {"Content-Type": "text/plain"})
        self.sent.release()
        answer = connection.getresponse()
        return answer.status, answer.read()


def answered(futures: list[Future[tuple[int, bytes]]]) -> list[tuple[int, bytes]]:
    return [future.result(120) for future in futures]


def expected(names: list[str]) -> list[tuple[int, bytes]]:
    return [(200, f"body of {name}".upper().encode()) for name in names]


@contextmanager
def behind_queue_proxy(
    handler: Path, gate: Gate, folder: Path, *, concurrency: int, timeout_seconds: int = 300
) -> Iterator[tuple[QueueProxyServer, subprocess.Popen[bytes]]]:
    settings = {"GATE": str(gate.folder), "FUNCTION_NAME": "gated", "THREADS": "4"}
    with served(handler, settings) as function:
        port = urlsplit(function.url).port
        assert port is not None
        with QueueProxyServer(
            port,
            folder / "queue",
            container_concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            readiness_path="/_/ready",
        ) as server:
            server.wait_until(server.app_is_ready, "ready with its function")
            yield server, function.process
            gate.open()


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (3, 3)])
def test_no_more_requests_reach_the_function_than_container_concurrency(
    handler: Path, gate: Gate, tmp_path: Path, concurrency: int, most: int
) -> None:
    names = ["a", "b", "c"]
    with behind_queue_proxy(handler, gate, tmp_path, concurrency=concurrency) as (server, _):
        callers = Callers(server.endpoint.url, len(names))
        futures = [callers.post(name) for name in names]
        for _name in names:
            callers.sent.acquire()
        server.wait_until(lambda: gate.inside == most, f"letting {most} in")
        gate.open()
        assert answered(futures) == expected(names)
    assert gate.most == most


def test_function_whose_every_thread_works_stays_ready_and_alive(handler: Path, gate: Gate, tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    # No limit at queue-proxy: what the function's four threads cannot take waits in the function itself.
    with behind_queue_proxy(handler, gate, tmp_path, concurrency=0) as (server, _):
        callers = Callers(server.endpoint.url, len(names) + 2)
        futures = [callers.post(name) for name in [*names, "e", "f"]]
        server.wait_until(lambda: gate.inside == len(names), "letting four in")
        assert server.app_is_ready()
        assert request_json("GET", f"{server.endpoint.url}/_/health") == "ok\n"
        gate.open()
        assert answered(futures) == expected([*names, "e", "f"])


def test_request_that_takes_too_long_is_ended_and_the_next_one_works(handler: Path, gate: Gate, tmp_path: Path) -> None:
    with behind_queue_proxy(handler, gate, tmp_path, concurrency=4, timeout_seconds=4) as (server, _):
        callers = Callers(server.endpoint.url, 2)
        assert callers.post("slow").result(60)[0] == 504
        gate.open()
        assert answered([callers.post("quick")]) == expected(["quick"])


def test_function_is_ready_when_it_says_so_and_not_before(handler: Path, gate: Gate, tmp_path: Path) -> None:
    port = free_port()
    with QueueProxyServer(port, tmp_path / "queue", readiness_path="/_/ready") as server:
        assert not server.app_is_ready()
        environment = {"GATE": str(gate.folder), "PORT": str(port), "FUNCTION_NAME": "gated"}
        with started(handler, environment):
            server.wait_until(server.app_is_ready, "ready with its function")
        server.wait_until(lambda: not server.app_is_ready(), "not ready without it")


def test_function_whose_store_does_not_answer_gets_no_traffic(handler: Path, gate: Gate, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        "GATE": str(gate.folder),
        "PORT": str(port),
        "FUNCTION_NAME": "gated",
        "SOURCE": "s3://upload",
        "SINK": "s3://processed/{key}",
        "MINIO_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "MINIO_ACCESS_KEY": "reader",
        "MINIO_SECRET_KEY": "reader-secret",
    }
    with (
        QueueProxyServer(port, tmp_path / "queue", readiness_path="/_/ready") as server,
        started(handler, environment),
    ):
        url = f"http://127.0.0.1:{port}/_/health"
        server.wait_until(lambda: _is_alive(url), "the function alive")
        assert not server.app_is_ready()


def test_pod_that_is_deleted_answers_every_request_it_has_taken(handler: Path, gate: Gate, tmp_path: Path) -> None:
    """As the kubelet does it: the preStop hook waits at queue-proxy, which has SIGTERM; then the function gets it."""
    names = ["a", "b", "c", "d"]
    with behind_queue_proxy(handler, gate, tmp_path, concurrency=4) as (server, function):
        callers = Callers(server.endpoint.url, len(names) + 1)
        futures = [callers.post(name) for name in names]
        server.wait_until(lambda: gate.inside == len(names), "letting all in")
        with ThreadPoolExecutor(1) as kubelet:
            hook = kubelet.submit(
                request_json, "GET", f"{server.endpoint.admin_url}/wait-for-drain", timeout_seconds=120
            )
            server.terminate()
            # Until routes have changed everywhere, requests still come: they are served too.
            gate.open()
            late = callers.post("late")
            assert answered([*futures, late]) == expected([*names, "late"])
            hook.result(120)
        function.terminate()
        assert function.wait(60) == 0


def test_function_that_gets_sigterm_with_requests_in_it_answers_them(handler: Path, gate: Gate, tmp_path: Path) -> None:
    """The worst order: both get it at once, and nobody waits."""
    names = ["a", "b", "c", "d"]
    with behind_queue_proxy(handler, gate, tmp_path, concurrency=4) as (server, function):
        callers = Callers(server.endpoint.url, len(names))
        futures = [callers.post(name) for name in names]
        server.wait_until(lambda: gate.inside == len(names), "letting all in")
        function.terminate()
        server.terminate()
        gate.open()
        assert answered(futures) == expected(names)
        assert function.wait(60) == 0


@contextmanager
def started(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Serve a function that may never become ready."""
    command = [sys.executable, "-m", "penstock.serve", str(folder), "--host", "127.0.0.1"]
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environment})
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(60) == 0


def _is_alive(url: str) -> bool:
    try:
        return bool(request_json("GET", url) == "ok\n")
    except Exception:  # noqa: BLE001 - not listening yet, in any way
        return False
