"""A command that takes longer than a second shows on a terminal how far it is, and nothing of it elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.fake_terminal import Terminal
from tests.paths import ROOT


@pytest.fixture(autouse=True)
def filled(store: S3ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here.txt").write_text("12345")
    for key in ("a", "x/1", "x/2"):
        store.put(ObjectRef("upload", key), [b"12345"], content_type="text/plain", metadata={})


COMMANDS = [
    (("put", "here.txt", "upload/here.txt"), "here.txt"),
    (("get", "upload/a", "there.txt"), "a"),
    (("rm", "-r", "upload/x/", "--yes"), "rm"),
    (("donors", "--rows", "10", "--output", "donors.csv"), ""),
    (("doctor",), "doctor"),
    (("test", str(ROOT / "functions" / "compress"), "here.txt"), "here.txt"),
    (("test", str(ROOT / "functions" / "compress"), "s3://upload/x/1"), "x/1"),  # fetched, which repro does too
]


@pytest.mark.parametrize(("words", "label"), COMMANDS, ids=lambda each: each[0] if isinstance(each, tuple) else None)
def test_a_terminal_is_told_how_far_a_command_is(
    words: tuple[str, ...], label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    main(words)
    assert f"\r{label}" in shown.getvalue()
    assert "/s]" in shown.getvalue()


@pytest.mark.parametrize(("words", "label"), COMMANDS, ids=lambda each: each[0] if isinstance(each, tuple) else None)
def test_a_file_holds_no_bars(words: tuple[str, ...], label: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(words)
    told = capsys.readouterr()
    assert "/s]" not in told.err + told.out
