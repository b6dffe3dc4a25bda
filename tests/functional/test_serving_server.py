"""A function as a process: how it starts, refuses to start, drains and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from werkzeug.http import parse_options_header

from tests.paths import ROOT
from tests.served import free_port, served, wait_until_ready
from tests.waiting import wait_until

# Tells through files where it is, and waits for one: so no test depends on how fast anything is.
SLOW = """
import os, time
from pathlib import Path
from penstock import Context, Event, Result

HERE = Path(__file__).parent

def start(config):
    (HERE / "started").write_text(config.function)

def stop():
    (HERE / "stopped").write_text("bye")

def handle(event: Event, context: Context) -> Result:
    (HERE / f"working-{event.name}").touch()
    while not (HERE / "go").exists():
        time.sleep(0.01)
    return Result(event.body.read() + b" done")
"""


def written(folder: Path, handler: str) -> Path:
    """A new folder with this text as its handler."""
    folder.mkdir()
    (folder / "handler.py").write_text(handler)
    return folder


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    return written(tmp_path / "slow", SLOW)


class Post(threading.Thread):
    """One request in the background; `answer` is the body, `problem` what kept it from coming."""

    def __init__(self, url: str, data: bytes = b"work") -> None:
        super().__init__(daemon=True)
        self.url, self.data = url, data
        self.answer = b""
        self.problem: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, self.data), timeout=60) as response:
                self.answer = response.read()
        except OSError as exc:
            self.problem = exc


@contextmanager
def started(
    folder: Path, program: Sequence[str] = ("-m", "penstock.serve"), **settings: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A function whose end the test itself decides; killed if it does not come."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, *program, folder, "--host", "127.0.0.1"],
        # The package of this tree: `make mutants` runs these tests in a copy, which is not what is installed.
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "shared"), "PORT": str(port), **settings},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait(60)


def run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start a function that will not start."""
    return subprocess.run(
        [sys.executable, "-m", "penstock.serve", folder, "--host", "127.0.0.1"],
        env={"PATH": os.environ["PATH"], "PORT": str(free_port()), **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )


def messages(stderr: str) -> list[str]:
    """The messages of JSON log lines; any other line as it is."""
    found = []
    for line in stderr.splitlines():
        try:
            found.append(json.loads(line)["message"])
        except (ValueError, KeyError, TypeError):
            found.append(line)
    return found


# The start


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_a_start_imports_is_frozen_and_garbage_of_a_handlers_own_start_is_collected(
    tmp_path: Path, workers: str
) -> None:
    folder = written(
        tmp_path / "collector",
        "import gc\nfrom penstock import Result\nWHILE_LOADING = gc.isenabled()\nliving = set()\n"
        "class Node:\n    def __init__(self):\n        self.me = self\n        living.add(id(self))\n"
        "        self.many = [[] for _ in range(10_000)]\n    def __del__(self):\n        living.discard(id(self))\n"
        "def start(config):\n    for _ in range(20):\n        Node()\n    global most\n    most = len(living)\n"
        "def handle(event, context):\n    gc.collect()\n    frozen = gc.get_freeze_count() > 10_000\n"
        "    return Result(f'{WHILE_LOADING} {gc.isenabled()} {frozen} {most < 20} {len(living)}'.encode())\n",
    )
    with started(folder, WORKERS=workers) as (url, _process):
        post = Post(f"{url}/a")
        post.join(60)
    assert (post.answer, post.problem) == (b"True True True True 0", None)


def test_handler_may_switch_garbage_collection_off(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "off",
        "import gc\nfrom penstock import Result\ndef start(config):\n    gc.disable()\n"
        "def handle(event, context):\n    return Result(f'{gc.isenabled()}'.encode())\n",
    )
    with started(folder) as (url, _process):
        post = Post(f"{url}/a")
        post.join(60)
    assert (post.answer, post.problem) == (b"False", None)


# The end


def test_request_in_flight_is_finished_after_sigterm_and_the_exit_code_is_0(slow: Path) -> None:
    with started(slow) as (url, process):
        post = Post(f"{url}/a")
        wait_until((slow / "working-a").exists)
        process.terminate()
        wait_until(lambda: not accepts(url))
        (slow / "go").touch()
        post.join(60)
        assert (post.answer, post.problem) == (b"work done", None)
        assert process.wait(60) == 0
        assert (slow / "stopped").read_text() == "bye"


def accepts(url: str) -> bool:
    try:
        # Short: a connection that is not accepted any more waits in the kernel's queue.
        with urllib.request.urlopen(f"{url}/_/health", timeout=0.2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_worker_that_drains_says_so_and_still_answers(slow: Path) -> None:
    (slow / "go").touch()
    with started(slow, DRAIN_SECONDS="4") as (url, process):
        process.terminate()
        wait_until(lambda: readiness(url) == 503)
        assert urllib.request.urlopen(urllib.request.Request(f"{url}/late", b"x"), timeout=60).read() == b"x done"
        assert process.wait(60) == 0


# Ends to load only when it was told to end.
LOADING = """
import signal, time
from pathlib import Path

told = []
before = signal.getsignal(signal.SIGTERM)

def tell(number, frame):
    before(number, frame)
    told.append(number)

signal.signal(signal.SIGTERM, tell)
(Path(__file__).parent / "loading").touch()
while not told:
    time.sleep(0.01)

def handle(event, context): ...
"""


def test_worker_that_is_told_to_end_while_it_loads_does_not_drain(slow: Path) -> None:
    (slow / "handler.py").write_text(LOADING)
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.serve", slow, "--host", "127.0.0.1"],
        env={"PATH": os.environ["PATH"], "PORT": str(free_port()), "DRAIN_SECONDS": "3600"},
    )
    try:
        wait_until((slow / "loading").exists)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)


