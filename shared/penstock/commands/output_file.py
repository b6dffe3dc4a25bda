"""The file that a command writes where its user says: what is there is written over with `--force` only.

A file that the same command made before is written anew without `--force`. The first bytes of the file show that.
"""

import argparse
from pathlib import Path

from penstock.errors import ConfigError


def add_force_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--force`, which `refuse_to_lose` is told of."""
    parser.add_argument("--force", action="store_true", help="write over files that are there")


def refuse_to_lose(path: Path, *, force: bool, own: bytes = b"") -> None:
    """Raise `ConfigError` for a file in the way; `own` is how a file begins that this command has made.

    A device or a named pipe holds nothing that could be lost.
    """
    if force or not path.is_file():
        return
    try:
        with path.open("rb") as file:
            is_own = bool(own) and file.read(len(own)) == own
    except OSError as exc:
        raise ConfigError(f"{path}: is there already and cannot be read: {exc.strerror}; name another file") from exc
    if not is_own:
        raise ConfigError(f"{path}: is there already; write over it with --force, or name another file")
