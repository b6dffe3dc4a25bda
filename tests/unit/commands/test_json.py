"""Everything that lists or reports says it as JSON too, so that a script need not read columns."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator

from penstock.commands.reference import arguments, words_after
from penstock.commands.words import COMMANDS

# Why a command has no --json. What is not here and has none fails the test, and so does a reason that is not needed.
_LOG = "it runs until it is stopped, and what it prints is its log"
_ANSWER = "its output is what was asked for, ready for a program"
_ACTS = "it does something; the exit code says whether it was done"
REASONS = {
    "up": _LOG,
    "serve": _LOG,
    "bridge": _LOG,
    "connect amqp": _LOG,
    "connect kafka": _LOG,
    "connect mqtt": _LOG,
    "connect nats": _LOG,
    "connect redis": _LOG,
    "connect sqs": _LOG,
    "watch": _LOG,
    "console": _LOG,
    "jobs watch": _LOG,
    "run": "it always prints JSON",
    "graph": _ANSWER,
    "sign": _ANSWER,
    "completion": _ANSWER,
    "get": _ANSWER,
    "donors": _ANSWER,
    "init": _ACTS,
    "new": _ACTS,
    "repro": _ACTS,
    "rm": _ACTS,
    "dlq replay": _ACTS,
    "dlq drop": _ACTS,
    "jobs clean": _ACTS,
    "lake apply": _ACTS,
    "lake remove": _ACTS,
}


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command, or each of the words after it, with the parser that reads its flags."""
    for command in COMMANDS:
        parser = argparse.ArgumentParser()
        importlib.import_module(command.module).add_arguments(parser)
        inner = list(words_after(parser))
        if not inner:
            yield command.words, parser
        for name, _text, action in inner:
            yield f"{command.words} {name}", action


def test_what_lists_or_reports_has_a_flag_for_json() -> None:
    without = {
        words
        for words, parser in parsers()
        if not any("--json" in argument.option_strings for argument in arguments(parser))
    }
    assert without - REASONS.keys() == set(), "add --json, or say why it has none"
    known = {words for words, _ in parsers()}
    assert (REASONS.keys() & known) - without == set(), "these have --json now: remove their reasons"
