"""Tiled TIFF read as strips: every tile is checked, and tiles in separate planes can be read.

For a tile that cannot be decoded libvips shows black and reports no error. A tile and a strip are compressed alike
(TIFF 6.0, section 15), so a copy of the file calls its tiles the strips of a tall picture. libvips reports what is
wrong with a strip. The tall picture is then cut and laid out again.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_WIDTH, _LENGTH, _STRIP_OFFSETS, _ROWS, _STRIP_BYTES, _PLANAR = 256, 257, 273, 278, 279, 284
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
FIELDS: Final = (_WIDTH, _LENGTH, _PLANAR, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES)
_RENAMED: Final = {_TILE_OFFSETS: _STRIP_OFFSETS, _TILE_BYTES: _STRIP_BYTES}
_REPLACED: Final = frozenset(
    (_WIDTH, _LENGTH, _ROWS, _STRIP_OFFSETS, _STRIP_BYTES, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES)
)
_LONG, _SEPARATE, _MAX_LENGTH = 4, 2, 10_000_000


@dataclass(frozen=True, slots=True)
class Tiles:
    """The size of the picture and of its tiles in pixels, and how many of them lie in a row and in a column."""

    width: int
    height: int
    tile_width: int
    tile_height: int

    @property
    def across(self) -> int:
        return -(-self.width // self.tile_width)

    @property
    def down(self) -> int:
        return -(-self.height // self.tile_height)

    @property
    def pixels(self) -> int:
        """Of all tiles, with what lies beyond the picture."""
        return self.across * self.down * self.tile_width * self.tile_height


def find(fields: Mapping[int, Sequence[float]]) -> Tiles | None:
    """The tiles of a directory, None for a picture in strips or one whose numbers are none."""
    numbers = [
        int(values[0]) if (values := fields.get(tag)) else 0 for tag in (_WIDTH, _LENGTH, _TILE_WIDTH, _TILE_LENGTH)
    ]
    return Tiles(*numbers) if all(number > 0 for number in numbers) else None


def fault(data: bytes, fields: Mapping[int, Sequence[float]], tiles: Tiles, samples: int) -> str:
    """What is missing of the tiles, or ""."""
    planes = samples if _first(fields, _PLANAR, 1) == _SEPARATE else 1
    count = tiles.across * tiles.down * planes
    offsets, sizes = fields.get(_TILE_OFFSETS, ()), fields.get(_TILE_BYTES, ())
    if len(offsets) < count or len(sizes) < count:
        return f"{min(len(offsets), len(sizes))} of its {count} tiles are there"
    if any(at + size > len(data) for at, size in zip(offsets[:count], sizes[:count], strict=True)):
        return "it is cut short: a tile reaches beyond its end"
    return ""


def left_out(fields: Mapping[int, Sequence[float]]) -> bool:
    """Whether some tiles have no bytes: a writer of sparse files left out what it takes for empty."""
    sizes = fields.get(_TILE_BYTES, ())
    return bool(sizes) and 0 in sizes


def as_strips(data: bytes, order: str, *, big: bool, tiles: Tiles) -> bytes | None:
    """A copy whose first directory has strips for tiles, None where the tall picture would be too tall for libvips."""
    length = tiles.across * tiles.down * tiles.tile_height
    if length > _MAX_LENGTH:
        return None
    entry, inline, word, counted, place = ("HHQ", 8, "Q", "Q", 8) if big else ("HHI", 4, "I", "H", 4)
    (at,) = struct.unpack_from(order + word, data, place)
    (count,) = struct.unpack_from(order + counted, data, at)
    at += struct.calcsize("<" + counted)
    step = struct.calcsize("<" + entry) + inline
    made = {
        tag: struct.pack(order + entry, tag, _LONG, 1) + struct.pack(order + "I", value).ljust(inline, b"\0")
        for tag, value in ((_WIDTH, tiles.tile_width), (_LENGTH, length), (_ROWS, tiles.tile_height))
    }
    for start in range(at, at + count * step, step):
        (tag,) = struct.unpack_from(order + "H", data, start)
        new = _RENAMED.get(tag, tag)
        if tag in _RENAMED or tag not in _REPLACED:
            made.setdefault(new, struct.pack(order + "H", new) + data[start + 2 : start + step])
    directory = struct.pack(order + counted, len(made)) + b"".join(made[tag] for tag in sorted(made)) + bytes(inline)
    end = len(data) + len(data) % 2
    head = data[:place] + struct.pack(order + word, end)
    return b"".join((head, memoryview(data)[len(head) :], bytes(end - len(data)), directory))


def _first(fields: Mapping[int, Sequence[float]], tag: int, default: int) -> int:
    values = fields.get(tag)
    return int(values[0]) if values else default