def readiness(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}/_/ready", timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as exc:
        return exc.code


def test_ctrl_c_ends_it_at_once_without_a_trace(slow: Path) -> None:
    with started(slow) as (_, process):
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in stderr


def test_worker_that_dies_is_replaced(slow: Path) -> None:
    (slow / "go").touch()
    with started(slow) as (url, process):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        (worker,) = children.read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        wait_until(lambda: children.read_text().split() not in ([worker], []))
        wait_until_ready(url, process)
        assert urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60).read() == b"x done"


def test_whichever_of_two_workers_is_scraped_answers_for_both_and_for_one_that_died(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "pid",
        "import os\n"
        "from penstock import Result\n"
        "def handle(event, context):\n"
        "    return Result(str(os.getpid()).encode())\n",
    )

    def posted() -> float:
        text = urllib.request.urlopen(f"{url}/metrics", timeout=60).read().decode()
        (line,) = (line for line in text.splitlines() if line.startswith("penstock_requests_total"))
        return float(line.split()[-1])

    with started(folder, WORKERS="2") as (url, process):
        workers: set[str] = set()
        count = 0
        deadline = time.monotonic() + 120
        while len(workers) < 2 or count < 20:
            assert time.monotonic() < deadline, "only one of the workers was ever given a request"
            workers.add(urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60).read().decode())
            count += 1
        assert [posted() for _ in range(20)] == [count] * 20
        died = workers.pop()
        os.kill(int(died), signal.SIGKILL)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: len({*children.read_text().split()} - {died}) == 2)
        wait_until_ready(url, process)
        assert [posted() for _ in range(20)] == [count] * 20


# The start


def test_every_wrong_setting_is_named_at_once_and_the_exit_code_is_78(slow: Path) -> None:
    (slow / "handler.py").write_text(
        "from dataclasses import dataclass\nfrom penstock import option\n"
        "@dataclass(frozen=True)\nclass Options:\n    level: int = option(1, 'x', ge=0, le=3)\n"
        "def handle(event, context): ...\n"
    )
    ended = run(
        slow,
        SOURCE="upload s3://upload/*",
        SINK="s3://processed/{name}",
        MAX_INPUT_BYTES="many",
        ON_SOURCE_REMOVED="burn",
        MINIO_ENDPOINT="ftp://x",
        RENDITIONS="A?b=1",
        OPTION_LEVEL="9",
    )
    assert ended.returncode == 78
    said = "\n".join(messages(ended.stderr))
    for setting in ("SOURCE", "SINK", "MAX_INPUT_BYTES", "ON_SOURCE_REMOVED", "MINIO_ENDPOINT", "RENDITIONS"):
        assert setting in said, setting
    for secret in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        assert f"{secret}: not set" in said
    assert "option level='9'" in said
    assert "Traceback" not in ended.stderr


STORE = {"MINIO_ENDPOINT": "http://127.0.0.1:9", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"OPTION_LEVLE": "1"}, "option 'levle' is unknown"),
        ({"SOURCE": "s3://upload/*"}, "SINK"),
        ({"SOURCE": "s3://upload/*", "SINK": "s3://processed/{key}"}, "MINIO_ENDPOINT"),
        ({"SOURCE": "s3://upload/*", "SINK": "s3://upload/{key}", **STORE}, "an endless loop"),
        ({"WORKERS": "several"}, "WORKERS"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"FUNCTION_NAME": "No Name"}, "FUNCTION_NAME"),
        ({"MINIO_ACCESS_KEY_FILE": "/nonexistent", **STORE, "MINIO_ACCESS_KEY": ""}, "MINIO_ACCESS_KEY_FILE"),
    ],
)
def test_setting_that_cannot_work_ends_it_with_78(slow: Path, settings: Mapping[str, str], says: str) -> None:
    ended = run(slow, **settings)
    assert ended.returncode == 78
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import no_such_library_at_all", "pip install -r"),
        ("def handle(:", "SyntaxError"),
        ("x = 1", "has no function handle"),
    ],
)
def test_handler_that_cannot_work_ends_it_with_78(slow: Path, text: str, says: str) -> None:
    (slow / "handler.py").write_text(text)
    ended = run(slow)
    assert ended.returncode == 78
    assert says in ended.stderr


