"""`penstock ls`: objects by what their keys begin with, in key order."""

import argparse
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice

from penstock.commands.flags import add_store_flags, whole
from penstock.commands.objects import listed, open_store, place_argument
from penstock.errors import ConfigError
from penstock.terminal import json_text, printable, size_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    place_argument(parser, "place", metavar="BUCKET/PREFIX", help="bucket, and what the keys begin with")
    parser.add_argument("--limit", type=whole, metavar="N", help="at most so many objects (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each object")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Print one line for each object as the listing goes on; no object at all is not an error."""
    if args.limit is not None and args.limit < 1:
        raise ConfigError(f"--limit {args.limit}: expected a whole number of at least 1")
    store = open_store(args, env, [args.place.bucket])
    for state in islice(listed(store, args.place), args.limit):
        moment = _time(state.last_modified)
        if args.json:
            ref = state.ref
            told = {"bucket": ref.bucket, "key": ref.key, "size": state.size, "etag": state.etag, "modified": moment}
            print(json_text(told))
        else:
            print(printable(f"{moment:<20}  {size_text(state.size):>9}  {state.ref.key}"))
    return 0


def _time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else ""
