"""`penstock dlq`: list, show, replay and drop dead letters, of the Kafka topic or of an inbox file."""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from penstock.commands.flags import add_data_flag, add_kafka_flags, whole
from penstock.commands.local_stack import local_inbox
from penstock.delivery.dead_letters import DeadLetter, DeadLetterStore
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError, PermanentError
from penstock.terminal import columns, json_text, one_line, printable

_COLUMNS = ("ID", "DIED", "TARGET", "CODE", "ORIGIN", "REASON")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    where = argparse.ArgumentParser(add_help=False)
    add_letter_flags(where)
    some = argparse.ArgumentParser(add_help=False)
    some.add_argument("--target", metavar="NAME", help="only those of this target")
    some.add_argument("--code", type=whole, metavar="STATUS", help="only those with this status")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("ids", nargs="*", metavar="ID", help="as `list` shows them")
    named.add_argument("--all", action="store_true", help="all that --target and --code select")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", parents=[where, some], help="one line each, oldest first")
    listing.add_argument("--json", action="store_true", help="one JSON object each, with headers and body")
    show = actions.add_parser("show", parents=[where], help="everything about one of them")
    show.add_argument("id", metavar="ID", help="as `list` shows it")
    show.add_argument("--json", action="store_true", help="print one JSON object, as `list` does")
    actions.add_parser("replay", parents=[where, some, named], help="deliver again to the target that refused")
    actions.add_parser("drop", parents=[where, some, named], help="delete without delivering")


def add_letter_flags(parser: argparse.ArgumentParser, also: str = "") -> None:
    """Add where dead letters are: what `open_dead_letters` reads. `also` says what else is taken from `--data`."""
    parser.add_argument(
        "--inbox",
        type=Path,
        metavar="FILE",
        help="the inbox file of a bridge, or of a connector other than Kafka's",
    )
    parser.add_argument(
        "--dead-letter-topic",
        metavar="TOPIC",
        default="dead-letters",
        help="without --inbox, this Kafka topic (default: %(default)s)",
    )
    add_kafka_flags(parser)
    add_data_flag(parser, f"without --inbox and a Kafka broker: the inbox of the local stack of this folder{also}")


def open_dead_letters(args: argparse.Namespace, env: Mapping[str, str]) -> DeadLetterStore:
    """The store that the flags name; raises `ConfigError`."""
    if args.inbox is not None:
        if not args.inbox.is_file():
            raise ConfigError(f"--inbox {args.inbox}: no such file")
        if not args.inbox.stat().st_size:  # SQLite would make an inbox of it
            raise ConfigError(
                f"--inbox {args.inbox}: is empty and not an inbox; name the file of the bridge or connector"
            )
        return Inbox(args.inbox)
    from penstock.connect.kafka.settings import load_settings, names_brokers

    if not (args.properties or args.set or names_brokers(env)):
        inbox = local_inbox(args.data)
        if inbox is None:
            raise ConfigError(
                "no dead letters are named: give --inbox FILE of a bridge or connector, KAFKA_BROKERS for those of "
                f"Kafka's connector, or --data FOLDER of a local stack ({args.data} has none)"
            )
        return Inbox(inbox)
    settings = load_settings(args.properties, env, args.set)
    from penstock.connect.kafka.dead_letter_log import DeadLetterLog

    return DeadLetterLog(args.dead_letter_topic, settings)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ, out: TextIO | None = None) -> int:
    """Do one action; exit code 65 for an ID that is not there."""
    out = out or sys.stdout
    letters = open_dead_letters(args, env)
    if args.action == "list":
        _list(_selected(letters, args), out, as_json=args.json)
    elif args.action == "show":
        letter = letter_of(letters, args.id)
        if args.json:
            print(json_text(_told(letter)), file=out)
        else:
            _show(letter, out)
    else:
        if not args.ids and not args.all:
            raise ConfigError(f"dlq {args.action}: name IDs, or say --all")
        chosen = [letter.id for letter in _selected(letters, args)]
        if args.ids:
            missing = set(args.ids) - set(chosen)
            if missing:
                raise PermanentError(f"no dead letter {', '.join(sorted(missing))}; see: penstock dlq list")
            chosen = [each for each in chosen if each in args.ids]
        done = letters.replay(chosen) if args.action == "replay" else letters.drop(chosen)
        print(f"{done} {'replayed' if args.action == 'replay' else 'dropped'}", file=out)
    return 0


def _selected(letters: DeadLetterStore, args: argparse.Namespace) -> Iterator[DeadLetter]:
    for letter in letters.read():
        if args.target in (None, letter.message.target) and args.code in (None, letter.code):
            yield letter


def letter_of(letters: DeadLetterStore, wanted: str) -> DeadLetter:
    """The dead letter of this ID; raises `PermanentError` where there is none."""
    for letter in letters.read():
        if letter.id == wanted:
            return letter
    raise PermanentError(f"no dead letter {wanted}; see: penstock dlq list")


def _list(letters: Iterator[DeadLetter], out: TextIO, *, as_json: bool) -> None:
    if as_json:
        for letter in letters:
            print(json_text(_told(letter)), file=out)
        return
    rows = [_COLUMNS]
    for letter in letters:
        origin = letter.message.origin
        origin = origin if len(origin) <= 60 else origin[:57] + "..."
        reason = one_line(letter.reason)
        rows.append((letter.id, _time(letter.died), letter.message.target, str(letter.code), origin, reason))
    for line in columns(rows):
        print(line, file=out)
    if len(rows) == 1:
        print("penstock dlq: none; what is still tried again is not a dead letter yet", file=sys.stderr)


def _told(letter: DeadLetter) -> dict[str, object]:
    message = letter.message
    return {
        "id": letter.id,
        "time": _time(letter.died),
        "target": message.target,
        "code": letter.code,
        "reason": letter.reason,
        "origin": message.origin,
        "headers": dict(message.headers),
        "value": _text(message.value),
        "data": _text(letter.data),
    }


def _show(letter: DeadLetter, out: TextIO) -> None:
    message = letter.message
    for name, value in (
        ("id", letter.id),
        ("died", _time(letter.died)),
        ("target", message.target),
        ("code", str(letter.code)),
        ("reason", one_line(letter.reason)),
        ("origin", message.origin),
        *((f"header {name}", value) for name, value in message.headers.items()),
    ):
        print(printable(f"{name}: {value}"), file=out)
    for title, content in (("last answer", letter.data), ("body", message.value)):
        print(f"\n{title}, {len(content)} bytes:\n{_text(content)}", file=out)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(content: bytes) -> str:
    return printable(content.decode("utf-8", "backslashreplace"), keep="\n\t")
