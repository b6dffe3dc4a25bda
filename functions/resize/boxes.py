"""Boxes of ISO media files (ISO/IEC 14496-12), which AVIF and HEIC are made of."""

import struct
from collections.abc import Iterator
from typing import Final

MAX_BOXES: Final = 10_000  # of one parent: more than any picture has
# What stands at the outermost level. Anything else there is behind the end of the picture.
_OUTERMOST: Final = frozenset((b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"uuid", b"idat"))


def content(data: bytes, *path: bytes) -> bytes:
    """What is in the first box at the end of a path, or nothing."""
    for wanted in path:
        data = next((body for name, body in boxes(data) if name == wanted), b"")
    return data


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box; the last one may reach to the end."""
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = len(data) if size == 0 else at + size
        if end < start:
            return
        if name != b"mdat":  # the pictures themselves, which are not to be copied
            yield name, data[start:end]
        at = end


def cut_short(data: bytes) -> bool:
    """Whether an outermost box reaches beyond the end: what is missing may belong to a picture that is not shown."""
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(data):
            return False
        size, name = struct.unpack_from(">I4s", data, at)
        if name not in _OUTERMOST or size == 0:
            return False
        if size == 1:
            if at + 16 > len(data):
                return True
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size < 8:
            return False
        at += size
        if at > len(data):
            return True
    return False
