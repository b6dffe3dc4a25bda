"""A TIFF of one strip (TIFF 6.0), as libvips is to read it."""

import struct
from collections.abc import Sequence
from typing import Final

_SHORT: Final = 3
_HEADER_BYTES: Final = 8
_OFFSETS, _COUNTS = 273, 279


def written(fields: Sequence[tuple[int, int, Sequence[int]]], strip: bytes | memoryview) -> bytes:
    """The file: `fields` by tag, type (3 short, 4 long) and values, without those of the strip's place and size."""
    placed = sorted([*fields, (_OFFSETS, 4, [_HEADER_BYTES]), (_COUNTS, 4, [len(strip)])])
    start = _HEADER_BYTES + len(strip) + len(strip) % 2
    behind = start + 2 + 12 * len(placed) + 4
    directory, values = struct.pack("<H", len(placed)), b""
    for tag, kind, numbers in placed:
        value = struct.pack(f"<{len(numbers)}{'H' if kind == _SHORT else 'I'}", *numbers)
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", behind + len(values))
        values += value if len(value) > 4 else b""
        directory += struct.pack("<HHI", tag, kind, len(numbers)) + place
    return b"".join((struct.pack("<2sHI", b"II", 42, start), strip, bytes(len(strip) % 2), directory, bytes(4), values))
