"""Commands given files and addresses that cannot work: one line that names them, exit code 78, and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.paths import FUNCTIONS

STORE = {"MINIO_ENDPOINT": "http://127.0.0.1:1", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
BRIDGE = ("bridge", "--to", "https://127.0.0.1:1/", "--inbox", "inbox.db")
KAFKA = ("connect", "kafka", "--to", "upload=http://127.0.0.1:1/")
BROKERS = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
RUN = ("run", "compress", "-f", "upload", "-k", "a", "-t", "processed")


def start(folder: Path, command: tuple[str, ...], settings: Mapping[str, str]) -> tuple[int, str]:
    """Run `penstock COMMAND` in `folder`; its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", *command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one function, and files with unexpected contents."""
    (tmp_path / "functions").symlink_to(FUNCTIONS)
    (tmp_path / "latin").write_bytes("functions:\n  \u00e9: 1\n".encode("latin-1"))
    (tmp_path / "lines").write_text("one\ntwo\n")
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "settings", "says"),
    [
        (("serve", "compress", "--stack", "latin"), {}, "latin: not UTF-8 at byte 13; save it as UTF-8"),
        ((*KAFKA, "--properties", "latin"), BROKERS, "--properties latin: not UTF-8 at byte 13"),
        (KAFKA, {**BROKERS, "KAFKA_SASL_PASSWORD_FILE": "latin"}, "KAFKA_SASL_PASSWORD_FILE: latin is not text"),
        (KAFKA, {**BROKERS, "KAFKA_SASL_PASSWORD_FILE": "none"}, "KAFKA_SASL_PASSWORD_FILE=none: no such file"),
        (("up", "--password-file", "latin"), {}, "--password-file: latin is not text"),
        (BRIDGE, {"BRIDGE_TOKEN_FILE": "latin"}, "BRIDGE_TOKEN: latin is not text"),
        (BRIDGE, {"BRIDGE_TOKEN_FILE": "lines"}, "BRIDGE_TOKEN: lines is not one line of text"),
        ((*BRIDGE, "--allow-anonymous", "--ca-file", "lines"), {}, "CA_FILE=lines: holds no certificate"),
        (
            RUN,
            {**STORE, "MINIO_ACCESS_KEY": "", "MINIO_ACCESS_KEY_FILE": "lines"},
            "MINIO_ACCESS_KEY: lines is not one line of text",
        ),
        (("connect", "mqtt", "--to", "a=http://x", "--url", "mqtt://h:port", "--inbox", "i.db"), {}, "MQTT_URL='mqtt:"),
        (("bridge", "--to", "http://h:port/", "--allow-anonymous"), {}, "'http://h:port/': Port could not be cast"),
        (("serve", "compress", "--host", "nowhere.invalid"), {}, "nowhere.invalid: not an address of this machine"),
        (("serve", "compress", "--host", "192.0.2.1"), {}, "192.0.2.1: not an address of this machine"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_file_or_address_that_cannot_work_is_named(
    folder: Path, command: tuple[str, ...], settings: Mapping[str, str], says: str
) -> None:
    code, said = start(folder, command, settings)
    assert code == 78, said
    assert says in said
    assert "Traceback" not in said


def test_bridge_on_a_taken_port_says_how_to_take_another(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = start(folder, (*BRIDGE, "--allow-anonymous", "--listen", address), {})
    assert (code, said.count(f"{address}: Address already in use: choose another port with PORT or --listen")) == (
        78,
        1,
    )


@pytest.mark.parametrize(
    ("option", "says"),
    [("--rows=-5", "expected a whole number of rows"), ("--timeout=-1", "'-1': expected a number of seconds above 0")],
)
def test_demo_refuses_numbers_that_make_no_sense(folder: Path, option: str, says: str) -> None:
    code, said = start(folder, ("demo", option), {})
    assert code == 2
    assert says in said


def test_listen_says_in_words_that_the_store_cannot_be_reached(folder: Path) -> None:
    code, said = start(folder, ("listen", "minio", "upload"), STORE)
    assert code == 75
    assert "MINIO_ENDPOINT=http://127.0.0.1:1: bucket upload: the object store failed: nothing listens there" in said


def test_render_into_what_is_no_folder_is_named(folder: Path) -> None:
    (folder / "stack.yml").write_text((FUNCTIONS.parent / "stack.yml").read_text())
    code, said = start(folder, ("render", "knative", "--output", "lines/x"), {})
    assert code == 78, said
    assert "--output lines/x: cannot be written: Not a directory" in said


def test_new_names_a_stack_file_that_it_cannot_read(folder: Path) -> None:
    (folder / "template").symlink_to(FUNCTIONS.parent / "template")
    (folder / "functions").unlink()
    (folder / "stack.yml").write_bytes((folder / "latin").read_bytes())
    code, said = start(folder, ("new", "shout"), {})
    assert code == 78, said
    assert "stack.yml: not UTF-8 at byte 13" in said
