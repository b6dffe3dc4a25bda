"""What the connector tests share: a function that records its calls, and a connector as a process."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.components.process import Child, free_ports, log_tail
from tests.paths import ROOT
from tests.waiting import Wait

# Flags of a connector that tries again and ends soon.
QUICK = ("--min-wait-seconds", "0.05", "--max-wait-seconds", "0.5", "--drain-seconds", "10")


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `headers` in lower case, `status` is what it was answered with."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int


class RecordingFunction:
    """An HTTP server whose answers the test decides: `answer(path, body)` returns a status; GET serves `pages`."""

    def __init__(self, answer: Callable[[str, bytes], int] = lambda path, body: 200) -> None:
        self.answer = answer
        self.calls: list[Call] = []
        self.pages: dict[str, bytes] = {}
        function = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = function.answer(self.path, body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                function.calls.append(Call(self.path, headers, body, status))
                self.reply(status, b"answer")

            def do_GET(self) -> None:
                self.reply(200, function.pages[self.path])

            def reply(self, status: int, body: bytes) -> None:
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:  # a connector that was killed reads no answer
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def delivered(self, path: str = "/") -> list[bytes]:
        """Bodies that were answered 2xx, in order."""
        return [call.body for call in list(self.calls) if call.status < 300 and call.path == path]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Penstock(Child):
    """`penstock ...` as its own process; a connector, bridge or watch listens on `address`, a free one by default."""

    def __init__(
        self, name: str, folder: Path, *arguments: str, env: Mapping[str, str] | None = None, address: str = ""
    ) -> None:
        self.address = address or f"127.0.0.1:{free_ports(1)[0]}"
        listening = ["--listen", self.address] if arguments[0] in ("connect", "bridge", "watch") else []
        argv = [sys.executable, "-m", "penstock.cli", *arguments, *listening]
        super().__init__(
            name, argv, folder, {"PYTHONPATH": str(ROOT / "shared"), "PYTHONUNBUFFERED": "1", **(env or {})}
        )
        self.start()

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def until(self, condition: Callable[[], bool], what: str, timeout_seconds: float = 120) -> None:
        """Poll until it is so; the limit only ends a test that has failed."""
        wait = Wait(timeout_seconds)
        while not wait.holds(condition):
            if (code := self.returncode()) is not None:
                raise AssertionError(f"{self.name} ended with {code} before {what}\n{log_tail(self.log)}")
            if wait.is_over():
                raise AssertionError(f"not {what} in time\n{log_tail(self.log)}") from wait.error
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Whether the readiness probe says so."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/_/ready", timeout=5) as answer:
                return int(answer.status) == 200
        except (OSError, HTTPException):
            return False

    def ready_text(self) -> str:
        """What the readiness probe says is wrong, or ""."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/_/ready", timeout=5):
                return ""
        except urllib.error.HTTPError as exc:
            return exc.read().decode()
        except OSError:
            return ""

    def kill_all(self) -> None:
        """SIGKILL this process and those that it started, all at once."""
        os.killpg(self.pid, signal.SIGKILL)
        self.wait(10)

    def end(self) -> int:
        """SIGTERM and wait."""
        self.stop(120)
        return self.wait(120)


def dlq(inbox: Path, *words: str) -> str:
    """What `penstock dlq` prints about an inbox; its first word is the action."""
    name = f"dlq-{time.monotonic_ns()}"
    child = Penstock(name, inbox.parent, "dlq", words[0], "--inbox", str(inbox), *words[1:])
    assert child.wait(120) == 0, child.text()
    return child.text()


def letters(inbox: Path) -> list[dict[str, Any]]:
    """The dead letters of an inbox."""
    return [json.loads(line) for line in dlq(inbox, "list", "--json").splitlines()]
