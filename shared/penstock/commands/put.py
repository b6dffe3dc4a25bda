"""`penstock put`: files, or standard input, become objects."""

import argparse
import contextlib
import mimetypes
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from penstock.commands.flags import add_store_flags
from penstock.commands.objects import open_store, place_argument
from penstock.errors import ConfigError
from penstock.process.signals import interruptible
from penstock.store import Store
from penstock.streams import read_chunks
from penstock.terminal import counted, json_text, printable, progress, size_text
from penstock.types import ObjectRef, ObjectState

STANDARD_INPUT: Final = "-"
_BYTES: Final = "application/octet-stream"
# The end of a file's name says how it is compressed. As Content-Encoding it would make readers undo that on the way.
_COMPRESSED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="file to store; - is standard input")
    place_argument(
        parser, "to", metavar="BUCKET/KEY", help="the object; a name that ends with / is a folder for the files"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="store what is in folders, too")
    parser.add_argument(
        "--content-type", metavar="TYPE", help="content type of the objects (default: by the end of the name)"
    )
    parser.add_argument(
        "--metadata", action="append", default=[], metavar="NAME=VALUE", help="user metadata of the objects; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each object")
    add_store_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Store all of them, each whole or not at all; raises `ConfigError` for a wrong name before the first one."""
    metadata = _metadata(args.metadata)
    files = list(_files(args.files, recursive=args.recursive))
    if len(files) != 1 and not args.to.names_many:
        raise ConfigError(f"{args.to}: {len(files)} files cannot have one name; end it with /")
    chosen = [(path, args.to.below(name) if args.to.names_many else args.to) for path, name in files]
    refs = [(path, target.ref()) for path, target in chosen]
    store = open_store(args, env, [args.to.bucket])
    for path, ref in refs:
        content_type = args.content_type or content_type_of(ref.key)
        with (
            _opened(path) as (stream, total),
            progress(ref.key, unit="B", divisor=1024, total=total, stays=False) as bar,
        ):
            chunks = counted(read_chunks(stream), bar.advance)
            state = _stored(store, ref, chunks, content_type=content_type, metadata=metadata)
        if args.json:
            told = {"bucket": ref.bucket, "key": ref.key, "size": state.size, "content_type": content_type}
            print(json_text(told))
        else:
            print(printable(f"{ref}  {size_text(state.size)}"))
    return 0


def content_type_of(name: str) -> str:
    """What the end of a name says of the content.

    >>> content_type_of("a.csv"), content_type_of("a.csv.gz"), content_type_of("a")
    ('text/csv', 'application/gzip', 'application/octet-stream')
    """
    guessed, encoding = mimetypes.guess_type(f"/{name}", strict=False)
    if encoding:
        return _COMPRESSED.get(encoding, _BYTES)
    return guessed or _BYTES


def _files(given: Sequence[str], *, recursive: bool) -> Iterator[tuple[Path | None, str]]:
    """Each file and its name below the target; None stands for standard input. Raises `ConfigError`."""
    for text in given:
        path = Path(text)
        if text == STANDARD_INPUT:
            yield None, ""
        elif path.is_dir():
            if not recursive:
                raise ConfigError(f"{text}: is a folder; store what is in it with --recursive")
            top = path.resolve()
            for inner in sorted(inner for inner in path.rglob("*") if inner.is_file()):
                yield inner, f"{top.name}/{inner.relative_to(path).as_posix()}" if top.name else inner.name
        elif path.exists():
            yield path, path.name
        else:
            raise ConfigError(f"{text}: no such file")


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[tuple[BinaryIO, int | None]]:
    """The file and its size in bytes, None where that is not known before its end."""
    if path is None:
        yield sys.stdin.buffer, None
        return
    try:
        stream = path.open("rb")
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    with stream:
        yield stream, path.stat().st_size if path.is_file() else None


def _stored(
    store: Store, ref: ObjectRef, chunks: Iterable[bytes], *, content_type: str, metadata: Mapping[str, str]
) -> ObjectState:
    def put(go_on: Callable[[], None]) -> ObjectState:
        return store.put(ref, _while(go_on, chunks), content_type=content_type, metadata=metadata)

    return interruptible(put)


def _while(go_on: Callable[[], None], chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, until `go_on` raises: the upload in parts is then aborted."""
    for chunk in chunks:
        go_on()
        yield chunk


def _metadata(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ConfigError(f"--metadata {text}: expected NAME=VALUE")
        found[name.lower()] = value
    return found
