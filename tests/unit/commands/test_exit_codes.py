"""One table of exit codes, printed by the command and by the page."""

from __future__ import annotations

import re

import pytest
from penstock.cli import main
from penstock.commands.exit_codes import EXIT_CODES
from penstock.errors import ConfigError, PenstockError

from tests.paths import DOCS


def of_errors(error: type[PenstockError] = PenstockError) -> set[int]:
    return {error.exit_code}.union(*(of_errors(below) for below in error.__subclasses__()))


def test_every_error_ends_with_a_code_of_the_table() -> None:
    assert of_errors() <= set(EXIT_CODES)
    assert list(EXIT_CODES) == sorted(EXIT_CODES)


def test_page_and_command_print_the_same_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "exit-codes"]) == 0
    shown = {int(code): text for code, text in re.findall(r"^ +(\d+)  (.+)$", capsys.readouterr().out, re.MULTILINE)}
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    told = {int(code): text for code, text in re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)}
    assert shown == told == dict(EXIT_CODES)


def test_help_with_a_command_is_that_commands_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["help", "ls"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: penstock ls ")


def fail(error: Exception) -> object:
    def run(_args: object) -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ConfigError("a: wrong", "b: wrong"), 78, ["penstock new: a: wrong", "penstock new: b: wrong"]),
        (
            KeyError("x\x1b[2J"),
            70,
            [r"""penstock new: a defect of Penstock: KeyError: 'x\x1b[2J'; --debug shows where"""],
        ),
    ],
)
@pytest.mark.parametrize("words", [["new", "name"], ["--debug", "new", "name"], ["new", "--debug", "name"]])
def test_trace_is_shown_where_debug_asks_for_it(
    words: list[str],
    error: Exception,
    code: int,
    says: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("penstock.commands.new.run", fail(error))
    assert main(words) == code
    said = capsys.readouterr().err
    assert said.splitlines()[-len(says) :] == says
    assert ("Traceback" in said) == ("--debug" in words)
    assert "\x1b" not in said


def test_debug_after_two_dashes_is_an_argument_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--", "--debug"]) == 78
    assert "'--debug': a name has" in capsys.readouterr().err
