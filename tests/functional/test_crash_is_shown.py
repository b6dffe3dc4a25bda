"""A crash in a handler: its stack trace is where the user looks, in the terminal and on the object's page."""

from __future__ import annotations

import codecs
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands.up import CrashPrinter, print_waiting
from penstock.local.stack import Stack, StackOptions
from penstock.types import ObjectRef

from tests.served import free_port
from tests.waiting import wait_until

HANDLER = """
from penstock import Context, Event, Result


def handle(event: Event, context: Context) -> Result:
    lines = event.body.read().split()
    return Result(lines[7], content_type="text/plain")
"""
STACK = """
functions:
  seventh:
    handler: ./seventh
    image: example/seventh:1
    environment: {FUNCTION_NAME: seventh, SOURCE: s3://upload/*, SINK: "s3://processed/{key}"}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "seventh").mkdir()
    (tmp_path / "seventh" / "handler.py").write_text(HANDLER)
    (tmp_path / "stack.yml").write_text(STACK)
    return tmp_path


def ask(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def test_up_shows_the_trace_once_and_when_the_next_attempt_comes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack(StackOptions(project / "stack.yml", project / "data", {}, port=0, store_port=0, password=""))
    try:
        stack.crashes.listen(CrashPrinter())
        stack.attempts.listen(print_waiting)
        stack.start()
        stack.store.put(ObjectRef("upload", "a.txt"), [b"hello"], content_type="text/plain", metadata={})
        wait_until(lambda: len(stack.invocations.recent()) > 1)
        page = wait_until(lambda: ask(f"{stack.url}/ui/about?bucket=upload&key=a.txt")).decode()
    finally:
        stack.stop()
    shown = capsys.readouterr().out
    log = project / "data" / "logs" / "seventh.log"
    assert shown.count("Traceback (most recent call last)") == 1
    assert f'File "{project / "seventh" / "handler.py"}", line 7, in handle' in shown
    assert "IndexError: list index out of range" in shown
    assert f"the whole trace: {log}" in shown
    assert "the same as before" in shown
    assert "seventh  upload/a.txt  retrying, attempt 2 of 10, next in " in shown
    assert "IndexError: list index out of range" in page
    assert str(log) in page


@pytest.mark.long
@pytest.mark.parametrize("password", ["", "secret of the gateway"])
def test_status_says_why_a_pending_object_waits(
    project: Path, password: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MINIO_ENDPOINT", "ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    data = project / "data"
    stack = Stack(StackOptions(project / "stack.yml", data, {}, port=0, store_port=0, password=password))
    try:
        stack.start()
        stack.store.put(ObjectRef("upload", "a.txt"), [b"hello"], content_type="text/plain", metadata={})
        wait_until(stack.attempts.waiting)
        assert main(["status", "upload/a.txt", "--data", str(data)]) == 1  # the stack file is the local stack's too
    finally:
        stack.stop()
    shown = capsys.readouterr()
    # Attempts go on between the upload and the command: which one comes next is a matter of time.
    assert re.match(r"seventh: pending \(retrying, attempt \d+ of 10, next in \d+ s: ", shown.out), shown.out
    assert "IndexError: list index out of range" in shown.out.splitlines()[0]
    assert f"on the local stack of {data}" in shown.err


def test_serve_shows_the_trace_and_where_it_listens_in_lines_on_a_terminal(project: Path) -> None:
    terminal, side = os.openpty()
    port = free_port()
    command = [sys.executable, "-m", "penstock.cli", "serve", str(project / "seventh"), "--port", str(port)]
    process = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env={"PATH": os.environ["PATH"]}, start_new_session=True
    )
    os.close(side)
    shown = ""
    decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            shown += decoder.decode(os.read(terminal, 4096))  # a read may end within a character

    try:
        read_until(f"seventh listens on http://127.0.0.1:{port}")
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/a.txt", data=b"hello", timeout=60)
        read_until("IndexError: list index out of range")
    finally:
        process.terminate()
        process.wait(60)
        os.close(terminal)
    lines = shown.splitlines()
    assert any(line.lstrip().startswith(f'File "{project / "seventh" / "handler.py"}", line 7') for line in lines)
    assert "incident=" in shown
    assert '{"time"' not in shown
