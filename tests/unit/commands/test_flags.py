"""The flags that commands share, and argparse where they are and nowhere else."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands import flags
from penstock.commands.words import COMMANDS

from tests.paths import ROOT

PACKAGE = ROOT / "shared" / "penstock"
NOT_TYPED = {
    "__init__",
    "examples",
    "exit_codes",
    "flags",
    "local_stack",
    "objects",
    "output_file",
    "queue_connector",
    "reference",
    "words",
    "written",
}


def test_flags_say_what_is_expected() -> None:
    for read in (flags.duration, flags.moment):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a duration"):
            read("soon")
    assert flags.duration("15s") == 15
    assert flags.moment("2026-01-30T08:00").day == 30


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (flags.port, "65536"),
        (flags.seconds, "0"),
        (flags.seconds, "soon"),
        (flags.row_count, "-1"),
        (flags.whole, "soon"),
    ],
)
def test_a_value_that_cannot_be_is_named(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=repr(text)) as refused:
        read(text)
    assert "expected a" in str(refused.value)


def test_each_word_that_is_typed_has_its_file() -> None:
    files = {path.stem for path in (PACKAGE / "commands").glob("*.py")}
    assert files - NOT_TYPED == {command.words.replace(" ", "_") for command in COMMANDS}


def test_argparse_is_used_by_the_commands_alone() -> None:
    users = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if "argparse" in names:
                users.add(path.relative_to(PACKAGE).parts[0])
    assert users == {"commands"}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("dlq", "list", "--jsno"), "--json"),
        (("dlq", "lst"), "list"),
        (("lake", "aply"), "apply"),
        (("doctor", "openfas"), "openfaas"),
        (("completion", "bsh"), "bash"),
        (("up", "--edition", "rpo"), "pro"),
        (("up", "--prot", "1"), "--port"),
        (("ls", "upload", "--jsno"), "--json"),
        (("up", "--prot=1"), "--port"),
    ],
)
def test_a_flag_that_is_typed_wrong_is_told_which_was_meant(
    words: tuple[str, ...], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert f"did you mean: {meant}" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["--empty=null", "--empty"])
def test_an_option_that_is_typed_as_a_flag_is_told_how_it_is_set(
    typed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["test", str(tmp_path), typed])
    printed = capsys.readouterr().err
    assert printed.endswith("; an option of the function is set before the command: OPTION_EMPTY=... penstock test\n")


def test_the_dashes_that_all_flags_have_do_not_make_two_near(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ls", "upload", "--emtpy"])
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [("sign",), ("donors", "--rows", "x"), ("get",)])
def test_what_is_wrong_in_another_way_has_no_empty_hint(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert "did you mean" not in capsys.readouterr().err


def test_a_flag_that_is_like_no_other_is_only_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ls", "upload", "--qqqqqq"])
    assert "unrecognized arguments: --qqqqqq\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("conect", "kafka"), "connect kafka"),
        (("connect", "kafak"), "connect kafka"),
        (("statsu", "upload/a"), "status"),
        (("kafka",), "connect kafka"),
    ],
)
def test_a_command_that_is_typed_wrong_is_told_which_was_meant(
    words: tuple[str, ...], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert f"did you mean: penstock {meant}\n" in capsys.readouterr().err


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_word_too_many_is_a_mistake_of_the_line(empty: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As a script writes it whose variable has no value."""
    with pytest.raises(SystemExit, match="2"):
        main(["ls", "upload", empty])
    assert "penstock ls: error: unrecognized arguments" in capsys.readouterr().err
