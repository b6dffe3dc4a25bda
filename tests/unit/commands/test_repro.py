"""`penstock repro`: a dead letter becomes a test that fails until the handler takes its object."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
from penstock.local.address import keep_address
from penstock.settings.environment import load_store_settings
from penstock.store.s3 import S3ObjectStore
from penstock.testing import notification
from penstock.types import ObjectRef

from tests.fake_terminal import Terminal
from tests.unit.commands.test_test import HANDLER, STACK, pytest_of

REF = ObjectRef("upload", "x/日本 100%.txt")


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: S3ObjectStore) -> Path:
    """The function's folder, beside an inbox with dead letters: 1 of an object, 2 of nothing."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "functions" / "shout"
    folder.mkdir(parents=True)
    (folder / "handler.py").write_text(HANDLER)
    (tmp_path / "stack.yml").write_text(STACK)
    store.put(REF, [b"bad"], content_type="text/plain", metadata={"origin": "a'b"})
    inbox = Inbox(tmp_path / "inbox.db")
    event = json.dumps(notification(REF.bucket, REF.key)).encode()
    for target, value in (("shout", event), ("shout", b"{}"), ("other", event)):
        message = Message("k", value, {"content-type": "application/json"}, "webhook", target)
        inbox.store_dead_letter(message, 415, "bad\n'''\"\"\"")
    inbox.close()
    return folder


def repro(*words: str) -> int:
    return main(["repro", "--inbox", "inbox.db", *words])


@pytest.mark.long
def test_written_test_fails_until_the_handler_is_mended(folder: Path) -> None:
    assert repro("1", "--yes") == 0
    written = folder / "letter_1_test.py"
    [kept] = (folder / "samples").iterdir()
    assert kept.read_bytes() == b"bad"
    failed = pytest_of(written)
    assert failed.returncode == 1
    assert "UnsupportedInput" in failed.stdout
    (folder / "handler.py").write_text(HANDLER.replace('b"bad"', 'b"worse"'))
    assert pytest_of(written).returncode == 0
    assert repro("1", "--yes") == 78


@pytest.mark.parametrize(("answer", "code", "files"), [("y\n", 0, 2), ("\n", 1, 1)])
def test_data_is_copied_after_a_question(
    folder: Path,
    answer: str,
    code: int,
    files: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert repro("1") == code
    assert f"copy {REF}, 3 B, into " in capsys.readouterr().out
    assert len([path for path in folder.iterdir() if path.name != "samples"]) == files


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["1"], 78, "say --yes to copy it"),
        (["1", "--yes", "--max-bytes", "2"], 65, "has 3 B, and 2 B are copied at most"),
        (["2", "--yes"], 65, "dead letter 2: names no object"),
        (["3", "--yes"], 78, "has no function other; name it with --function (shout)"),
        (["9", "--yes"], 65, "no dead letter 9"),
    ],
)
def test_what_cannot_be_copied_leaves_nothing(
    folder: Path,
    words: list[str],
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert repro(*words) == code
    assert says in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["handler.py"]


def test_object_that_is_gone_is_said(folder: Path, store: S3ObjectStore, capsys: pytest.CaptureFixture[str]) -> None:
    store.delete(REF)
    assert repro("3", "--function", "shout", "--yes") == 65
    assert "no such object" in capsys.readouterr().err


def test_letter_and_object_are_those_of_one_local_stack(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder.parents[1] / "elsewhere"
    data.mkdir()
    Path("inbox.db").rename(data / "inbox.sqlite")
    keep_address(data, load_store_settings(os.environ), Path("stack.yml").rename(data / "stack.yml"))
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.delenv(name)
    (data / "functions").symlink_to(folder.parent)
    assert main(["repro", "1", "--yes", "--data", "elsewhere"]) == 0
    assert (folder / "letter_1_test.py").is_file()
    assert "on the local stack of elsewhere" in capsys.readouterr().err
