"""Writes docs/commands.md from the parsers: `python -m penstock.commands.reference > docs/commands.md`.

A test compares the page with what this prints, so no flag can be added without it.
"""

import argparse
import importlib
from collections.abc import Iterator

from penstock.commands.examples import HELP
from penstock.commands.exit_codes import EXIT_CODES
from penstock.commands.flags import new_parser
from penstock.commands.words import GROUPS, Command

_HEAD = """# Commands

Made from the parsers by `make docs-reference`; do not edit it by hand. `penstock COMMAND --help` says the same.

`--debug` shows the trace of an error. `NO_COLOR` and an output that is not a terminal turn colours off. Names in
capitals are environment variables: [settings.md](settings.md).

## Exit codes

As in sysexits.h; `penstock help exit-codes` says the same.

| code | meaning |
|---|---|
{codes}
"""


def reference() -> str:
    """The whole page."""
    lines = [_HEAD.format(codes="\n".join(f"| {code} | {text} |" for code, text in EXIT_CODES.items()))]
    for title, commands in GROUPS.items():
        lines.append(f"## {title}\n")
        for command in commands:
            lines += _command(command)
    return "\n".join(lines)


def _command(command: Command) -> Iterator[str]:
    parser = new_parser(command.words, command.text)
    importlib.import_module(command.module).add_arguments(parser)
    yield f"### penstock {command.words}\n"
    yield f"{command.text[0].upper()}{command.text[1:]}.\n"
    found = HELP[command.words]
    yield "\n".join([*(f"    {example}" for example in found.examples), ""])
    if read := [*(f"`{each.name}`" for each in found.variables), *([_plain(found.more)] if found.more else [])]:
        yield f"Reads {', '.join(read)}.\n"
    yield from _flags(parser)
    for name, text, action in words_after(parser):
        yield f"**`penstock {command.words} {name}`**: {text}.\n"
        yield from _flags(action)


def _plain(text: str) -> str:
    """A text of the help as a part of a sentence on a page beside settings.md."""
    return text.replace("docs/settings.md", "[settings.md](settings.md)").replace("${NAME}", "`${NAME}`")


def words_after(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """The words after the command, each with its help text; argparse has no public way to ask for them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, of_it in action.choices.items():
                yield name, texts[name], of_it


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a parser reads, without its help and the words after it."""
    left_out = (argparse._HelpAction, argparse._SubParsersAction)
    return [action for action in parser._actions if not isinstance(action, left_out)]


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table with a row for each argument; nothing for a parser that has none."""
    rows = [f"| {_name(action)} | {_text(action, parser.prog)} |" for action in arguments(parser)]
    if rows:
        yield "\n".join(["| argument | meaning |", "|---|---|", *rows, ""])


def _name(action: argparse.Action) -> str:
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""
    metavar = action.metavar if isinstance(action.metavar, str) else choices or action.dest.upper()
    if not action.option_strings:
        return f"`{metavar}`"
    value = "" if action.nargs == 0 else f" {metavar}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _text(action: argparse.Action, prog: str) -> str:
    text = (action.help or "") % {**vars(action), "prog": prog}
    required = "; required" if action.required and action.option_strings else ""
    return (text + required).replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    print(reference(), end="")
