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

from .charsets import looks_encoded_twice, looks_like_utf7
from .csvs import are_all_rows, describe_csv
from .detect import PEEK_BYTES, Detected, behind_skipped, detect
from .dialects import TABLE_SUFFIXES, has_few_rows, sniff
from .notes import Notes, bounded
from .printed import is_printed_table
from .programs import is_program
from .rows import MAX_FIELD_BYTES
from .texts import decode_beginning, describe_text
from .unpack import gunzip, gzip_name, unpacked_name, unzstd, zstd_size


@dataclass(frozen=True)
class Options:
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
        packing, inner = _unpack(body, outer, notes, limit)
        name = unpacked_name(name, packing["original_name"])
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


def _unpack(body: Body, outer: Detected, notes: Notes, limit: int) -> tuple[dict[str, Any], Body]:
    """The beginnings of the `compression` field, and a stream of what is inside."""
    head = body.peek(PEEK_BYTES)
    is_gzip = outer.media_type == "application/gzip"
    unpack = gunzip if is_gzip else unzstd
    packing = {
        "format": "gzip" if is_gzip else "zstd",
        "original_name": gzip_name(head) if is_gzip else None,
        "original_size": None if is_gzip else zstd_size(behind_skipped(head)),
    }
    return packing, Body(lambda: bounded(unpack(body, notes), limit, notes))


def _inside(body: Body, found: Detected, name: str, options: Options, notes: Notes) -> tuple[str, dict[str, Any]]:
    """The kind of what is inside, and the fields that describe it."""
    head = body.peek(PEEK_BYTES)
    if not head:
        return "empty", {}
    if found.media_type.startswith("image/"):
        from .images import FORMATS, describe_image  # a start does not wait for it, nor does a table

        if found.media_type in FORMATS:
            image = describe_image(body, found.media_type, notes)
            return "image", {"image": image} if image else {}
    if found.encoding is None:
        return "binary", {}
    if found.encoding.name == "utf-8" and looks_like_utf7(head):
        notes.warn("looks like UTF-7, which is not read: letters outside ASCII stand there as +APw-")
    text = decode_beginning(head, found.encoding, len(head))
    if not text.isascii():
        if looks_encoded_twice(text):
            notes.warn(
                "looks like UTF-8 that was encoded twice: letters outside ASCII stand there as two or more signs"
            )
        if "\ufffd" in text and b"\xef\xbf\xbd" in head:
            notes.warn("has U+FFFD in place of letters: another program could not read them before this was stored")
    is_whole = len(head) < PEEK_BYTES
    dialect = sniff(text, name, is_whole=is_whole)
    if not is_whole and has_few_rows(dialect, text, name):
        head = body.peek(PEEK_BYTES + MAX_FIELD_BYTES)
        is_whole = len(head) < PEEK_BYTES + MAX_FIELD_BYTES
        dialect = sniff(decode_beginning(head, found.encoding, len(head)), name, is_whole=is_whole)
    chunks = (head,) if is_whole else body  # what was read already needs no layers of streams
    if dialect is not None:
        is_all = is_whole and are_all_rows(head, dialect)
        return "csv", {"csv": describe_csv(chunks, found.encoding, dialect, options.sample_rows, notes, is_all=is_all)}
    if name.lower().endswith(TABLE_SUFFIXES):
        if is_printed_table(text):
            notes.assume("The content is a table as programs print it, with drawn lines: its rows are not read.")
        elif is_program(text):
            notes.assume("The content looks like source code: no rows are read from it.")
    return "text", {"text": describe_text(chunks, head, found.encoding, options.sample_chars, notes)}


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
