"""The embedded stack as a user starts it: real processes, the repository's own functions, every byte read back."""

import base64
import gzip
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from PIL import Image

from tests.paths import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.long

PENSTOCK = [sys.executable, "-m", "penstock.cli"]


class Up:
    """`penstock up` as a process of its own."""

    def __init__(self, data: Path, *options: str, folder: Path = ROOT) -> None:
        self.data = data
        # Ports that it takes itself: one that was free a moment ago may be somebody else's by now.
        command = [*PENSTOCK, "up", "--port", "0", "--store-port", "0"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
        self.process = subprocess.Popen(
            [*command, "--data", str(data), *options], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
        )
        self.banner = self._read_banner()
        found = re.search(r"gateway +http://127.0.0.1:(\d+) (?s:.)* store +http://127.0.0.1:(\d+) ", self.banner)
        if found is None:
            self.stop()
            pytest.fail(f"penstock up ended with {self.process.returncode} and said only: {self.banner!r}")
        self.port, self.store_port = int(found[1]), int(found[2])

    def minio(self) -> Minio:
        secret = (self.data / "store-secret").read_text()
        return Minio(
            f"127.0.0.1:{self.store_port}", access_key="penstock", secret_key=secret, secure=False, region="us-east-1"
        )

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        self.minio().put_object(bucket, key, io.BytesIO(body), len(body), content_type=content_type)

    def get(self, bucket: str, key: str) -> bytes | None:
        try:
            return bytes(self.minio().get_object(bucket, key).data)
        except Exception as exc:
            if getattr(exc, "code", "") == "NoSuchKey":
                return None
            raise

    @property
    def login(self) -> dict[str, str]:
        password = (self.data / "password").read_text()
        return {"Authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data=body, method=method, headers=self.login)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        query = urllib.parse.urlencode({"bucket": bucket, "key": key})
        try:
            found: dict[str, Any] = self.ask(f"/function/index/?{query}")
        except urllib.error.HTTPError as exc:
            exc.close()
            if exc.code == 404:
                return None
            raise
        return found

    def state(self) -> Any:
        return self.ask("/ui/state")

    def children(self) -> list[int]:
        listed = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in listed.stdout.split()]

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()

    def _read_banner(self) -> str:
        lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line)
            if "index " in line:
                break
        return "".join(lines)


def photo(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.effect_mandelbrot((width, height), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(name="up", scope="module")
def up_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up"), "--zero-after", "2s")
    yield up
    up.stop()


def test_banner_says_where_everything_is(up: Up) -> None:
    assert f"http://127.0.0.1:{up.port}/ui/" in up.banner
    assert f"http://127.0.0.1:{up.store_port}" in up.banner
    assert "its objects are kept in" in up.banner
    assert (up.data / "store-secret").read_text() in up.banner


def test_csv_is_compressed_and_indexed_and_the_functions_stop_again(up: Up) -> None:
    body = b"email, name, type, birthday, state\n" + b"a@example.com,Ann,A+,1990-01-01,Ohio\n" * 1000
    up.put("upload", "in/donors & co.csv", body, "application/csv")

    target = wait_until(lambda: up.get("processed", "in/donors & co.csv.gz"), "the compressed object")
    assert gzip.decompress(target) == body
    found = wait_until(lambda: up.document("processed", "in/donors & co.csv.gz"), "its entry in the index")
    assert found["csv"]["rows"] == 1000
    assert found["size"] == len(target)
    wait_until(lambda: all(entry["replicas"] == 0 for entry in up.state()["functions"]), "zero processes")
    assert up.children() == []


def beside(up: Up, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that is typed in another terminal while the stack runs."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MINIO_", "ENDPOINT"))}
    command = [*PENSTOCK, *words, "--data", str(up.data)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)


