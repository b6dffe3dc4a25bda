"""Describe what is inside an object, as one JSON document for an index.

    kind          image, csv, text, binary or empty: what is inside, after one layer of gzip or zstd
    type          the media type of the bytes as they are stored, detected from them
    name          the object's name
    complete      false when something could not be read, or was left unread at `max_scan_bytes`
    warnings      what was odd, in words
    notes         what was assumed and could be wrong, in sentences
    compression   {format, original_name, original_size, type}: of a gzip or zstd
    image         {format, width, height, orientation, date, blurhash}
    csv           {encoding, delimiter, header, columns, rows, first_rows}, and skipped_lines when there are any
    text          {encoding, lines, beginning}; both have encoding_confidence when the encoding is a guess

Damaged content is described as far as it can be read, with a warning: an index that leaves out what is
broken cannot be asked for it. Nothing is held in memory but a chunk, a row and the samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from penstock import Body, Context, Event, EventError, Result, option

from .detect import PEEK_BYTES, Detected, behind_skipped, detect
from .notes import Notes, bounded


@dataclass(frozen=True)
class Options:
    """The options of index."""

    sample_rows: int = option(5, "rows of a CSV to keep in the document", ge=0, le=100, ceiling=True)
    sample_chars: int = option(2000, "characters of a text to keep in the document", ge=0, le=20_000, ceiling=True)
    blurhash: bool = option(False, "whether an image's document has the BlurHash of its metadata, as resize writes it")
    max_scan_bytes: int = option(268_435_456, "bytes to look at, packed and again unpacked", ge=65_536, ceiling=True)


class Index(Protocol):
    """What `query` needs of a sink."""

    def search(self, text: str, *, limit: int, offset: int) -> list[dict[str, Any]]: ...

    def document(self, bucket: str, key: str) -> dict[str, Any] | None: ...


def handle(event: Event[Options], context: Context[Options]) -> Result:  # noqa: ARG001 - every handler takes both
    """Return the document; never fails on content, only on a source that cannot be read."""
    notes = Notes()
    limit = event.options.max_scan_bytes
    body = Body(lambda: bounded(event.body, limit, notes))
    outer = detect(body.peek(PEEK_BYTES), event.name)
    packing = None
    found, inner, name = outer, body, event.name
    if outer.media_type in ("application/gzip", "application/zstd"):
        packing, inner, name = _unpack(body, outer, name, notes, limit)
        found = detect(inner.peek(PEEK_BYTES), name)
    kind, parts = _inside(inner, found, name, event.options, notes)
    if event.options.blurhash and "image" in parts:
        from .images import blurhash_in

        if told := blurhash_in(event.metadata):
            parts["image"]["blurhash"] = told
    if packing is not None:
        packing["type"] = "text/csv" if kind == "csv" else found.media_type
        for _ in inner:  # the rest counts towards the original size
            pass
        if notes.complete:
            packing["original_size"] = inner.bytes_read
        parts["compression"] = packing
    document = {
        "kind": kind,
        "type": "text/csv" if kind == "csv" and packing is None else outer.media_type,
        "name": event.name,
        "complete": notes.complete,
        "warnings": notes.warnings,
        "notes": notes.assumed,
        **parts,
    }
    return Result(document, content_type="application/json", notes=notes.assumed)


def _unpack(body: Body, outer: Detected, name: str, notes: Notes, limit: int) -> tuple[dict[str, Any], Body, str]:
    """The beginnings of the `compression` field, a stream of what is inside, and its name."""
    from .unpack import gunzip, gzip_name, unpacked_name, unzstd, zstd_size

    head = body.peek(PEEK_BYTES)
    is_gzip = outer.media_type == "application/gzip"
    unpack = gunzip if is_gzip else unzstd
    original_name = gzip_name(head) if is_gzip else None
    packing = {
        "format": "gzip" if is_gzip else "zstd",
        "original_name": original_name,
        "original_size": None if is_gzip else zstd_size(behind_skipped(head)),
    }
    inside = Body(lambda: bounded(unpack(body, notes), limit, notes))
    return packing, inside, unpacked_name(name, original_name)


def _inside(body: Body, found: Detected, name: str, options: Options, notes: Notes) -> tuple[str, dict[str, Any]]:
    """The kind of what is inside, and the fields that describe it.

    What reads images, and what reads letters, is imported with the first input of its kind: no start waits for it.
    """
    head = body.peek(PEEK_BYTES)
    if not head:
        return "empty", {}
    if found.media_type.startswith("image/"):
        from .images import FORMATS, describe_image

        if found.media_type in FORMATS:
            image = describe_image(body, found.media_type, notes)
            return "image", {"image": image} if image else {}
    if found.encoding is None:
        return "binary", {}
    from .tables_and_texts import describe_table_or_text

    return describe_table_or_text(
        body, found.encoding, name, notes, sample_rows=options.sample_rows, sample_chars=options.sample_chars
    )


def query(request: Mapping[str, str], sink: Index) -> dict[str, Any] | None:
    """Answer `?q=WORDS&limit=&offset=` with the documents found, `?bucket=&key=` with one, or None when there is none.

    Raises `EventError` for anything else.
    """
    if not hasattr(sink, "search"):
        raise EventError("this function's results do not go to an index: name an index in SINK, such as sqlite:///PATH")
    given = set(request)
    if "q" in given and given <= {"q", "limit", "offset"}:
        limit, offset = _number(request, "limit", 20), _number(request, "offset", 0)
        documents = sink.search(request["q"], limit=limit, offset=offset)
        return {"q": request["q"], "limit": limit, "offset": offset, "documents": documents}
    if given == {"bucket", "key"}:
        return sink.document(request["bucket"], request["key"])
    raise EventError(f"query {sorted(given)}: ask ?q=WORDS (with limit and offset) or ?bucket=BUCKET&key=KEY")


def _number(request: Mapping[str, str], name: str, default: int) -> int:
    text = request.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise EventError(f"{name}={text!r}: expected a whole number")
    return int(text)
