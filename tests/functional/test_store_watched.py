"""`penstock run` as a person meets it: on a terminal, with a bar, and ended with Ctrl+C."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.local.store.server import EmbeddedStore
from penstock.store.minio_client import connect

from tests.paths import ROOT

SIZE_BYTES = 3 << 20

# Makes the terminal the session's own, so that Ctrl+C there reaches the command that follows.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

ENDLESS = """
import time
from penstock import Context, Event, Result


def handle(event: Event, context: Context) -> Result:
    def chunks():
        yield from event.body
        time.sleep(600)

    return Result(chunks(), content_type="text/csv")
"""


@pytest.fixture
def store() -> Iterator[EmbeddedStore]:
    """An object store with an empty bucket and one with a file."""
    server = EmbeddedStore(
        access_key="tests", secret_key="tests-secret", notify=lambda *_: None, wanted=lambda *_: False
    )
    server.start()
    client = connect(server.settings)
    for bucket in ("upload", "processed"):
        client.make_bucket(bucket)
    client.put_object("upload", "donors.csv", io.BytesIO(bytes(SIZE_BYTES)), SIZE_BYTES)
    yield server
    server.stop()


class Terminal:
    """A command on a terminal of its own, 100 characters wide."""

    def __init__(self, store: EmbeddedStore, function: str) -> None:
        self.shown = ""
        # What one read returns may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        main, side = os.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self._terminal = main
        environment = {
            "PATH": os.environ["PATH"],
            "ENDPOINT": store.settings.endpoint.removeprefix("http://"),
            "ACCESS_KEY_ID": "tests",
            "ACCESS_KEY_SECRET": "tests-secret",
        }
        words = ["run", function, "-f=upload", "-k=donors.csv", "-t=processed"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, "-m", "penstock.cli", *words],
            stdin=side,
            stdout=side,
            stderr=side,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(side)

    def read_until(self, text: str) -> None:
        """Read until the command has shown `text`, or has ended."""
        while text not in self.shown:
            try:
                found = os.read(self._terminal, 4096)
            except OSError:  # what Linux says when nobody holds the other side any more
                return
            self.shown += self._decoder.decode(found)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def exit_code(self) -> int:
        self.read_until("no command shows this")
        os.close(self._terminal)
        return self._process.wait()


def targets(store: EmbeddedStore) -> list[str | None]:
    return [found.object_name for found in connect(store.settings).list_objects("processed", recursive=True)]


def test_a_bar_follows_the_bytes_to_the_last(store: EmbeddedStore) -> None:
    terminal = Terminal(store, "compress")
    assert terminal.exit_code() == 0
    assert "donors.csv: 100%" in terminal.shown
    assert "3.00M/3.00M" in terminal.shown
    assert '"outcome": "processed"' in terminal.shown
    assert targets(store) == ["donors.csv.gz"]


def test_ctrl_c_ends_it_at_once_without_a_traceback_or_a_target(store: EmbeddedStore, tmp_path: Path) -> None:
    (tmp_path / "endless").mkdir()
    (tmp_path / "endless" / "handler.py").write_text(ENDLESS)
    terminal = Terminal(store, str(tmp_path / "endless"))
    terminal.read_until("3.00M")
    terminal.type("\x03")
    assert terminal.exit_code() == 130
    assert "Traceback" not in terminal.shown
    assert targets(store) == []
