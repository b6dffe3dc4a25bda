"""Ctrl+C ends every command, also while it waits for a server that takes connections and never answers."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from penstock.commands.exit_codes import INTERRUPTED
from penstock.commands.words import COMMANDS

from tests.components.process import free_ports
from tests.paths import ROOT
from tests.waiting import Wait

DONE = 0
FUNCTION = {"SOURCE": "s3://upload/*.csv", "SINK": "s3://processed/{key}.gz"}
LISTEN = "--listen 127.0.0.1:0"
# What is typed, and the exit code after Ctrl+C. HOST is the silent server, DIR a folder of the test, PORT a free port.
# What runs until it is stopped ends with 0, and `watch` too unless a server holds its end up. The rest is broken off.
TYPED: dict[str, int] = {
    "put /etc/hostname upload/k": INTERRUPTED,
    "put - upload/k": INTERRUPTED,
    "get upload/k": INTERRUPTED,
    "ls upload/": INTERRUPTED,
    "rm upload/k": INTERRUPTED,
    "reconcile compress --stack DIR/stack.yml": INTERRUPTED,
    "status s3://upload/k.csv --stack DIR/stack.yml": INTERRUPTED,
    "run compress -f upload -k k.csv": INTERRUPTED,
    "test compress s3://upload/k.csv": INTERRUPTED,
    "doctor": INTERRUPTED,
    "lake plan --file DIR/lake.yml": INTERRUPTED,
    "jobs list --kubeconfig DIR/kubeconfig": INTERRUPTED,
    "jobs watch --kubeconfig DIR/kubeconfig --dead-letter-to http://HOST": INTERRUPTED,
    "watch s3://upload/* --to http://HOST/x --state DIR/watch.db " + LISTEN: INTERRUPTED,
    "dlq list --set bootstrap.servers=HOST": INTERRUPTED,
    "repro 1 --set bootstrap.servers=HOST": INTERRUPTED,
    "listen kafka t --set bootstrap.servers=HOST": DONE,
    "listen mqtt t --url mqtt://HOST": DONE,
    "listen minio upload": DONE,
    f"connect kafka --to t=http://HOST --set bootstrap.servers=HOST {LISTEN}": DONE,
    f"connect kafka --gateway http://HOST --set bootstrap.servers=HOST {LISTEN}": DONE,
    f"connect mqtt --to t=http://HOST --url mqtt://HOST --inbox DIR/inbox.db {LISTEN}": DONE,
    f"connect nats --to t=http://HOST --url nats://HOST --inbox DIR/inbox.db {LISTEN}": DONE,
    f"connect redis --to t=http://HOST --url redis://HOST --inbox DIR/inbox.db {LISTEN}": DONE,
    f"connect amqp --to t=http://HOST --url amqp://HOST --inbox DIR/inbox.db {LISTEN}": DONE,
    f"connect sqs --to t=http://HOST --url http://HOST --inbox DIR/inbox.db {LISTEN}": DONE,
    "console --gateway http://HOST --port PORT": DONE,
    "console --kubernetes --kubeconfig DIR/kubeconfig --port PORT": DONE,
}
# These ask no server before a request comes.
LISTENING = (
    "bridge --to http://HOST --allow-anonymous --inbox DIR/inbox.db --listen 127.0.0.1:PORT",
    "serve compress --port PORT",
)
# These have a test of their own, since what they wait for is another thing than a server that is silent.
ELSEWHERE = {
    "up": "tests/e2e/test_stopping.py",
    "demo": "tests/e2e/test_demo_open.py",
    "donors": "tests/unit/local/demo/test_donors.py",
}
# These ask no server: they end by themselves.
AT_ONCE = {"init", "new", "completion", "sign", "render", "graph"}


@pytest.fixture(name="silent")
def silent_fixture() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def write_project(folder: Path, host: str) -> None:
    (folder / "stack.yml").write_text(
        f"functions:\n  compress:\n    handler: {ROOT}/functions/compress\n"
        "    environment: {SOURCE: 's3://upload/*.csv', SINK: 's3://processed/{key}.gz'}\n"
    )
    (folder / "lake.yml").write_text("name: lake\nbuckets: {upload: {}}\n")
    (folder / "kubeconfig").write_text(
        "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u, namespace: lake}}]\n"
        f"clusters: [{{name: c, cluster: {{server: 'http://{host}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"
    )


class Typed:
    """A command that runs: its process, and what it has printed."""

    def __init__(self, typed: str, host: str, folder: Path) -> None:
        write_project(folder, host)
        self.port = free_ports(1)[0]
        words = typed.replace("HOST", host).replace("DIR", str(folder)).replace("PORT", str(self.port)).split()
        store = {"MINIO_ENDPOINT": f"http://{host}", "MINIO_ACCESS_KEY": "user", "MINIO_SECRET_KEY": "password"}
        queue = {"SQS_ACCESS_KEY": "user", "SQS_SECRET_KEY": "password"}
        self.file = folder / "said"
        with self.file.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "penstock.cli", *words], cwd=ROOT, env=os.environ | FUNCTION | store | queue,
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.file.read_text()

    def until(self, met: Callable[[], bool]) -> None:
        wait = Wait(180)
        while not wait.holds(met):
            assert self.process.poll() is None, self.said
            assert not wait.is_over(), self.said
            time.sleep(0.05)

    def listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def check_end(self, code: int) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(180) == code, self.said
        assert "Traceback" not in self.said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.long
@pytest.mark.parametrize("typed", TYPED)
def test_ctrl_c_ends_it_while_a_server_is_silent(typed: str, silent: socket.socket, tmp_path: Path) -> None:
    command = Typed(typed, f"127.0.0.1:{silent.getsockname()[1]}", tmp_path)
    try:
        command.until(lambda: select.select([silent], [], [], 0)[0] != [])
        with silent.accept()[0] as connection:
            connection.settimeout(30)
            if not typed.startswith("connect nats"):  # where the server speaks first
                assert connection.recv(1)  # it has asked, and waits
            if typed.startswith("connect kafka"):  # its clients ask before all of it is there
                command.until(lambda: "asking the brokers" in command.said)
            command.check_end(TYPED[typed])
    finally:
        command.kill()


@pytest.mark.parametrize("typed", LISTENING)
def test_ctrl_c_ends_what_listens(typed: str, tmp_path: Path) -> None:
    command = Typed(typed, "127.0.0.1:9", tmp_path)
    try:
        command.until(command.listens)
        command.check_end(DONE)
    finally:
        command.kill()


def test_every_command_is_in_a_table() -> None:
    names = [command.words for command in COMMANDS]
    typed = [*TYPED, *LISTENING]
    told = {name for name in names if any(f"{each} ".startswith(f"{name} ") for each in typed)}
    assert told | set(ELSEWHERE) | AT_ONCE == set(names)
    assert not told & (set(ELSEWHERE) | AT_ONCE)
    for name, path in ELSEWHERE.items():
        assert (ROOT / path).exists(), name
