"""A function served as its image serves it, in a process of its own, for tests from the outside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.paths import ROOT
from tests.ports import free_port

__all__ = ["Served", "free_port", "served", "wait_until_ready"]


@dataclass(frozen=True, slots=True)
class Served:
    """A running function: its URL and its gunicorn master."""

    url: str
    process: subprocess.Popen[bytes]

    def send(self, bucket: str, key: str) -> tuple[int, dict[str, Any]]:
        """Post a reference to one object; the status and the JSON of the answer."""
        data = json.dumps({"bucket": bucket, "key": key}).encode()
        return self.post("/event", data)

    def post(self, path: str, data: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """Post anything; the status and the JSON of the answer, {} where there is none."""
        return self._send(urllib.request.Request(self.url + path, data, dict(headers or {})))

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of an answer to GET."""
        return self._send(urllib.request.Request(self.url + path))

    def _send(self, request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def peak_bytes(self) -> int:
        """The most resident memory that the workers had so far (VmHWM in /proc)."""
        workers = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        status = [Path(f"/proc/{worker}/status").read_text() for worker in workers]
        return sum(int(re.findall(r"VmHWM:\s+(\d+) kB", text)[0]) * 1024 for text in status)


@contextmanager
def served(function: str | Path, settings: Mapping[str, str], *, port: int = 0) -> Iterator[Served]:
    """Serve a function (a name under ./functions or a folder) until the block ends; it must then exit with 0."""
    port = port or free_port()
    folder = function if isinstance(function, Path) else ROOT / "functions" / function
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.serve", folder, "--host", "127.0.0.1"],
        env={"PATH": os.environ["PATH"], **settings, "PORT": str(port)},
    )
    try:
        running = Served(f"http://127.0.0.1:{port}", process)
        wait_until_ready(running.url, process)
        yield running
    finally:
        process.terminate()
        code = process.wait(60)
    assert code == 0, f"{function} ended with exit code {code}"


def wait_until_ready(url: str, process: subprocess.Popen[Any]) -> None:
    """Wait until a function answers that it is ready; fails when its process ends or two minutes have passed."""
    for _ in range(1200):
        assert process.poll() is None, f"it ended with exit code {process.returncode}"
        try:
            with urllib.request.urlopen(f"{url}/_/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never became ready")
