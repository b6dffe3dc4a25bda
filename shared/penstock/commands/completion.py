"""`penstock completion SHELL`: what a shell needs to complete the words of `penstock` on Tab, and the answer to a Tab.

The shell's function starts `penstock` with `_ARGCOMPLETE` set. Only the module of the command that stands in the line
is imported then.
"""

import argparse
import contextlib
import importlib
import os
from collections.abc import Sequence
from typing import Final

from penstock.commands.words import COMMANDS, Command

SHELLS: Final = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("shell", choices=SHELLS, metavar="bash|zsh|fish", help="the shell to print it for")


def run(args: argparse.Namespace) -> int:
    """Print the shell's function."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["penstock"], shell=args.shell))
    return 0


def answer_tab() -> int:
    """Tell the shell what may come next, and end; returns 1 without argcomplete."""
    with contextlib.suppress(ModuleNotFoundError):
        import argcomplete

        # It looks at the words of COMP_LINE itself; a copy of them only decides which parsers are made.
        typed = os.environ.get("COMP_LINE", "").split()[1:]
        argcomplete.autocomplete(parser_for(typed), always_complete_options="long")
    return 1


def parser_for(typed: Sequence[str]) -> argparse.ArgumentParser:
    """The words of all commands as one parser. Only the command that was typed has its arguments."""
    top = argparse.ArgumentParser(prog="penstock")
    top.add_argument("--version", action="store_true")
    firsts = top.add_subparsers()
    groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for command in COMMANDS:
        first, _, second = command.words.partition(" ")
        if second and first not in groups:
            groups[first] = firsts.add_parser(first).add_subparsers()
        own = (groups[first] if second else firsts).add_parser(second or first, help=command.text)
        if list(typed[: len(command.words.split())]) == command.words.split():
            _fill(own, command)
    helped = firsts.add_parser("help", help="the help of a command, or the exit codes")
    helped.add_argument("word", choices=["exit-codes", *dict.fromkeys(c.words.split()[0] for c in COMMANDS)])
    return top


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    with contextlib.suppress(ModuleNotFoundError):  # an extra that is not installed
        importlib.import_module(command.module).add_arguments(parser)
    parser.add_argument("--debug", action="store_true")
