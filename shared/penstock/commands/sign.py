"""`penstock sign BUCKET/KEY`: a URL that opens one object through a function, for browsers."""

import argparse
import os
import time

from penstock.commands.objects import place_argument
from penstock.errors import ConfigError, EventError
from penstock.settings.durations import parse_duration
from penstock.settings.secrets import read_secret


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    place_argument(parser, "object", metavar="BUCKET/KEY", help="the object to open")
    parser.add_argument(
        "--url", default="", metavar="URL", help="the function's address (default: print the path only)"
    )
    parser.add_argument(
        "--for", dest="duration", default="1h", metavar="TIME", help="how long it is valid (default: %(default)s)"
    )
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the function, or rendition"
    )


def run(args: argparse.Namespace) -> int:
    """Print the URL, signed with the first key in SIGNED_URL_KEY; raises `ConfigError`."""
    from penstock.serving.signed_urls import signed_path

    keys = read_secret(os.environ, "SIGNED_URL_KEY").split()
    if not keys:
        raise ConfigError("SIGNED_URL_KEY: not set; set the function's key, or SIGNED_URL_KEY_FILE")
    pairs = [given.partition("=") for given in args.option]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise ConfigError(f"--option {wrong[0]!r}: expected NAME=VALUE")
    options = {name: value for name, _, value in pairs}
    if len(options) < len(pairs):
        raise ConfigError("--option: a name is given twice; give it once")
    try:
        seconds = parse_duration(args.duration)
    except ValueError as exc:
        raise ConfigError(f"--for {exc}") from exc
    try:
        path = signed_path(keys[0], args.object.ref(), options, int(time.time() + seconds))
    except EventError as exc:
        raise ConfigError(str(exc)) from exc
    print(args.url.rstrip("/") + path)
    return 0
