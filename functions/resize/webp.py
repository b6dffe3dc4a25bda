"""WebP's chunks (RFC 9649, section 2): the number of frames, and whether an animation can be seen through."""

from typing import Final

from .formats import MAX_PAGES
from .traits import Traits

_HEADER_BYTES: Final = 12
_FLAGS_AT, _ALPHA = 20, 0x10
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
