"""The beginning of an object for people: a picture's name is enough, of a table the first rows, of a text its start."""

import csv
import io
import zlib
from collections.abc import Iterable
from typing import Any, Final

BEGINNING_BYTES: Final = 64 * 1024
_ROWS: Final = 20
_COLUMNS: Final = 40
_CHARS: Final = 4000
_CELL_CHARS: Final = 200
_GZIP: Final = b"\x1f\x8b"
# What a browser shows as a picture, by the first bytes: an object's name or type may say something else.
_PICTURES: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
)


def preview_of(name: str, chunks: Iterable[bytes]) -> dict[str, Any]:
    """What the first 64 KiB show, ready for JSON: `kind` is picture, table, text, binary or empty.

    Of gzip the first 64 KiB that are inside are looked at. A table has `columns` and `rows`, a text has `text`.
    """
    start = beginning(chunks)
    packed = start.startswith(_GZIP)
    if packed:
        start, name = _unpacked(start), name.removesuffix(".gz")
    found = {"packed": "gzip" if packed else ""}
    if not start:
        return found | {"kind": "empty"}
    if picture := _picture(start):
        return found | {"kind": "binary" if packed else "picture", "format": picture}
    text = _text(start)
    if text is None:
        return found | {"kind": "binary"}
    if (rows := _rows(text, name)) is not None:
        return found | {"kind": "table", "columns": rows[0], "rows": rows[1:]}
    return found | {"kind": "text", "text": text[:_CHARS]}


def beginning(chunks: Iterable[bytes]) -> bytes:
    """The first 64 KiB of chunks; the rest is not read."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk[: BEGINNING_BYTES - len(kept)]
        if len(kept) >= BEGINNING_BYTES:
            break
    return bytes(kept)


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, BEGINNING_BYTES)
    except zlib.error:
        return b""


def _picture(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    return next((name for start, name in _PICTURES if data.startswith(start)), "")


def _text(data: bytes) -> str | None:
    """UTF-8 text; a character that the cut divides is left out. None for other bytes."""
    if b"\0" in data:
        return None
    for cut in range(4):
        try:
            return data[: len(data) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            if len(data) < BEGINNING_BYTES:
                break
    text = data.decode("utf-8", "replace")
    return text if text.count("\ufffd") * 10 < len(text) else None


def _rows(text: str, name: str) -> list[list[str]] | None:
    """The first rows where the name says that it is a table, and the text has at least one delimiter."""
    if not name.casefold().endswith((".csv", ".tsv", ".tab")):
        return None
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        rows = [row for _, row in zip(range(_ROWS + 1), filter(None, reader), strict=False)]
    except csv.Error:
        return None
    return [[cell[:_CELL_CHARS] for cell in row[:_COLUMNS]] for row in rows] or None