def test_run_and_reconcile_find_the_local_stack_by_themselves(up: Up) -> None:
    csv = b"email,name\na@example.com,A\n" * 50
    up.put("upload", "beside/found.csv", csv, "text/csv")
    wait_until(lambda: up.document("processed", "beside/found.csv.gz"), "the index knows the compressed object")
    up.minio().remove_object("processed", "beside/found.csv.gz")
    assert up.get("processed", "beside/found.csv.gz") is None
    checked = beside(up, "reconcile", "compress", "--check", "--prefix", "beside/")
    assert (checked.returncode, "1 missing" in checked.stdout) == (1, True), checked.stdout + checked.stderr
    ran = beside(up, "run", "compress", "-f", "upload", "-k", "beside/found.csv")
    assert ran.returncode == 0, ran.stderr
    assert f"on the local stack of {up.data}" in ran.stderr
    assert gzip.decompress(up.get("processed", "beside/found.csv.gz") or b"") == csv
    checked = beside(up, "reconcile", "compress", "--check", "--prefix", "beside/")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_image_is_resized(up: Up) -> None:
    up.put("images", "a+b/日本.jpg", photo(1600, 1200), "image/jpeg")
    target = wait_until(lambda: up.get("processed", "a+b/日本.jpg"), "the resized image")
    with Image.open(io.BytesIO(target)) as picture:
        assert picture.width < 1600
        assert picture.width * 3 == picture.height * 4


def test_removed_target_leaves_the_index(up: Up) -> None:
    up.put("upload", "short-lived.csv", b"a,b\n1,2\n")
    wait_until(lambda: up.document("processed", "short-lived.csv.gz"), "its entry in the index")
    up.minio().remove_object("processed", "short-lived.csv.gz")
    wait_until(lambda: up.document("processed", "short-lived.csv.gz") is None, "the entry's removal")


def test_what_cannot_be_processed_becomes_a_dead_letter_that_can_be_replayed(up: Up) -> None:
    up.put("images", "rose.jpg", b"no")
    [letter] = wait_until(lambda: up.state()["dead_letters"], "the dead letter")
    assert letter["function"] == "resize"
    assert "415" in letter["reason"]
    assert up.get("processed", "rose.jpg") is None

    up.put("images", "rose.jpg", photo(40, 30))
    wait_until(lambda: up.get("processed", "rose.jpg"), "the image that replaced it")
    assert up.ask("/ui/replay", "POST", json.dumps({"ids": [letter["id"]]}).encode()) == {"replayed": 1}
    wait_until(lambda: up.state()["pending"] == 0 and up.state()["dead"] == 0, "the replay's end")


