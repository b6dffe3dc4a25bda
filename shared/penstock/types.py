"""The values that the other modules pass around. All are frozen, and none does I/O."""

import hashlib
import json
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, BinaryIO, Generic, TypeVar

from penstock.streams import Body

_LOG = logging.getLogger("penstock.function")

OptionsT = TypeVar("OptionsT")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one object: bucket and raw key, never URL-encoded."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def digest(self) -> str:
        """SHA-256 of bucket and key, 64 hex digits: a name of fixed length and harmless characters."""
        return hashlib.sha256(f"{self.bucket}/{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What is stored under a key at one moment.

    `etag` is without quotes; `version_id` is None in a bucket without versioning; `metadata` holds the
    user metadata, keys in lower case and without `x-amz-meta-`; `size` is in bytes.
    """

    ref: ObjectRef
    size: int
    etag: str
    version_id: str | None = None
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    last_modified: datetime | None = None

    @property
    def content(self) -> str:
        """32 hex digits that change when the bytes, the content type or the user metadata do.

        The ETag alone is not enough: the same bytes with new metadata keep their ETag.
        """
        metadata = json.dumps(sorted(self.metadata.items())) if self.metadata else "[]"
        # The same text as json.dumps writes for this list, in a third of the time. So older marks stay valid.
        text = f"[{_quoted(self.etag)}, {_quoted(self.content_type)}, {metadata}]"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def token(self) -> str:
        """The part of a state that a mark keeps: `content`, and in a bucket with versioning `.` and the version id.

        The content comes first, because a listing has it and does not have the version.
        """
        return f"{self.content}.{self.version_id}" if self.version_id else self.content


@dataclass(frozen=True, slots=True)
class Event(Generic[OptionsT]):
    """One input of a handler. It came as an object or as an HTTP body.

    `name` is the last part of the key or the uploaded file's name; `size` is in bytes.
    """

    name: str
    size: int
    content_type: str
    metadata: Mapping[str, str]
    options: OptionsT
    body: Body


@dataclass(frozen=True, slots=True)
class Context(Generic[OptionsT]):
    """What a handler may know besides its input.

    `rendition` is the name of the output to make, or None when the function has only one.
    `renditions` holds the options of all outputs that are made from this input.
    """

    function: str
    rendition: str | None = None
    renditions: Mapping[str, OptionsT] = field(default_factory=dict)
    log: logging.Logger = _LOG
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return `make()`, computed once per input and shared by all its renditions."""
        if key not in self.memo:
            self.memo[key] = make()
        value: T = self.memo[key]
        return value


@dataclass(frozen=True, slots=True)
class Result:
    """What a handler returns.

    `body` is bytes, a binary file, an iterable of chunks, or a mapping. Chunks are made while they are
    written, so memory stays flat. A mapping is a JSON document, for an index. `name` is the file name that
    a direct call gets back.
    """

    body: bytes | BinaryIO | Iterable[bytes] | Mapping[str, Any]
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """The origin that a target carries: the state and the digest of its source, the function, and its options."""

    state: str
    function: str
    options: str
    source: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a source state has no target: an error's class name, its text, and the status of the answer."""

    error: str
    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What a sink holds at one address.

    `mark` is None for an object that Penstock did not make. `refusal` is set when the source state was
    refused and there is no target. `etag` is the sink's own handle for a conditional write. `beside` is a
    refusal recorded next to a target, if the caller asked for it. It says why a foreign target was left
    alone, or a slower worker left it there.
    """

    address: str
    mark: Mark | None
    refusal: Refusal | None = None
    size: int | None = None
    etag: str | None = None
    beside: "Entry | None" = None

    @property
    def recorded(self) -> "Entry | None":
        """The entry with the refusal: this one, or the one beside it."""
        return self if self.refusal is not None else self.beside

    def is_target_of(self, mark: Mark) -> bool:
        """Whether the function of `mark` made this target from any state of the source of `mark`."""
        made_by = self.mark
        if made_by is None or self.refusal is not None:
            return False
        return (made_by.function, made_by.source) == (mark.function, mark.source)


@dataclass(frozen=True, slots=True)
class Look:
    """A question to a sink: what is recorded at this address?"""

    address: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Write:
    """One result to store, and the entry that was seen at its address before."""

    address: str
    result: Result
    mark: Mark
    source: ObjectState
    previous: Entry | None
