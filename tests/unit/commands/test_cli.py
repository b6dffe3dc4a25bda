"""The `penstock` command itself: which sub-command, which exit code."""

import importlib

import pytest
from penstock.cli import COMMANDS, main


def test_alone_it_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert [name for name, _, _ in COMMANDS if f"  {name} " not in shown] == []


@pytest.mark.parametrize("words", [["donnors"], ["connects", "fax"]])
def test_unknown_command_is_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert f"unknown command {' '.join(words)!r}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["connect"], ["connect", "fax"]])
def test_command_of_two_words_names_the_second_ones(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == "usage: penstock connect {kafka,mqtt} [options]\n"


def test_help_for_a_command_of_two_words_is_no_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connect", "--help"]) == 0
    assert capsys.readouterr().out == "usage: penstock connect {kafka,mqtt} [options]\n"


def test_control_c_during_the_imports_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert main(["donors"]) == 130
    assert capsys.readouterr().err == ""
