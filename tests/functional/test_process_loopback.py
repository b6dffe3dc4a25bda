"""`penstock serve` listens on this machine alone unless told otherwise, and refuses pages of other servers there."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.served import free_port, wait_until_ready


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli", "serve", ROOT / "functions" / "compress", "--port", str(port)],
        env={"PATH": os.environ["PATH"], "FUNCTION_NAME": "compress"},
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(60) == 0


def status(url: str, path: str, headers: dict[str, str], data: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_listens_on_loopback_unless_told_otherwise(url: str) -> None:
    port = f"{int(url.rpartition(':')[2]):04X}"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
    assert [address for address in listening if address.endswith(f":{port}")] == [f"0100007F:{port}"]


@pytest.mark.parametrize(
    ("path", "data"), [("/a.txt", b"x"), ("/event", b"{}"), ("/", None), ("/metrics", None), ("/_/health", None)]
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_web_page_of_another_server_is_refused(
    url: str, path: str, data: bytes | None, headers: dict[str, str]
) -> None:
    assert status(url, path, headers, data) == 403


def test_calls_from_this_machine_are_answered(url: str) -> None:
    host = url.removeprefix("http://")
    for headers in ({}, {"Host": "localhost"}, {"Host": "[::1]:80"}, {"Origin": url}, {"Host": host, "Origin": url}):
        assert status(url, "/a.txt", headers, b"text " * 100) == 200


def test_what_an_image_runs_listens_on_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    import penstock.serve

    given: list[list[str]] = []
    monkeypatch.setattr(penstock.serve, "main", given.append)
    monkeypatch.setattr(sys, "argv", ["index.py", "--port", "1"])
    index = ROOT / "templates" / "python3-penstock" / "index.py"
    with pytest.raises(SystemExit):
        runpy.run_path(str(index), run_name="__main__")
    assert given == [[str(index.parent / "function"), "--host", "0.0.0.0", "--port", "1"]]
