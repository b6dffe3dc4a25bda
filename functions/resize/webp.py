"""WebP's chunks (RFC 9649, section 2): frames, what can be seen through, and sides that a reduced picture needs."""

from typing import Final

from .formats import MAX_PAGES
from .traits import Traits

_HEADER_BYTES: Final = 12
_FLAGS_AT, _ALPHA = 20, 0x10
_CANVAS_BYTES: Final = 3  # of a side in VP8X, less one
_LOSSY_START: Final = b"\x9d\x01\x2a"  # RFC 6386, 9.1: behind the frame tag, before the sides
_MAX_SIDE: Final = 0x3FFF
_MAX_CHUNKS: Final = 2 * MAX_PAGES  # frames and what may stand between them


def look(data: bytes) -> Traits:
    """The number of frames, which its own reader finds in quadratic time; libwebp decides on what is damaged.

    More chunks than are looked at count as frames.
    """
    at, frames, profiled = _HEADER_BYTES, 0, False
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(data):
            return Traits(frames=max(frames, 1), profiled=profiled)
        profiled |= data[at : at + 4] == b"ICCP"
        frames += data[at : at + 4] == b"ANMF"
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return Traits(frames=MAX_PAGES + 1)


def seen_through(data: bytes) -> bytes:
    """An animation with its alpha flag set.

    libwebp sets it by what its frames store, which leave out what no frame covers. Readers show that in black where the
    flag is missing.
    """
    if data[12:16] != b"VP8X":
        return data
    return data[:_FLAGS_AT] + bytes((data[_FLAGS_AT] | _ALPHA,)) + data[_FLAGS_AT + 1 :]


def widened(data: bytes, factor: int) -> bytes | None:
    """A lossy picture of an odd side with sides that `factor` divides, None for all others and where it cannot be had.

    Colours are stored at half the sides, rounded up. Where libwebp shrinks, it stretches light and colours to the same
    size, so colours of an odd side would lie up to a pixel off. The file has whole blocks of 16 x 16 pixels, and what
    encoders repeat in them beyond the edge: the sides in the header may be raised.
    """
    extended, at = None, _HEADER_BYTES
    for _ in range(_MAX_CHUNKS):
        kind, start = data[at : at + 4], at + 8
        if start > len(data) or kind == b"VP8L":
            return None
        if kind == b"VP8 ":
            break
        if kind == b"VP8X":
            extended = start + 4
        length = int.from_bytes(data[at + 4 : start], "little")
        at = start + length + length % 2
    else:
        return None
    places = start + 6, start + 8
    if data[start + 3 : start + 6] != _LOSSY_START or len(data) < start + 10:
        return None
    fields = [int.from_bytes(data[place : place + 2], "little") for place in places]
    raised = [-(-(field & _MAX_SIDE) // factor) * factor for field in fields]
    if not any(field & 1 for field in fields) or max(raised) > _MAX_SIDE:
        return None
    changed = bytearray(data)
    for place, field, side in zip(places, fields, raised, strict=True):
        changed[place : place + 2] = (field & ~_MAX_SIDE | side).to_bytes(2, "little")  # the rest is a wish of scale
    if extended is not None:
        canvas = b"".join((side - 1).to_bytes(_CANVAS_BYTES, "little") for side in raised)
        changed[extended : extended + len(canvas)] = canvas
    return bytes(changed)
