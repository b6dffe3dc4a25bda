"""The truth of one campaign: which objects there are, and what must have come of each."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass, field
from typing import Literal

SOURCES, TARGETS = "upload", "processed"
# compress refuses a larger object with 413. A target above 5 MiB is uploaded in parts.
MAX_INPUT_BYTES = 7 * 1024 * 1024
_LARGE_BYTES = 6 * 1024 * 1024
_HUGE_BYTES = MAX_INPUT_BYTES + 1

Kind = Literal["text", "packed", "large", "huge"]
Fate = Literal["target", "refused", "foreign", "nothing"]


@dataclass(frozen=True, slots=True)
class Content:
    """An object's bytes and metadata, made again from a number whenever they are asked for."""

    kind: Kind
    number: int
    owner: str = ""

    def data(self) -> bytes:
        """The bytes; two numbers never give the same."""
        line = b"email,name\n%d@example.com,%d\n" % (self.number, self.number)
        if self.kind == "packed":
            return gzip.compress(line, mtime=0)
        if self.kind == "text":
            return line * (1 + self.number % 40)
        size = _LARGE_BYTES if self.kind == "large" else _HUGE_BYTES
        return (line + random.Random(self.number).randbytes(size))[:size]


@dataclass(frozen=True, slots=True)
class Stranger:
    """An object that another program put at a target's key, and when its PUT began and was answered."""

    data: bytes
    began: float
    ended: float


@dataclass
class Model:
    """Sources by key and strangers' objects by target key. Each key has one writer, so no lock is needed."""

    sources: dict[str, Content] = field(default_factory=dict)
    strangers: dict[str, Stranger] = field(default_factory=dict)
    history: dict[str, list[Content]] = field(default_factory=dict)

    def store(self, key: str, content: Content) -> None:
        self.sources[key] = content
        self.history.setdefault(key, []).append(content)

    def remove(self, key: str) -> None:
        self.sources.pop(key, None)

    def fate(self, key: str) -> Fate:
        """What `compress` must have made of a key that is or was in the source bucket."""
        if target_of(key) in self.strangers:
            return "foreign"
        content = self.sources.get(key)
        if content is None:
            return "nothing"
        return "target" if content.kind in ("text", "large") else "refused"


def target_of(key: str) -> str:
    """The key of a source's target: the SINK of the campaign's `compress`."""
    return f"{key}.gz"
