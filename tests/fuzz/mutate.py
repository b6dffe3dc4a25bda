"""Changes to good inputs: bytes, JSON values, and cuts where a structure of an image format ends."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any

_NUMBERS = (0, 1, -1, 127, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 10**400, 1e308, -0.0, 0.1)
_TEXTS = (
    "",
    " ",
    "\0",
    "\n",
    "\r\n",
    "..",
    "../x",
    "/",
    "//",
    "%",
    "%2f",
    "%00",
    "\ud800",
    "\u202e",
    "é" * 600,
    "a" * 5000,
    "{key}",
    "null",
    "NaN",
    "1e999",
    "-1",
    "0x10",
    "1_000",
    "٣",
    "true",
)
_MAX_BYTES = 256 * 1024


def changed_bytes(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """One to four changes: bits, runs, cuts, doubled or foreign pieces, and numbers at their limits."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        at = rng.randrange(len(found) + 1)
        # Headers decide most, and they come first.
        if rng.random() < 0.5:
            at = min(at, rng.randrange(256))
        length = min(rng.choice((1, 1, 2, 4, 8, 64, 1024)), len(found) - at)
        match rng.randrange(8):
            case 0 if at < len(found):
                found[at] ^= 1 << rng.randrange(8)
            case 1:
                del found[at:]
            case 2:
                del found[at : at + length]
            case 3:
                found[at:at] = found[at : at + length] * rng.choice((1, 2, 100))
            case 4:
                other = rng.choice(others)
                begin = rng.randrange(len(other) + 1)
                found[at : at + length] = other[begin : begin + rng.choice((1, 16, 256))]
            case 5:
                form = rng.choice((">H", "<H", ">I", "<I", "B"))
                limit = 256 ** struct.calcsize(form) - 1
                found[at : at + struct.calcsize(form)] = struct.pack(form, rng.choice((0, 1, limit // 2, limit)))
            case 6:
                found[at : at + length] = rng.randbytes(length)
            case _:
                found[at : at + length] = rng.choice((b"\0", b"\xff", b"\n", b'"', b",", b"<")) * length
        del found[_MAX_BYTES:]
    return bytes(found)


def changed_json(value: Any, rng: random.Random) -> bytes:
    """JSON with one to three members replaced, removed, renamed, doubled or wrapped."""
    found = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        places = [place for place in _places(found) if place]
        if not places:
            break
        *path, last = rng.choice(places)
        parent = found
        for step in path:
            parent = parent[step]
        match rng.randrange(6):
            case 0:
                del parent[last]
            case 1:
                parent[last] = [parent[last]] * rng.choice((0, 1, 2, 50))
            case 2:
                parent[last] = {"a": parent[last]}
            case 3 if isinstance(parent, dict):
                parent[rng.choice(list(_TEXTS))] = parent.pop(last)
            case 4 if isinstance(parent[last], str):
                parent[last] = _changed_text(parent[last], rng)
            case _:
                parent[last] = any_value(rng)
    return json.dumps(found, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def any_value(rng: random.Random) -> Any:
    """A value of any JSON type, often one at a limit."""
    return rng.choice((None, True, False, [], {}, [[]], rng.choice(_NUMBERS), any_text(rng)))


def any_text(rng: random.Random) -> str:
    """A text that programs stumble over."""
    return rng.choice(_TEXTS)


def _changed_text(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + any_text(rng) + text[at + rng.choice((0, 1, 3)) :]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from _places(inner, (*path, name))


def structure_ends(data: bytes) -> list[int]:
    """Where the structures of an image end: JPEG segments, PNG and RIFF chunks, GIF blocks, boxes, TIFF directories."""
    if data[:2] == b"\xff\xd8":
        return list(_jpeg(data))
    if data[:4] == b"\x89PNG":
        return list(_chunks(data, 8, ">", extra=12))
    if data[:4] == b"RIFF":
        return [4, 8, *_chunks(data, 12, "<", extra=8, padded=True)]
    if data[4:8] == b"ftyp":
        return list(_boxes(data, 0, len(data)))
    if data[:2] in (b"II", b"MM"):
        return list(_tiff(data))
    return [6, 13, *(at for at in range(13, len(data)) if data[at] in (0x21, 0x2C, 0x3B))]


def _jpeg(data: bytes) -> Iterator[int]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        yield from (at, at + 2, at + 4)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    yield from (at, len(data) - 2)


def _chunks(data: bytes, at: int, order: str, *, extra: int, padded: bool = False) -> Iterator[int]:
    while at + 8 <= len(data):
        [size] = struct.unpack_from(f"{order}I", data, at + (4 if order == "<" else 0))
        yield from (at, at + 4, at + 8)
        at += size + extra + (size & 1 if padded else 0)
    yield min(at, len(data))


_FULL_BOXES = {b"meta": 4, b"iinf": 6, b"iref": 4}
_HOLDERS = {b"meta", b"iprp", b"ipco", b"iinf", b"iref", b"moov", b"trak"}


def _boxes(data: bytes, at: int, end: int) -> Iterator[int]:
    while at + 8 <= end:
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        yield from (at, at + 8)
        if kind in _HOLDERS:
            yield from _boxes(data, at + 8 + _FULL_BOXES.get(kind, 0), min(end, at + size))
        if size < 8:
            return
        at += size
    yield min(at, end)


def _tiff(data: bytes) -> Iterator[int]:
    order = "<" if data[:2] == b"II" else ">"
    yield from (2, 4, 8)
    [at] = struct.unpack_from(f"{order}I", data, 4)
    if at + 2 <= len(data):
        [count] = struct.unpack_from(f"{order}H", data, at)
        yield from (at, at + 2, *(at + 2 + 12 * number for number in range(count + 1)))
