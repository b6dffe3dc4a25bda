"""The help of each command: examples that its parser takes, defaults, and the variables that it reads."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator

import pytest
from penstock.cli import main
from penstock.commands.examples import HELP
from penstock.commands.flags import new_parser
from penstock.commands.reference import arguments, words_after
from penstock.commands.words import COMMANDS, Command

from tests.paths import ROOT

VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\bPORT\b|\bKUBECONFIG\b")
# Words in capitals that are not variables of the command: REGISTRY and TAG are filled into the stack file.
NOT_READ = {"KAFKA_SASL_MECHANISM", "MINIO_SITE_REGION", "REGISTRY"}


def parser_of(command: Command) -> argparse.ArgumentParser:
    parser = new_parser(command.words, command.text)
    importlib.import_module(command.module).add_arguments(parser)
    return parser


def parsers() -> Iterator[tuple[Command, argparse.ArgumentParser]]:
    """Every parser, those of the words after a command too."""
    for command in COMMANDS:
        todo = [parser_of(command)]
        while todo:
            parser = todo.pop()
            yield command, parser
            todo += [own for _, _, own in words_after(parser)]


EXAMPLES = [(command, example) for command in COMMANDS for example in HELP[command.words].examples]


def test_every_command_has_its_help_and_no_other() -> None:
    assert set(HELP) == {command.words for command in COMMANDS}
    assert [words for words, found in HELP.items() if not found.examples] == []


@pytest.mark.parametrize(("command", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_an_example_is_what_its_parser_takes(command: Command, example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [own] = [part.strip() for part in example.split("|") if part.strip().startswith(f"penstock {command.words}")]
    words = shlex.split(own.partition(" > ")[0])[1 + len(command.words.split()) :]
    parser_of(command).parse_args(words)


def test_every_flag_with_a_default_says_it() -> None:
    silent = [
        f"{parser.prog} {action.option_strings[0]}"
        for _, parser in parsers()
        for action in arguments(parser)
        if action.option_strings
        and action.default not in (None, False, "", [], argparse.SUPPRESS)
        and "default" not in (action.help or "")
    ]
    assert silent == []


def test_variables_that_the_help_of_a_flag_names_are_listed() -> None:
    missing = {
        (command.words, name)
        for command, parser in parsers()
        for action in arguments(parser)
        for name in VARIABLE.findall((action.help or "") % {**vars(action), "prog": ""})
        if name not in {each.name for each in HELP[command.words].variables} | NOT_READ
    }
    assert missing == set()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_help_prints_examples_and_variables(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command.words.split(), "--help"])
    shown = capsys.readouterr().out
    assert f"examples:\n  penstock {command.words.split()[0]}" in shown or "examples:\n  penstock donors" in shown
    for variable in HELP[command.words].variables:
        assert f"\n  {variable.name} " in shown


# What lists or reports: the words after the command, "" for the command alone.
REPORTS = [
    *(
        "put",
        "ls",
        "test",
        "reconcile",
        "doctor openfaas",
        "dlq list",
        "dlq show",
        "jobs list",
        "lake plan",
        "lake show",
    ),
    *("listen kafka", "listen mqtt", "listen minio"),
]


@pytest.mark.parametrize("words", REPORTS)
def test_what_lists_or_reports_prints_json_too(words: str) -> None:
    found = [parser for _, parser in parsers() if parser.prog == f"penstock {words}"]
    assert [any("--json" in action.option_strings for action in arguments(parser)) for parser in found] == [True]