@pytest.mark.parametrize("option", ["--port", "--store-port"])
def test_taken_port_is_named_with_the_option_that_changes_it(tmp_path: Path, option: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--port": "0", "--store-port": "0", option: str(port)}
        command = [*PENSTOCK, "up", *(word for pair in ports.items() for word in pair), "--data", str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 78, done.stderr
    assert f"port {port} on 127.0.0.1 is in use; choose another, such as {option} " in done.stderr


def test_interrupt_ends_everything_cleanly(tmp_path: Path) -> None:
    up = Up(tmp_path)
    up.put("upload", "a.csv", b"a,b\n1,2\n")
    children = wait_until(up.children, "a running function")
    assert up.stop() == 0
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_event_survives_a_kill_of_the_stack(tmp_path: Path) -> None:
    """The embedded store forgets its objects with the process, so what arrives after the kill says `removed`."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "functions", project / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    stack = (ROOT / "stack.yml").read_text()
    # A function that cannot start holds its events in the inbox.
    (project / "stack.yml").write_text(
        stack.replace("SINK: s3://processed/{key}.gz", "SINK: s3://processed/{key}.gz\n      OPTION_NONE: '1'")
    )
    up = Up(tmp_path / "data", folder=project)
    up.put("upload", "kept.csv", b"a,b\n1,2\n")
    assert up.state()["pending"] == 1
    up.stop(signal.SIGKILL)

    (project / "stack.yml").write_text(stack)
    again = Up(tmp_path / "data", folder=project)
    calls = wait_until(lambda: again.state()["invocations"], "the event's delivery")
    again.stop()
    assert calls[-1]["object"] == "upload/kept.csv"


def demo(*options: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    return subprocess.run(
        [*PENSTOCK, "demo", *options], cwd=folder, env=env, capture_output=True, text=True, timeout=150
    )


def test_demo_reads_every_output_back_and_ends_at_zero() -> None:
    done = demo("--rows", "5000", "--zero-after", "1s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every output was read back and is right." in done.stdout
    assert "All 3 functions are back at zero" in done.stdout
    rows = [line for line in done.stdout.splitlines() if "  cold  " in line or "  warm  " in line]
    assert len(rows) == 18
    assert done.stdout.count("  ok  ") == 18


def test_demo_fails_when_an_output_is_wrong(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "stack.yml", tmp_path)
    (tmp_path / "functions/compress/handler.py").write_text(
        "import gzip\n"
        "from penstock import Context, Event, Result\n\n\n"
        "def handle(event: Event, context: Context) -> Result:\n"
        "    return Result(gzip.compress(event.body.read()[:-1]), content_type='application/gzip')\n"
    )
    done = demo("--rows", "100", "--zero-after", "1s", folder=tmp_path)
    assert done.returncode == 1
    assert "1 thing went wrong" in done.stdout
    assert "s3://processed/donors.csv.gz: unpacks to" in done.stdout


def test_demo_fails_when_a_function_refuses(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "functions", tmp_path / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    stack = (ROOT / "stack.yml").read_text()
    (tmp_path / "stack.yml").write_text(stack.replace('MAX_INPUT_BYTES: "67108864"', 'MAX_INPUT_BYTES: "50000"'))
    done = demo("--rows", "100", "--zero-after", "1s", "--timeout", "60", folder=tmp_path)
    assert done.returncode == 1
    # Two pictures are too large. Each has one reason, and what would be made of it in the index has none of its own.
    told = done.stdout.partition("went wrong:")[2]
    assert told.count("MAX_INPUT_BYTES is 50000") == 2
    assert [line for line in told.splitlines() if line.startswith("  index on")] == []
    assert "deep field.jpg" in told


@pytest.mark.parametrize("command", ["demo", "up"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_during_the_start_leaves_no_process_and_no_folder(
    command: str, number: signal.Signals, tmp_path: Path
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    data = ["--data", str(tmp_path / "data")] if command == "up" else ["--rows", "50000"]
    process = subprocess.Popen(
        [*PENSTOCK, command, "--port", "0", "--store-port", "0", *data],
        cwd=ROOT,
        env=env | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        kept = tmp_path / "data" if command == "up" else tmp_path
        wait_until(lambda: list(kept.rglob("events-token")), "its folder")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    # Python ends by the signal itself, for a shell the same 130, when it came while a class was being made.
    assert process.returncode in (130, -signal.SIGINT), said
    assert said == ""
    assert command == "up" or list(tmp_path.iterdir()) == []
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True).stdout == ""


def test_demo_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    done = subprocess.run(
        [*PENSTOCK, "demo", "--stack", "none.yml"],
        env=env | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (78, [])
    assert "none.yml: No such file" in done.stderr


def test_objects_and_index_live_and_die_together(tmp_path: Path) -> None:
    """Stopped and started again, the stack has both; with --fresh it has neither."""
    data = tmp_path / "data"
    first = Up(data)
    first.put("upload", "kept.csv", b"a,b\n1,2\n", "text/csv")
    wait_until(lambda: first.document("processed", "kept.csv.gz"), "a document")
    assert first.stop() == 0

    again = Up(data)
    assert again.get("upload", "kept.csv") == b"a,b\n1,2\n"
    assert gzip.decompress(again.get("processed", "kept.csv.gz") or b"") == b"a,b\n1,2\n"
    assert again.document("processed", "kept.csv.gz") is not None
    assert again.stop() == 0

    fresh = Up(data, "--fresh")
    assert fresh.get("upload", "kept.csv") is None
    assert fresh.document("processed", "kept.csv.gz") is None
    assert fresh.stop() == 0


def test_the_stacks_files_are_for_their_owner_only(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    up.put("upload", "a.csv", b"a,b\n1,2\n", "text/csv")
    wait_until(lambda: up.document("processed", "a.csv.gz"), "a document")
    assert up.stop() == 0

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"password", "store-secret", "inbox.sqlite", "index.sqlite", "compress.log"}
    assert [path for path in files if path.stat().st_mode & 0o077] == []
