"""What commands for objects share: names of objects as they are typed, and the store that is configured."""

import argparse
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from penstock.commands.flags import DEFAULT_DATA
from penstock.commands.written import Sample
from penstock.errors import ConfigError, PenstockError, PermanentError
from penstock.settings.config import StoreSettings, bucket_problem, key_problem
from penstock.settings.environment import load_store_settings
from penstock.store import Store
from penstock.terminal import counted, printable, progress, size_text
from penstock.types import ObjectRef, ObjectState

_MOST_COMPLETED: Final = 200
NO_STORE: Final = (
    "MINIO_ENDPOINT: not set, and no local stack runs on {data}; start one with `penstock up`, or give the server's "
    "URL, for example http://127.0.0.1:9000"
)


class Location(NamedTuple):
    """A bucket and a key, or what keys begin with. The key is raw: `%`, `+` and letters of all scripts as they are."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def names_many(self) -> bool:
        """Whether it stands for a bucket or for a folder, and so not for one object."""
        return not self.key or self.key.endswith("/")

    def below(self, name: str) -> "Location":
        """The place of a name in this folder."""
        return Location(self.bucket, self.key + name)

    def ref(self) -> ObjectRef:
        """The one object that it names; raises `ConfigError` where no object can have this name."""
        if problem := key_problem(self.key):
            raise ConfigError(f"{self}: the key {problem}")
        return ObjectRef(self.bucket, self.key)


def place(text: str) -> Location:
    """`BUCKET/KEY` or `s3://BUCKET/KEY`.

    >>> place("s3://upload/100%+日本.csv")
    Location(bucket='upload', key='100%+日本.csv')
    """
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if problem := bucket_problem(bucket):
        raise argparse.ArgumentTypeError(f"{text!r}: {problem}; write BUCKET/KEY")
    return Location(bucket, key)


def place_argument(parser: argparse.ArgumentParser, name: str, **given: Any) -> None:
    """Add an argument that takes places; a shell completes it with the store's buckets and keys."""
    action = parser.add_argument(name, type=place, **given)
    action.completer = _stored  # type: ignore[attr-defined]  # argcomplete asks for it there


def _stored(prefix: str, parsed_args: argparse.Namespace, **_asked: object) -> list[str]:
    """What may stand there: buckets, or keys up to the next slash. Nothing where the store does not answer."""
    scheme = "s3://" if prefix.startswith("s3://") else ""
    bucket, slash, key = prefix.removeprefix(scheme).partition("/")
    try:
        settings = store_settings(getattr(parsed_args, "data", None) or Path(DEFAULT_DATA), os.environ)
        if not slash:
            from penstock.lake.minio_buckets import Buckets

            return [f"{scheme}{name}/" for name in sorted(Buckets(settings).names())]
        from penstock.store.s3 import S3ObjectStore

        found = islice(S3ObjectStore(settings).list(bucket, key), _MOST_COMPLETED)
        cut = len(key)
        keys = (state.ref.key[:cut] + "".join(state.ref.key[cut:].partition("/")[:2]) for state in found)
        return [f"{scheme}{bucket}/{each}" for each in dict.fromkeys(keys)]
    except PenstockError:
        return []


def store_settings(data: Path, env: Mapping[str, str]) -> StoreSettings:
    """How to reach the store that MINIO_ENDPOINT names, else the local stack's; raises `ConfigError`."""
    if env.get("MINIO_ENDPOINT"):
        return load_store_settings(env)
    from penstock.local.address import kept_address

    settings = kept_address(data)
    if settings is None:
        raise ConfigError(NO_STORE.format(data=data))
    return settings


def open_store(args: argparse.Namespace, env: Mapping[str, str], buckets: Iterable[str]) -> Store:
    """The store that the flags and the environment name; raises `ConfigError`.

    Raises `PermanentError` for one of `buckets` that the local stack does not have: no `penstock lake` makes it there.
    """
    from penstock.store.failures import code_of
    from penstock.store.s3 import S3ObjectStore

    settings = store_settings(args.data, env)
    store = S3ObjectStore(settings)
    if not env.get("MINIO_ENDPOINT"):
        for bucket in dict.fromkeys(buckets):
            try:
                store.check(bucket)
            except PenstockError as exc:
                if code_of(exc.__cause__) != "NoSuchBucket":
                    raise
                raise _no_bucket(bucket, settings) from exc
    return store


def _no_bucket(bucket: str, settings: StoreSettings) -> PermanentError:
    from penstock.lake.minio_buckets import Buckets  # its client takes longer to import than most commands take

    present = ", ".join(sorted(Buckets(settings).names()))
    remedy = "a SOURCE or SINK in its stack file makes one"
    return PermanentError(f"s3://{bucket}/: the local stack has no such bucket, but {present}; {remedy}")


def listed(store: Store, found: Location, patience_seconds: float = 10) -> Iterator[ObjectState]:
    """What the store has below this place, in key order. A store that is silent for so long is named on standard error.

    A request is tried three times, for up to 60 seconds each: without a word that looks like a command that hangs.
    """
    words = f"{found}: the store has not answered for {patience_seconds:g} s; still waiting (Ctrl+C ends it)"
    notice = threading.Timer(patience_seconds, lambda: print(printable(words), file=sys.stderr))
    notice.daemon = True
    notice.start()
    try:
        for state in store.list(found.bucket, found.key):
            notice.cancel()
            yield state
    finally:
        notice.cancel()


def no_object(found: Location) -> PermanentError:
    """The error for a key that is not there."""
    return PermanentError(f"{found}: no such object; see: penstock ls {found.bucket}")


def object_of(
    ref: ObjectRef, args: argparse.Namespace, env: Mapping[str, str], most_bytes: int
) -> tuple[bytes, Sample]:
    """An object's bytes, and what the handler is told of it; raises `PermanentError` for one that is too large."""
    store = open_store(args, env, [ref.bucket])
    state = store.stat(ref)
    if state is None:
        raise no_object(place(str(ref)))
    if state.size > most_bytes:
        raise PermanentError(f"{ref}: has {size_text(state.size)}, and {size_text(most_bytes)} are copied at most")
    opened = store.open(ref, if_etag=state.etag)
    if opened is None:
        raise no_object(place(str(ref)))
    state, chunks = opened
    with progress(ref.key, unit="B", divisor=1024, total=state.size, stays=False) as bar:
        data = b"".join(counted(chunks, bar.advance))
    name = ref.key.rpartition("/")[2] or ref.key
    file = "".join(char if char.isalnum() or char in "._-" else "_" for char in name).lstrip(".") or "object"
    encoding = state.headers.get("content-encoding", "").lower()
    return data, Sample(file[-100:], name, state.content_type, dict(state.metadata), encoding)
