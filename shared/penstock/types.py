"""The values that the other modules pass around. All are frozen, and none does I/O."""

import hashlib
import json
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, BinaryIO, Generic, NamedTuple, TypeVar

from penstock.streams import Body

_LOG = logging.getLogger("penstock.function")

OptionsT = TypeVar("OptionsT")
T = TypeVar("T")


CONTENT_HEADERS = frozenset({"cache-control", "content-disposition", "content-encoding", "content-language"})
"""The headers of an object beside its content type that every look at it tells, so they are a part of its state."""


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

    def digest_in(self, store_name: str) -> str:
        """The same for the object of this name in a named store: two stores may have buckets of one name (ADR 23).

        Without a name it is `digest`.
        """
        if not store_name:
            return self.digest
        # No bucket's name has a line's end, so no object of a store without a name has this digest.
        return hashlib.sha256(f"{store_name}\n{self.bucket}/{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What is stored under a key at one moment.

    `etag` is without quotes; `version_id` is None in a bucket without versioning; `metadata` holds the
    user metadata, keys in lower case and without `x-amz-meta-`; `size` is in bytes. `headers` holds what else the store
    keeps of the object, names in lower case: `cache-control`, and `x-amz-server-side-encryption` and others where all
    of an answer is read (store/headers.py).
    """

    ref: ObjectRef
    size: int
    etag: str
    version_id: str | None = None
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    last_modified: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_own_version(self) -> bool:
        """Whether this is a version of its own, written while the bucket kept versions."""
        return self.version_id not in (None, "", "null")

    @property
    def content(self) -> str:
        """32 hex digits that change when the bytes, the content type, a content header or the user metadata do.

        The ETag alone is not enough: the same bytes with new metadata keep their ETag.
        """
        metadata = json.dumps(sorted(self.metadata.items())) if self.metadata else "[]"
        # The same text as json.dumps writes for this list, in a third of the time. So older marks stay valid.
        text = f"[{_quoted(self.etag)}, {_quoted(self.content_type)}, {metadata}]"
        if self.headers and (told := sorted((n, v) for n, v in self.headers.items() if n in CONTENT_HEADERS)):
            text += json.dumps(told)
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

    `name` is the last part of the key or the uploaded file's name; `size` is in bytes. `content_encoding` is what the
    object was stored with, such as `gzip`, in lower case, and "" for none; the body has those bytes as they are.
    """

    name: str
    size: int
    content_type: str
    metadata: Mapping[str, str]
    options: OptionsT
    body: Body
    content_encoding: str = ""


def _no_asset(option: str) -> bytes:
    raise LookupError(f"option {option} names no object; declare it with option(..., asset=True), and set it")


@dataclass(frozen=True, slots=True)
class Context(Generic[OptionsT]):
    """What a handler may know besides its input.

    `rendition` is the name of the output to make, or None when the function has only one.
    `renditions` holds the options of all outputs that are made from this input. `asset` gives the bytes of the object
    that an option names, by the option's name (ADR 49).
    """

    function: str
    rendition: str | None = None
    renditions: Mapping[str, OptionsT] = field(default_factory=dict)
    log: logging.Logger = _LOG
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    asset: Callable[[str], bytes] = field(default=_no_asset, repr=False)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return `make()`, computed once per input and shared by all its renditions."""
        if key not in self.memo:
            self.memo[key] = make()
        value: T = self.memo[key]
        return value


@dataclass(frozen=True, slots=True)
class Result:
    """What a handler returns.

    `body` is bytes, a binary file, an iterable of chunks (produced while it is written, so memory stays
    flat), or a mapping: a JSON document, which is what an index takes. `name` is the file name a direct
    call gets back. `notes` are plain sentences about what the handler assumed, such as "the encoding was guessed". They
    go into the answer and are not stored. A list may grow while the body is produced.
    """

    body: bytes | BinaryIO | Iterable[bytes] | Mapping[str, Any]
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    notes: Sequence[str] = ()


class Mark(NamedTuple):
    """What a target says of its origin: made from which state of which source, by what, with which options.

    `source` is the digest of the source's name and of its store's name, if that has one.
    """

    state: str
    function: str
    options: str
    source: str


class Refusal(NamedTuple):
    """Why a source state has no target: an error's class name, its text and the status it was answered with.

    `basis` names what it rests on beside the source and the options (runtime/basis.py), "" for nothing else.
    """

    error: str
    reason: str
    status: int
    basis: str = ""

    @property
    def record(self) -> dict[str, str | int]:
        """The fields as JSON holds them; an empty basis is left out."""
        told: dict[str, str | int] = {"error": self.error, "reason": self.reason, "status": self.status}
        return told | ({"basis": self.basis} if self.basis else {})


@dataclass(frozen=True, slots=True)
class Entry:
    """What a sink holds at one address.

    `mark` is None for something that Penstock did not make; `refusal` is set when the source state was
    refused and nothing else is there; `etag` is the sink's own handle for a conditional write. `beside` is
    a refusal recorded next to a target, where it was asked for: why a foreign target was left alone, or what a slower
    worker left. `record` is where an index keeps such a refusal. `notes` are those of the result that was just written;
    no sink keeps them.
    """

    address: str
    mark: Mark | None
    refusal: Refusal | None = None
    size: int | None = None
    etag: str | None = None
    beside: "Entry | None" = None
    record: str = ""
    notes: Sequence[str] = field(default=(), compare=False)

    def is_foreign_to(self, mark: Mark) -> bool:
        """Whether something else than the function of `mark` made it, or from another source than that of `mark`."""
        made_by = self.mark
        if made_by is None:
            # A refusal without a mark is a damaged record of our own: it lies where only we write.
            return self.refusal is None
        return made_by.function != mark.function or made_by.source != mark.source

    def is_target_of(self, mark: Mark) -> bool:
        """Whether it is a target that the function of `mark` made from the source of `mark`, in any state."""
        return self.refusal is None and not self.is_foreign_to(mark)

    def refusal_of(self, mark: Mark) -> "Entry | None":
        """The refusal by the function of `mark` of the source of `mark`: in the target's place, or beside it."""
        for found in (self, self.beside):
            if found is not None and found.refusal is not None and not found.is_foreign_to(mark):
                return found
        return None


class Write(NamedTuple):
    """One result to store, and the entry that was seen at its address before."""

    address: str
    result: Result
    mark: Mark
    source: ObjectState
    previous: Entry | None
