"""The `penstock` command itself: which sub-command, which exit code."""

import importlib

import pytest
from penstock.cli import GROUPS, main


def test_alone_it_lists_every_command_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    for title, commands in GROUPS.items():
        lines = shown.partition(f"{title}:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split("  ")[1] for line in lines] == [command.words for command in commands]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["donnors"], "penstock donors"),
        (["recncile", "compress"], "penstock reconcile"),
        (["kafka"], "penstock connect kafka"),
        (["fax"], "penstock --help lists all"),
    ],
)
def test_unknown_command_is_wrong_usage_and_the_nearest_is_named(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"penstock: unknown command {words[0]!r}; ")
    assert meant in said


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
