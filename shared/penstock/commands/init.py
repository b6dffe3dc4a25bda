"""`penstock init`: a project of your own, with the three functions to begin with.

What is in its folder stays as it is.
"""

import argparse
from pathlib import Path

from penstock.errors import ConfigError
from penstock.local.project import write_project
from penstock.terminal import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="where to (default: this folder)"
    )


def run(args: argparse.Namespace) -> int:
    """Write stack.yml, functions/ and template/, or nothing; raises `ConfigError` where one of them is already."""
    try:
        parts = write_project(args.folder)
    except OSError as exc:
        raise ConfigError(
            f"{exc.filename or args.folder}: cannot be written: {exc.strerror}; name another folder"
        ) from exc
    print(printable(f"{args.folder.resolve()}: {', '.join(parts)}"))
    print("next: penstock up, and penstock new NAME for a function of your own")
    return 0
