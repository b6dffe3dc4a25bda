"""`penstock get`: an object becomes a file, or goes to standard output."""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from penstock.commands.flags import add_store_flags
from penstock.commands.objects import Location, listed, no_object, open_store, place_argument
from penstock.commands.output_file import add_force_flag, refuse_to_lose
from penstock.errors import ConfigError, PermanentError
from penstock.store import Store
from penstock.streams import close_quietly
from penstock.terminal import printable, progress, size_text
from penstock.types import ObjectRef

STANDARD_OUTPUT: Final = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    place_argument(parser, "object", metavar="BUCKET/KEY", help="the object; with --recursive what its key begins with")
    parser.add_argument(
        "to", nargs="?", metavar="FILE", help="file or folder to write; - is standard output (default: the key's name)"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="every object whose key begins with KEY")
    add_force_flag(parser)
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Write the files, each whole or not at all; exit code 65 for an object that is not there."""
    store = open_store(args, env, [args.object.bucket])
    if args.recursive:
        if args.to == STANDARD_OUTPUT:
            raise ConfigError("-: several objects cannot go to standard output; name a folder")
        return _all(store, args.object, Path(args.to or "."), force=args.force)
    ref = args.object.ref()
    if args.to == STANDARD_OUTPUT:
        return _copy(store, ref, sys.stdout.buffer)
    target = Path(args.to or ".")
    if target.is_dir():
        target = target / safe_name(ref.key.rpartition("/")[2], ref)
    _write(store, ref, target, force=args.force)
    return 0


def safe_name(name: str, ref: ObjectRef) -> str:
    """A part of a key as a file's path; raises `PermanentError` where it would lead out of the folder."""
    parts = name.split("/")
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise PermanentError(f"{ref}: its key cannot be a file's name; get it alone and name the file")
    return name


def _all(store: Store, found: Location, folder: Path, *, force: bool) -> int:
    cut = found.key.rpartition("/")[0]
    count = 0
    for state in listed(store, found):
        if state.ref.key.endswith("/"):
            continue  # a marker of a folder, without bytes
        name = state.ref.key[len(cut) + 1 :] if cut else state.ref.key
        target = folder / safe_name(name, state.ref)
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(store, state.ref, target, force=force)
        count += 1
    if not count:
        raise no_object(found)
    return 0


def _write(store: Store, ref: ObjectRef, target: Path, *, force: bool) -> None:
    if target.exists() and not target.is_file():
        # It would be replaced: the file is whole, or it is not there.
        raise ConfigError(f"{target}: is there and no file; name another file")
    refuse_to_lose(target, force=force)
    if not target.parent.is_dir():
        raise ConfigError(f"{target.parent}: no such folder")
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".penstock-", delete=False) as file:
        made = Path(file.name)
        try:
            _copy(store, ref, file.file)
            file.close()
            mask = os.umask(0)
            os.umask(mask)
            made.chmod(0o666 & ~mask)
            made.replace(target)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    print(printable(f"{target}  {size_text(target.stat().st_size)}"))


def _copy(store: Store, ref: ObjectRef, out: IO[bytes]) -> int:
    opened = store.open(ref)
    if opened is None:
        raise no_object(Location(ref.bucket, ref.key))
    state, chunks = opened
    try:
        with progress(ref.key, unit="B", divisor=1024, total=state.size, stays=False) as bar:
            for chunk in chunks:
                out.write(chunk)
                bar.advance(len(chunk))
        out.flush()
    finally:
        close_quietly(chunks)
    return 0