def test_handler_that_fails_in_one_worker_after_the_other_ends_it_with_78_as_well(slow: Path) -> None:
    (slow / "handler.py").write_text(
        "import pathlib, time\ntry:\n    pathlib.Path(__file__).with_name('first').mkdir()\n"
        "except FileExistsError:\n    time.sleep(0.3)\nimport no_such_library_at_all\n"
    )
    ended = run(slow, WORKERS="3")
    assert ended.returncode == 78
    assert "Traceback" not in ended.stderr


def test_start_hook_that_fails_ends_it_with_its_trace(slow: Path) -> None:
    (slow / "handler.py").write_text("def handle(e, c): ...\ndef start(config): raise OSError('no model file')")
    ended = run(slow)
    assert ended.returncode not in (0, 78)
    assert "OSError: no model file" in ended.stderr
    assert all(json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{"))


def test_folder_that_is_none_is_named(tmp_path: Path) -> None:
    ended = run(tmp_path / "nowhere")
    assert ended.returncode == 78
    assert "no handler.py there" in ended.stderr


def test_port_in_use_is_said_with_the_remedy(slow: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(slow, PORT=port)
    assert ended.returncode == 78
    assert messages(ended.stderr) == [
        f"127.0.0.1:{port}: Address already in use: choose another port with PORT or --port"
    ]


# While it runs


def test_function_writes_nothing_outside_its_temporary_folder(slow: Path, tmp_path: Path) -> None:
    """The image's root is read-only: a folder it may not write to must not stop it."""
    (slow / "handler.py").write_text(
        "from penstock import Result\ndef handle(event, context): return Result(b'x' * 9)\n"
    )
    script = tmp_path / "watch.py"
    script.write_text(
        "import sys, os\n"
        "def watch(event, args):\n"
        "    if event == 'open' and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):\n"
        "        path = os.fspath(args[0]) if not isinstance(args[0], int) else ''\n"
        "        path = path.decode() if isinstance(path, bytes) else path\n"
        "        if path and not path.startswith(('/tmp', '/dev/')): os.write(2, f'WROTE {path}\\n'.encode())\n"
        "sys.addaudithook(watch)\n"
        "sys.argv = ['serve', *sys.argv[1:]]\n"
        "from penstock.serve import main\n"
        "sys.exit(main())\n"
    )
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, script, slow, "--host", "127.0.0.1"],
        env={"PATH": os.environ["PATH"], "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"},
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    wait_until_ready(url, process)
    body = b"y" * 9 * 1024 * 1024  # over what a spool keeps in memory
    assert urllib.request.urlopen(urllib.request.Request(url, body), timeout=60).read() == b"x" * 9
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "WROTE" not in stderr


def test_request_that_breaks_off_leaves_the_worker_well(slow: Path) -> None:
    (slow / "go").touch()
    with served(slow, {}) as function:
        host, port = function.url.removeprefix("http://").split(":")
        for head, status in (
            (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nonly this", b"503"),
            (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly", b"503"),
            (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n", b"503"),
            (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nzz\r\n", b"400"),
            (b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{", b"503"),
            (b"POST /event HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", b"503"),
        ):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head)
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(65536).split(b" ")[1] == status, head
        with urllib.request.urlopen(urllib.request.Request(f"{function.url}/ok", b"x"), timeout=60) as response:
            assert response.read() == b"x done"
        assert not (slow / "working-input").exists()


def test_logs_are_json_lines(slow: Path) -> None:
    (slow / "go").touch()
    (slow / "handler.py").write_text("def handle(event, context): raise RuntimeError('boom')\n")
    with started(slow) as (url, process):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, b"x"), timeout=60)
        process.terminate()
        _, stderr = process.communicate(timeout=60)
    lines = [json.loads(line) for line in stderr.splitlines()]
    assert [line["message"] for line in lines if line["level"] == "error"] == ["unexpected error"]


def test_handler_s_files_of_the_start_hook_are_there(slow: Path) -> None:
    (slow / "go").touch()
    with served(slow, {"FUNCTION_NAME": "given"}):
        assert (slow / "started").read_text() == "given"


def test_name_outside_latin_1_travels_through_gunicorn_both_ways() -> None:
    with served("compress", {}) as function:
        request = urllib.request.Request(f"{function.url}/{quote('猫 日本.csv')}", b"a,b")
        with urllib.request.urlopen(request, timeout=60) as answer:
            _, given = parse_options_header(answer.headers["Content-Disposition"])
    assert given["filename"] == "猫 日本.csv.gz"


def test_folder_for_temporary_files_is_chosen_before_a_volume_can_be_full(tmp_path: Path) -> None:
    """Python passes over a full one when it chooses at the first need, and never comes back to it."""
    folder = written(
        tmp_path / "told",
        "import tempfile\nfrom penstock import Result\n\n"
        "def handle(event, context):\n    return Result(str(tempfile.tempdir).encode())\n",
    )
    (tmp_path / "temporary").mkdir()
    with (
        served(folder, {"TMPDIR": str(tmp_path / "temporary")}) as function,
        urllib.request.urlopen(f"{function.url}/a.txt", b"one") as answer,
    ):
        assert answer.read().decode() == str(tmp_path / "temporary")
