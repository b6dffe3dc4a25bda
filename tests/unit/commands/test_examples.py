"""The help of each command: examples that its parser takes, defaults, and the variables that it reads."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from penstock.cli import main
from penstock.commands.examples import HELP
from penstock.commands.flags import new_parser
from penstock.commands.queue_connector import run_queue_connector
from penstock.commands.reference import arguments, words_after
from penstock.commands.words import COMMANDS, Command
from penstock.connect.bridge.settings import load_bridge_config
from penstock.errors import ConfigError
from penstock.settings.environment import load_store_settings
from penstock.settings.every_setting import SETTINGS

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


# The parts of the table of settings that a command reads as a whole.
PARTS: dict[str, set[str]] = {
    "run": {"run"},
    "bridge": {"bridge", "delivery"},
    **{f"connect {name}": {name, "gateway", "delivery"} for name in ("amqp", "kafka", "mqtt", "nats", "redis", "sqs")},
    "jobs": {"watcher"},
    "console": {"console"},
}


@pytest.mark.parametrize("words", PARTS)
def test_the_whole_part_of_the_table_that_a_command_reads_is_listed(words: str) -> None:
    listed = {each.name for each in HELP[words].variables}
    assert {each.name for each in SETTINGS if each.component in PARTS[words]} - listed == set()


class Recorded(dict[str, str]):
    """An environment that keeps which of its names were asked for."""

    def __init__(self, **given: str) -> None:
        super().__init__(given)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def not_listed(self, words: str) -> set[str]:
        """What was asked for and is not in the help; NAME_FILE goes with a NAME that is a secret."""
        listed = {each.name for each in HELP[words].variables}
        return self.asked - listed - {f"{each.name}_FILE" for each in HELP[words].variables if each.is_secret}


def refuse(*_parts: object, **_how: object) -> NoReturn:
    raise ConfigError("read enough")


READS_THE_STORE = ("up", "demo", "run", "test", "watch", "repro", "listen", "put", "get", "ls", "rm", "reconcile")


@pytest.mark.parametrize("words", [*READS_THE_STORE, "serve", "lake", "status", "console", "doctor"])
@pytest.mark.parametrize("keys", [{"MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}, {}])
def test_what_is_asked_for_to_reach_the_store_is_listed(words: str, keys: dict[str, str], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    web = {} if keys else {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    env = Recorded(MINIO_ENDPOINT="http://127.0.0.1:1", **keys, **web)
    load_store_settings(env)
    assert env.not_listed(words) == set()


@pytest.mark.parametrize("words", [words for words in PARTS if words.startswith("connect ")])
def test_what_a_connector_asks_for_is_listed(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [command] = [command for command in COMMANDS if command.words == words]
    module = importlib.import_module(command.module)
    args = parser_of(command).parse_args(["--gateway", "http://127.0.0.1:1"])
    env = Recorded(KAFKA_BROKERS="127.0.0.1:1")
    if words == "connect kafka":
        monkeypatch.setattr("penstock.connect.kafka.connector.Connector", refuse)
        assert module.run(args, env) == ConfigError.exit_code
    else:
        monkeypatch.setattr("penstock.commands.queue_connector.Inbox", lambda path: path)
        assert run_queue_connector(args, env, refuse) == ConfigError.exit_code
    assert {"ATTEMPTS", "BASIC_AUTH_PASSWORD"} <= env.asked
    assert env.not_listed(words) == set()


def test_what_the_bridge_asks_for_is_listed() -> None:
    [command] = [command for command in COMMANDS if command.words == "bridge"]
    env = Recorded(OUTCOME_URLS="http://127.0.0.1:1/", K_SINK="http://127.0.0.1:1/")
    load_bridge_config(parser_of(command).parse_args(["--allow-anonymous"]), env)
    assert {"K_SINK", "ATTEMPTS", "OUTCOME_URLS"} <= env.asked
    assert env.not_listed("bridge") == set()


@pytest.mark.parametrize("words", ["serve", "run", "reconcile", "status"])
def test_help_of_what_runs_a_function_says_where_its_other_settings_are(words: str) -> None:
    assert "docs/settings.md" in HELP[words].text


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
