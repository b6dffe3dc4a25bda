"""The `penstock` command itself: which sub-command, which exit code."""

import importlib

import pytest
from penstock.cli import COMMANDS, main


def test_alone_it_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert [name for name, _, _ in COMMANDS if f"  {name} " not in shown] == []


@pytest.mark.parametrize("words", [["donnors"], ["connect"], ["connect", "fax"]])
def test_unknown_command_is_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert f"{' '.join(words)!r} is no command" in capsys.readouterr().err


def test_control_c_during_the_imports_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert main(["donors"]) == 130
    assert capsys.readouterr().err == ""
