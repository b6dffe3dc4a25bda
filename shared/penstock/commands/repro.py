"""`penstock repro LETTER`: a dead letter becomes a failing test, with its object beside it."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from penstock import events
from penstock.commands.dlq import add_letter_flags, letter_of, open_dead_letters
from penstock.commands.flags import whole
from penstock.commands.local_stack import beside_local_stack
from penstock.commands.objects import object_of
from penstock.commands.written import call_text, failing_test, how_to_run, identifier, keep
from penstock.delivery.dead_letters import DeadLetter
from penstock.errors import ConfigError, EventError, PermanentError
from penstock.settings.stackfile import FunctionSpec, load_stack
from penstock.terminal import one_line, printable, size_text
from penstock.types import ObjectRef

_MOST_BYTES: Final = 10_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_letter_flags(parser, "; without MINIO_ENDPOINT: its store")
    parser.add_argument("id", metavar="LETTER", help="as `penstock dlq list` shows it")
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="the stack file (default: that of the local stack, else stack.yml)"
    )
    parser.add_argument("--function", metavar="NAME", help="the function in it (default: the letter's target)")
    parser.add_argument(
        "--max-bytes",
        type=whole,
        default=_MOST_BYTES,
        metavar="N",
        help="copy no larger object (default: %(default)s)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before the object is copied")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Write the test; exit code 1 when the answer was no, 65 when the letter or its object is not there."""
    letter = letter_of(open_dead_letters(args, env), args.id)
    env, stack = beside_local_stack(args, env)
    spec = _function(args, letter, stack or Path("stack.yml"), env)
    ref = _object(letter)
    test = spec.handler / f"letter_{identifier(letter.id)}_test.py"
    if test.exists():
        raise ConfigError(f"{test}: is there already; remove it to write it anew")
    data, sample = object_of(ref, args, env, args.max_bytes)
    what = f"{ref}, {size_text(len(data))}, into {spec.handler / 'samples'}"
    if not args.yes and not _agreed(what):
        print("nothing was copied")
        return 1
    config = spec.config()
    sample = sample._replace(file=f"letter_{identifier(letter.id)}_{sample.file}")
    keep(spec.handler / "samples" / sample.file, data)
    call = call_text(sample, config.renditions, config.options)
    keep(test, failing_test(letter.id, one_line(letter.reason), call, config.renditions))
    print(printable(how_to_run(test)))
    return 0


def _function(args: argparse.Namespace, letter: DeadLetter, stack: Path, env: Mapping[str, str]) -> FunctionSpec:
    functions = load_stack(stack, env).functions
    # A connector's target is an address that ends with the function's name; the local stack's is the name.
    name = args.function or letter.message.target.rstrip("/").rpartition("/")[2]
    if name not in functions:
        raise ConfigError(f"{stack}: has no function {name}; name it with --function ({', '.join(functions)})")
    return functions[name]


def _object(letter: DeadLetter) -> ObjectRef:
    try:
        found = events.parse(letter.message.value, letter.message.headers)
    except EventError as exc:
        raise PermanentError(f"dead letter {letter.id}: names no object: {exc}") from exc
    refs = list(dict.fromkeys(each.ref for each in found))
    if len(refs) != 1:
        raise PermanentError(f"dead letter {letter.id}: names {len(refs)} objects, and one is needed")
    return refs[0]


def _agreed(what: str) -> bool:
    """Ask at the terminal; raises `ConfigError` where there is none to ask at."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}: there is no terminal to ask at; say --yes to copy it")
    print(printable(f"copy {what}? [y/N] "), end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
