"""One JSON document per source object, as every index stores it.

The handler says what is inside the object; this module adds what belongs to delivery:

    bucket, key, size, etag, version_id, content_type, metadata, last_modified    the source's state
    indexed_at                                                                    when this was written
    penstock: {state, function, options, source, refusal}                         mark and refusal

Times are UTC in ISO 8601. `penstock.refusal` is None, or {error, reason, status} for a source state
that was refused: such a document has no description of the inside.

Where a foreign document is in the place of ours, it stays, and our refusal is kept beside it in a document of its
own. Its bucket is `.penstock`, which no store can have, and its key `refused/<function>/<source digest>`. Its field
`source` has bucket, key and ETag of the real source. No search finds it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import orjson  # a document is encoded in 0.6 µs, against 6 with json: half of what a whole write would cost

from penstock.errors import EventError, HandlerError, PermanentError, TargetChanged, TemporaryError
from penstock.json_text import fault_in, mistake
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Result, Write

# Documents that are held at a time until they are written together. More of them make a commit hardly cheaper.
BATCH_DOCUMENTS = 250
# No bucket's name begins with a dot.
RECORDS_BUCKET = ".penstock"
RECORDS_PREFIX = "refused/"
MAX_QUERY_WORDS = 32
MAX_SEARCH_HITS = 100
MAX_SEARCH_DEPTH = 10_000  # OpenSearch's own limit (index.max_result_window); the same for every index
SEARCHABLE_CHARS = 20_000

Stored = Entry | TargetChanged | PermanentError | HandlerError | TemporaryError
"""How the write of one document of a batch ended."""

RowT = TypeVar("RowT")
MakeRow = Callable[[str, dict[str, Any], Mark, Refusal | None, Entry | None], RowT]
"""Makes of a document what is stored at an address, with its mark, its refusal and the entry that it replaces."""

_WORD = re.compile(r"[^\W_]+\*?")


class NotSearchable(EventError):
    """A search of an index that cannot search by words, such as Cassandra.

    No event asks for one, so no sender tries a 501 again.

    To do: ask by bucket and key, or choose another index.
    """

    status = HTTPStatus.NOT_IMPLEMENTED


class SearchableSink(Protocol):
    """What an index offers beyond `Sink`: searching, and listing from a key on."""

    def search(self, text: str, *, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """Documents that contain every word, best first; `ros*` finds what starts with it.

        Raises `EventError` for a text without words or numbers out of range.
        """

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The document of one source object."""

    def entries(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[tuple[ObjectRef, Entry]]:
        """What is recorded for a bucket's objects, in key order (by UTF-8 bytes, as S3 lists)."""

    def close(self) -> None:
        """Let go of files and connections; the next call opens them again."""


def now() -> str:
    """The present time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def inside(result: Result, address: str) -> Mapping[str, Any]:
    """The handler's description; raises `HandlerError` when the result is not one."""
    if not isinstance(result.body, Mapping):
        raise HandlerError(
            f"{address}: an index takes a mapping as the result's body, not {type(result.body).__name__}; "
            "send other results to an s3:// sink"
        )
    return result.body


def delivered(source: ObjectState, indexed_at: str) -> dict[str, Any]:
    """The fields that describe the source object itself."""
    modified = source.last_modified
    return {
        "bucket": source.ref.bucket,
        "key": source.ref.key,
        "size": source.size,
        "etag": source.etag,
        "version_id": source.version_id,
        "content_type": source.content_type,
        "metadata": dict(source.metadata),
        "last_modified": modified.astimezone(UTC).isoformat() if modified else None,
        "indexed_at": indexed_at,
    }


def described(write: Write, indexed_at: str) -> dict[str, Any]:
    """The document of one write, without its mark; raises `HandlerError` for a result that is no document."""
    return {**inside(write.result, write.address), **delivered(write.source, indexed_at)}


def check_whole(source: ObjectRef, rendition: str | None) -> None:
    """Raise `PermanentError` for a rendition: an index has one document for an object."""
    if rendition is not None:
        raise PermanentError(f"{source}: an index holds one document per object; RENDITIONS need an s3:// sink")


def write_each(
    writes: Sequence[Write],
    row_of: MakeRow[RowT],
    store: Callable[[Sequence[RowT]], Sequence[Stored]],
) -> list[Stored]:
    """Make a row of each write's document and store all rows; the outcomes in the order of `writes`.

    A write of which no row can be made fails alone: `row_of` raises `HandlerError` or `PermanentError`.
    """
    moment = now()
    failures: dict[int, Stored] = {}
    rows: list[RowT] = []
    for number, write in enumerate(writes):
        try:
            rows.append(row_of(write.address, described(write, moment), write.mark, None, write.previous))
        except (HandlerError, PermanentError) as error:
            failures[number] = error
    stored = iter(store(rows))
    return [failures[number] if number in failures else next(stored) for number in range(len(writes))]


def refuse(
    address: str,
    refusal: Refusal,
    mark: Mark,
    source: ObjectState,
    previous: Entry | None,
    *,
    record: str,
    store: MakeRow[Entry],
) -> Entry:
    """Replace our document by one that says why this state has none; leave a foreign one, and say so in `record`."""
    if previous is None or not previous.is_foreign_to(mark):
        return store(address, delivered(source, now()), mark, refusal, previous)
    stored = store(record, refusal_record(source, mark), mark, refusal, previous.beside)
    return replace(stored, address=address, record=record)


def refusal_ref(mark: Mark) -> ObjectRef:
    """The bucket and key under which the refusal beside a foreign document is stored."""
    return ObjectRef(RECORDS_BUCKET, f"{RECORDS_PREFIX}{mark.function}/{mark.source}")


def refusal_record(source: ObjectState, mark: Mark) -> dict[str, Any]:
    """The refusal beside a foreign document, without its mark."""
    ref = refusal_ref(mark)
    named = {"bucket": source.ref.bucket, "key": source.ref.key, "etag": source.etag}
    return {"bucket": ref.bucket, "key": ref.key, "source": named, "indexed_at": now()}


def source_of_record(record: Mapping[str, Any]) -> ObjectRef | None:
    """The source that a refusal's record is about, or None when it is damaged."""
    source = record.get("source")
    if not isinstance(source, Mapping) or not {"bucket", "key"} <= source.keys():
        return None
    return ObjectRef(str(source["bucket"]), str(source["key"]))


def with_refusals(
    entries: list[Entry | None],
    places: Sequence[tuple[str, Mark]],
    ask: Callable[[Sequence[ObjectRef]], Sequence[Entry | None]],
) -> list[Entry | None]:
    """The entries. To that of a foreign document the refusal beside it is added, which `ask` reads."""
    foreign = [
        (number, entry)
        for number, entry in enumerate(entries)
        if entry is not None and entry.is_foreign_to(places[number][1])
    ]
    if foreign:
        records = ask([refusal_ref(places[number][1]) for number, _ in foreign])
        for (number, entry), record in zip(foreign, records, strict=True):
            entries[number] = replace(entry, beside=as_beside(entry.address, record))
    return entries


def as_beside(address: str, record: Entry | None) -> Entry | None:
    """A refusal's record as the entry beside the document at `address`."""
    return record and replace(record, address=address, record=record.address)


def is_wanted(source: ObjectRef, bucket: str, prefix: str, start_after: str) -> bool:
    """Whether a listing asks for the record of this source."""
    return source.bucket == bucket and source.key.startswith(prefix) and source.key.encode() > start_after.encode()


def mark_field(mark: Mark, refusal: Refusal | None) -> dict[str, Any]:
    """The document's `penstock` field."""
    return {
        "state": mark.state,
        "function": mark.function,
        "options": mark.options,
        "source": mark.source,
        "refusal": refusal.record if refusal else None,
    }


def read_mark(field: object) -> tuple[Mark | None, Refusal | None]:
    """Mark and refusal from a document's `penstock` field; a document without a whole mark is a foreign one."""
    if not isinstance(field, Mapping):
        return None, None
    values = [field.get(name) for name in ("state", "function", "options", "source")]
    if not all(isinstance(value, str) for value in values):
        return None, None
    refused = field.get("refusal")
    refusal = Refusal(**refused) if isinstance(refused, Mapping) else None
    return Mark(*values), refusal  # type: ignore[arg-type]


def to_json(document: Mapping[str, Any]) -> str:
    """Compact JSON; raises `HandlerError` that names the field for what JSON or UTF-8 cannot hold."""
    try:
        text = orjson.dumps(document)
    except orjson.JSONEncodeError as exc:
        raise mistake(document, exc) from exc
    # orjson writes NaN and infinite numbers as null. So a null that no field of the document explains is looked at.
    if text.count(b"null") > list(document.values()).count(None) and fault_in(document):
        raise mistake(document, ValueError("NaN"))
    return text.decode()


def searchable(document: Mapping[str, Any]) -> str:
    """What a full-text search looks at: names, metadata, columns, first rows and the beginning of a text."""
    found: list[str] = [str(document.get("bucket", "")), str(document.get("key", ""))]
    for name in ("kind", "type", "content_type", "metadata", "image", "csv", "text", "compression"):
        value = document.get(name)
        if value:
            try:
                _gather(value, found)
            except RecursionError as exc:
                raise mistake(document, exc) from exc
    return " ".join(found)[:SEARCHABLE_CHARS].replace("\0", " ")


def _gather(value: Any, found: list[str]) -> None:
    # Exact types, not isinstance: this runs for every value of every document (measured: five times as fast).
    kind = type(value)
    if kind is str:
        found.append(value)
    elif kind is list or kind is tuple:
        if value and type(value[0]) is str:
            found.extend([part for part in value if type(part) is str])
        else:
            for part in value:
                _gather(part, found)
    elif kind is dict:
        for part in value.values():
            _gather(part, found)


def query_words(text: str, limit: int, offset: int) -> list[str]:
    """The words of a search, a trailing `*` kept; everything else a user types is a separator, so nothing breaks.

    >>> query_words('rose.jpg "AND" ros*', limit=20, offset=0)
    ['rose', 'jpg', 'AND', 'ros*']
    """
    words: list[str] = _WORD.findall(text)
    if not words:
        raise EventError(f"search {text[:80]!r}: no word to search for; give letters or digits, such as q=donors")
    if len(words) > MAX_QUERY_WORDS:
        raise EventError(f"search: {len(words)} words; give at most {MAX_QUERY_WORDS}")
    if not 1 <= limit <= MAX_SEARCH_HITS:
        raise EventError(f"limit={limit}: expected a whole number from 1 to {MAX_SEARCH_HITS}")
    if not 0 <= offset <= MAX_SEARCH_DEPTH - limit:
        raise EventError(f"offset={offset}: expected a whole number from 0 to {MAX_SEARCH_DEPTH - limit}")
    return words
