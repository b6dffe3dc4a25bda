"""What users of the lake do, and what strangers do at the targets' keys: one seeded script for each writer."""

from __future__ import annotations

import io
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.error import MinioException

from tests.chaos.model import SOURCES, TARGETS, Content, Kind, Model, Stranger, target_of

# Objects under the first prefix are announced by the webhook, those under the second by Kafka.
PREFIXES = ("hook/", "kafka/")
ODD_NAMES = (
    'a+b %20 日本 "x"',
    "new\nline",
    "\r carriage",
    "\x01\x7f control",
    ".hidden",
    "..two",
    "100%",
    "a%2Fb",
    "it's, a & b = c ? d # e",
    "sub/.dir/é",
    "ends with space ",
    "é" * 100,
)
_RETRY_SECONDS = 180.0
_WEIGHTS = {
    "overwrite": 62.0,
    "revert": 8.0,
    "delete": 11.0,
    "rename": 6.0,
    "metadata": 8.0,
    "packed": 3.5,
    "stranger": 1.0,
    "large": 0.3,
    "huge": 0.2,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on `key`; `other` is where a rename goes."""

    name: str
    key: str
    content: Content
    other: str = ""


def keys_of(writer: int, count: int, prefixes: Sequence[str]) -> list[str]:
    """The keys that one writer owns, those with odd names among them."""
    names = [f"{writer}/{ODD_NAMES[at]}" if at < len(ODD_NAMES) else f"{writer}/{at:03}" for at in range(count)]
    return [f"{prefixes[at % len(prefixes)]}{name}.csv" for at, name in enumerate(names)]


def script(seed: int, writer: int, keys: Sequence[str], model: Model) -> Iterator[Step]:
    """Endless steps, each chosen with what the earlier ones left in the model."""
    rng = random.Random(f"{seed}/{writer}")
    names, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    number = writer * 10_000_000
    # Large targets go up in parts, odd keys through another client: neither write is conditional (ADR 16), so
    # strangers keep to other keys, where nothing may be lost.
    large, plain = keys[-3:], keys[len(ODD_NAMES) : -3]
    while True:
        number += 1
        [name] = rng.choices(names, weights)
        key = rng.choice(keys[:-3])
        there = model.sources.get(key)
        kind: Kind = "text"
        if name in ("large", "huge"):
            key, kind = rng.choice(large), "large" if name == "large" else "huge"
        elif name == "packed":
            kind = "packed"
        elif name == "stranger":
            key = rng.choice(plain)
        elif there is None:
            name = "overwrite"
        content = Content(kind, number, f"owner {number}")
        if name == "revert" and there is not None:
            content = rng.choice(model.history[key])
        elif name == "metadata" and there is not None:
            content = Content(there.kind, there.number, f"owner {number}")
        yield Step(name, key, content, rng.choice(keys[:-3]))


class Hand:
    """Does one writer's steps on the store; each is repeated until the store has confirmed it."""

    def __init__(self, client: Minio, model: Model, give_up: Callable[[], bool]) -> None:
        self._client = client
        self._model = model
        self._give_up = give_up
        self.done: Counter[str] = Counter()

    def do(self, step: Step) -> None:
        model, content = self._model, step.content
        there = model.sources.get(step.key)
        if step.name == "delete":
            self._until(lambda: self._client.remove_object(SOURCES, step.key))
            model.remove(step.key)
        elif step.name == "rename" and there is not None and step.other != step.key:
            self._until(lambda: self._copy(step.key, step.other, there))
            model.store(step.other, there)
            self._until(lambda: self._client.remove_object(SOURCES, step.key))
            model.remove(step.key)
        elif step.name == "metadata" and there is not None:
            self._until(lambda: self._copy(step.key, step.key, content))
            model.store(step.key, content)
        elif step.name == "stranger":
            data, began = b"a stranger's %d" % content.number, time.monotonic()
            self._until(lambda: self._put(TARGETS, target_of(step.key), data, {}))
            model.strangers[target_of(step.key)] = Stranger(data, began, time.monotonic())
            model.history.setdefault(step.key, [])
        else:
            self._until(lambda: self._put(SOURCES, step.key, content.data(), {"owner": content.owner}))
            model.store(step.key, content)
        self.done[step.name] += 1

    def _put(self, bucket: str, key: str, data: bytes, metadata: dict[str, str | list[str] | tuple[str]]) -> None:
        # One request whatever the size: parts of an upload that was cut would be a user's to remove.
        size = max(len(data), 5 * 1024 * 1024)
        self._client.put_object(
            bucket, key, io.BytesIO(data), len(data), content_type="text/csv", metadata=metadata, part_size=size
        )

    def _copy(self, source: str, target: str, content: Content) -> None:
        self._client.copy_object(
            SOURCES,
            target,
            CopySource(bucket_name=SOURCES, object_name=source),
            metadata={"owner": content.owner, "Content-Type": "text/csv"},
            metadata_directive=REPLACE,
        )

    def _until(self, act: Callable[[], object]) -> None:
        end = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                act()
                return
            except (MinioException, urllib3.exceptions.HTTPError):
                if self._give_up() or time.monotonic() > end:
                    raise
                time.sleep(0.3)
