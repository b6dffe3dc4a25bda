"""Keeps the local store's objects in a folder, so that a stack that starts again has what it had.

One object is a file of bytes and a JSON file beside it, which names the first. The JSON file is renamed into place
last, so a process that is killed in between leaves the object as it was. The current version is kept, with its metadata
and its ETag. Older versions, tags, access lists and other settings of a bucket are not.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from penstock.errors import ConfigError
from penstock.json_text import read_json
from penstock.types import ObjectRef

MAX_BYTES: Final = 10 * 1024**3


@dataclass(frozen=True, slots=True)
class KeptObject:
    """What the JSON file says. `modified` and `modified_ns` are since the epoch, in seconds and nanoseconds."""

    bucket: str
    key: str
    file: str
    size: int
    etag: str
    metadata: Mapping[str, str]
    modified: float
    modified_ns: int

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.bucket, self.key)


class StoreFull(Exception):
    """The objects would take more than the folder may hold."""


class ObjectFolder:
    """Objects below `path`, at most `max_bytes` in all. Only one process may use it; the stack's inbox sees to that."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._sizes: dict[ObjectRef, int] = {}
        self._held = 0

    def check(self, ref: ObjectRef, size: int) -> None:
        """Raise `StoreFull` when an object of `size` bytes would not fit in the place of the one that is there."""
        if self._held - self._sizes.get(ref, 0) + size > self._max_bytes:
            raise StoreFull(
                f"the local store keeps at most {self._max_bytes} bytes; delete objects, or start it with --fresh"
            )

    def add_bucket(self, name: str) -> None:
        (self._path / name).mkdir(parents=True, exist_ok=True)

    def remove_bucket(self, name: str) -> None:
        shutil.rmtree(self._path / name, ignore_errors=True)

    def buckets(self) -> list[str]:
        return sorted(each.name for each in self._path.iterdir() if each.is_dir()) if self._path.is_dir() else []

    def save(self, kept: KeptObject, body: BinaryIO) -> None:
        """Keep an object, in the place of the one under its name; `kept.file` is chosen here."""
        folder = self._path / kept.bucket
        folder.mkdir(parents=True, exist_ok=True)
        record = self._record(kept.ref)
        before = _read(record)
        name = f"{uuid.uuid4().hex}.data"
        body.seek(0)
        with (folder / name).open("wb") as file:
            shutil.copyfileobj(body, file, 1024 * 1024)
        written = record.with_suffix(".part")
        written.write_text(json.dumps({**asdict(kept), "file": name}), encoding="utf-8")
        written.replace(record)
        if before is not None:
            (folder / before.file).unlink(missing_ok=True)
        self._count(kept.ref, kept.size)

    def remove(self, ref: ObjectRef) -> None:
        record = self._record(ref)
        before = _read(record)
        record.unlink(missing_ok=True)
        if before is not None:
            (self._path / ref.bucket / before.file).unlink(missing_ok=True)
        self._count(ref, 0)

    def find(self, ref: ObjectRef) -> tuple[KeptObject, Path] | None:
        """The object that is kept under this name, with the file of its bytes."""
        kept = _read(self._record(ref))
        return None if kept is None else (kept, self._path / ref.bucket / kept.file)

    def load(self) -> Iterator[tuple[KeptObject, Path]]:
        """Every object that was kept, oldest first, with the file of its bytes; files that no object names go.

        Raises `ConfigError` for a record that cannot be read.
        """
        found: list[KeptObject] = []
        for bucket in self.buckets():
            folder = self._path / bucket
            for record in folder.glob("*.json"):
                kept = _read(record)
                if (
                    kept is None
                    or not (folder / kept.file).is_file()
                    or (folder / kept.file).stat().st_size != kept.size
                ):
                    raise ConfigError(f"{record}: cannot be read; remove it, or forget all objects with --fresh")
                found.append(kept)
            named = {kept.file for kept in found if kept.bucket == bucket}
            for left in [*folder.glob("*.part"), *(each for each in folder.glob("*.data") if each.name not in named)]:
                left.unlink()
        for kept in sorted(found, key=lambda each: each.modified_ns):
            self._count(kept.ref, kept.size)
            yield kept, self._path / kept.bucket / kept.file

    def _record(self, ref: ObjectRef) -> Path:
        return self._path / ref.bucket / f"{hashlib.sha256(ref.key.encode()).hexdigest()}.json"

    def _count(self, ref: ObjectRef, size: int) -> None:
        self._held += size - self._sizes.pop(ref, 0)
        if size:
            self._sizes[ref] = size


def _read(record: Path) -> KeptObject | None:
    try:
        fields: dict[str, Any] = read_json(record.read_text(encoding="utf-8"))
        return KeptObject(**fields)
    except (FileNotFoundError, ValueError, TypeError):
        return None
