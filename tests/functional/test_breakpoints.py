"""A breakpoint in a handler stops the function as an editor asks for it: debugpy's protocol, .vscode/launch.json."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.paths import ROOT
from tests.served import free_port

LAUNCH = json.loads((ROOT / ".vscode" / "launch.json").read_text(encoding="utf-8"))
CONFIGURATIONS = {each["name"]: each for each in LAUNCH["configurations"]}
HANDLER = """from penstock import Result


def handle(event, context):
    data = event.body.read()
    return Result(data.upper())
"""
TEST = """from penstock.testing import run

from .handler import handle


def test_it():
    assert run(handle, b'hello').data == b'HELLO'
"""
SECONDS = 120.0


class Editor:
    """An editor's side of the Debug Adapter Protocol: messages are JSON after a Content-Length."""

    def __init__(self, port: int) -> None:
        self._socket = self._connected(port)
        self._stream = self._socket.makefile("rb")
        self._sent = 0
        self._events: list[dict[str, Any]] = []

    def _connected(self, port: int) -> socket.socket:
        end = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
            except ConnectionRefusedError:
                assert time.monotonic() < end, "debugpy does not listen"
                time.sleep(0.05)

    def send(self, command: str, **arguments: Any) -> int:
        self._sent += 1
        request = {"seq": self._sent, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._sent

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The body of the answer to a request."""
        asked = self.send(command, **arguments)
        while True:
            message = self._read()
            if message["type"] == "event":
                self._events.append(message)
            elif message["type"] == "response" and message["request_seq"] == asked:
                assert message["success"], message
                body: dict[str, Any] = message.get("body") or {}
                return body

    def event(self, name: str) -> dict[str, Any]:
        """The body of the next event of this name."""
        while True:
            for message in self._events:
                if message["event"] == name:
                    self._events.remove(message)
                    body: dict[str, Any] = message.get("body") or {}
                    return body
            message = self._read()
            if message["type"] == "event":
                self._events.append(message)

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "debugpy has ended the connection"
        message: dict[str, Any] = json.loads(self._stream.read(length))
        return message

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@contextmanager
def debugged(
    configuration: dict[str, Any], folder: Path, **inputs: str
) -> Iterator[tuple[Editor, subprocess.Popen[str]]]:
    """The program of a configuration under debugpy, and an editor that is connected to it."""
    words = configuration["args"]
    for name, value in inputs.items():
        words = [word.replace(f"${{input:{name}}}", value) for word in words]
    port = free_port()
    listening = ["-X", "frozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client"]
    command = [sys.executable, *listening, "-m", configuration["module"], *words]
    # 0: debugpy waits for the program as long as it takes. By itself it ends the editor's connection after a minute.
    env = {**os.environ, "DEBUGPY_PROCESS_SPAWN_TIMEOUT": "0"}
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        editor = Editor(port)
        try:
            yield editor, process
        except AssertionError as error:
            process.kill()
            error.add_note(f"the program printed: {process.communicate()[0]}")
            raise
        finally:
            editor.close()
    finally:
        process.kill()
        process.wait()


@pytest.mark.long
@pytest.mark.parametrize("name", ["Function on a file", "Tests of a function"])
def test_breakpoint_in_a_handler_stops_there_with_its_values(name: str, tmp_path: Path) -> None:
    function = tmp_path / "shout"
    function.mkdir()
    (function / "__init__.py").touch()
    handler = function / "handler.py"
    handler.write_text(HANDLER)
    (function / "handler_test.py").write_text(TEST)
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = *_test.py\n")
    line = HANDLER.splitlines().index("    return Result(data.upper())") + 1
    configuration = CONFIGURATIONS[name]
    with debugged(configuration, tmp_path, function=str(function), file="a.txt") as (editor, process):
        editor.ask("initialize", adapterID="debugpy", pathFormat="path")
        attached = editor.send("attach", justMyCode=configuration["justMyCode"])
        assert attached
        editor.event("initialized")
        told = editor.ask("setBreakpoints", source={"path": str(handler)}, breakpoints=[{"line": line}])
        assert told["breakpoints"][0]["line"] == line
        editor.ask("configurationDone")
        stopped = editor.event("stopped")
        assert stopped["reason"] == "breakpoint"
        frame = editor.ask("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
        assert (frame["name"], frame["line"]) == ("handle", line)
        assert editor.ask("evaluate", expression="data", frameId=frame["id"])["result"] == "b'hello'"
        editor.ask("continue", threadId=stopped["threadId"])
        editor.event("terminated")
        assert process.wait(SECONDS) == 0


def test_every_input_of_the_configurations_is_asked_for() -> None:
    named = {each["id"] for each in LAUNCH["inputs"]}
    for configuration in CONFIGURATIONS.values():
        assert {word[8:-1] for word in configuration["args"] if word.startswith("${input:")} <= named
        assert configuration["type"] == "debugpy"


def test_development_container_sets_itself_up_with_what_is_there() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    program, target = container["postCreateCommand"].split()
    assert program == "make"
    assert f"\n{target}: " in makefile
