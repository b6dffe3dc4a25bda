"""`penstock rm`: removes objects."""

import argparse
import os
import sys
from collections.abc import Mapping

from penstock.commands.flags import add_store_flags
from penstock.commands.objects import Location, listed, no_object, open_store, place_argument
from penstock.errors import ConfigError
from penstock.store import Store
from penstock.terminal import printable, progress, size_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    place_argument(
        parser, "places", nargs="+", metavar="BUCKET/KEY", help="object; with --recursive what its key begins with"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="every object whose key begins with KEY")
    parser.add_argument("--yes", action="store_true", help="do not ask before --recursive removes")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Remove them; exit code 65 for an object that is not there, 1 when the answer was no."""
    store = open_store(args, env, [found.bucket for found in args.places])
    if args.recursive:
        return max([_all(store, found, yes=args.yes) for found in args.places])
    refs = [found.ref() for found in args.places]
    for ref in refs:
        if store.stat(ref) is None:
            raise no_object(Location(ref.bucket, ref.key))
        store.delete(ref)
        print(printable(f"{ref}  removed"))
    return 0


def _all(store: Store, found: Location, *, yes: bool) -> int:
    states = list(listed(store, found))
    if not states:
        raise no_object(found)
    what = f"{len(states)} objects, {size_text(sum(state.size for state in states))}, below {found}"
    if not yes and not _agreed(what):
        print("nothing was removed")
        return 1
    with progress("rm", unit=" objects", total=len(states), stays=False) as bar:
        for state in states:
            store.delete(state.ref)
            bar.advance()
    print(printable(f"{what}  removed"))
    return 0


def _agreed(what: str) -> bool:
    """Ask at the terminal; raises `ConfigError` where there is none to ask at."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{what}: there is no terminal to ask at; say --yes to remove them")
    print(printable(f"remove {what}? [y/N] "), end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
