"""`penstock up` is stopped at bad moments: it ends in order, and no process of it is left."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.test_stack import Up
from tests.waiting import wait_until

pytestmark = pytest.mark.long

SLOW = """
import time
from pathlib import Path
from penstock import Result

HERE = Path(__file__).parent.parent
(HERE / "importing").touch()
while (HERE / "hold-imports").exists():
    time.sleep(0.01)

def handle(event, context):
    (HERE / "calling").touch()
    while (HERE / "hold-calls").exists():
        time.sleep(0.01)
    return Result(event.body.read())
"""
# Which thread of a process a signal goes to: Linux, x86-64 and arm64.
TGKILL = {"x86_64": 234, "aarch64": 131}


class Project:
    """A stack with one function whose imports and calls last as long as a file is there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.code = folder, folder / "index"
        self.code.mkdir()
        self.handler = self.code / "handler.py"
        self.handler.write_text(SLOW)
        (folder / "stack.yml").write_text("functions:\n  index:\n    handler: ./index\n")
        self.up = Up(folder / "data", "--reload", folder=folder)

    def aside(self, method: str, path: str, body: bytes) -> None:
        """Send a request whose answer is of no interest."""
        headers = {"Content-Type": "application/json", **self.up.login}
        request = urllib.request.Request(f"http://127.0.0.1:{self.up.port}{path}", body, headers, method=method)

        def send() -> None:
            with suppress(OSError), urllib.request.urlopen(request, timeout=60):
                pass

        threading.Thread(target=send, daemon=True).start()

    def call(self) -> None:
        self.aside("POST", "/function/index", b"x")

    def processes(self) -> list[int]:
        """All that run code of this project."""
        listed = subprocess.run(["pgrep", "-f", str(self.folder)], capture_output=True, text=True).stdout.split()
        return [int(pid) for pid in listed if int(pid) != self.up.process.pid]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    try:
        yield made
    finally:
        made.up.stop(signal.SIGKILL)


def starting(project: Project) -> None:
    (project.folder / "hold-imports").touch()
    project.call()
    wait_until((project.folder / "importing").exists, "the start")


def calling(project: Project) -> None:
    (project.folder / "hold-calls").touch()
    project.call()
    wait_until((project.folder / "calling").exists, "the call")


def deploying(project: Project) -> None:
    calling(project)
    (project.folder / "importing").unlink()
    (project.folder / "hold-imports").touch()
    project.aside("PUT", "/system/functions", json.dumps({"service": "index"}).encode())
    wait_until((project.folder / "importing").exists, "the start of the new one")


def deleting(project: Project) -> None:
    calling(project)
    project.aside("DELETE", "/system/functions", json.dumps({"functionName": "index"}).encode())
    wait_until(lambda: project.up.ask("/system/functions") == [], "the removal")


def reloading(project: Project) -> None:
    (project.folder / "hold-imports").touch()
    project.handler.write_text(SLOW + "# saved\n")
    wait_until((project.folder / "importing").exists, "the trial of what was saved")


@pytest.mark.parametrize("moment", [starting, calling, deploying, deleting, reloading], ids=lambda each: each.__name__)
def test_stop_at_a_bad_moment_ends_and_leaves_no_process(project: Project, moment: Callable[[Project], None]) -> None:
    moment(project)
    assert project.up.stop() == 0
    wait_until(lambda: project.processes() == [], "the end of its processes")


def test_stop_works_on_whichever_thread_the_signal_arrives(project: Project) -> None:
    """The kernel gives a signal to any thread, and the main one waits in a lock."""
    pid = project.up.process.pid
    number = TGKILL[subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()]
    others = (int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid)
    # A thread that has ended since takes no signal.
    library = ctypes.CDLL(None, use_errno=True)
    assert any(library.syscall(number, pid, other, int(signal.SIGTERM)) == 0 for other in others)
    assert project.up.process.wait(60) == 0


def test_second_ctrl_c_does_not_wait_for_a_function_that_does_not_end(project: Project) -> None:
    calling(project)
    project.up.process.send_signal(signal.SIGINT)
    said = project.up.process.stdout
    assert said is not None
    wait_until(lambda: "stopping" in said.readline(), "the beginning of the stop")
    project.up.process.send_signal(signal.SIGINT)
    assert project.up.process.wait(60) == 130
    (project.folder / "hold-calls").unlink()
    wait_until(lambda: project.processes() == [], "the end of its processes")
