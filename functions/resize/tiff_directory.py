"""One directory of a TIFF (TIFF 6.0, BigTIFF): its fields that are whole numbers or fractions."""

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 13: 4, 16: 8, 18: 8}  # of the field types that are read here
_LETTERS: Final = {1: "B", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q", 18: "Q"}
_RATIONAL: Final = 5
_MAX_FIELDS, MAX_VALUES = 4096, 1 << 18


@dataclass(frozen=True, slots=True)
class Directory:
    """The fields that are whole numbers or fractions, by tag, and where the values of each stand in the file.

    `following` is where the next directory stands, 0 for none.
    """

    fields: Mapping[int, Sequence[float]]
    places: Mapping[int, int]
    order: str
    following: int = 0

    def one(self, tag: int, default: int) -> int:
        values = self.fields.get(tag)
        return int(values[0]) if values else default


def read_directory(data: bytes, tags: Collection[int], at: int | None = None) -> Directory | None:
    """The directory at a place, or the first one, with the values of these tags; None where it cannot be read."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        return _read_directory(data, order, tags, at, big=data[2:4] in (b"+\0", b"\0+"))
    except (struct.error, IndexError, ZeroDivisionError, OverflowError):
        return None


def _read_directory(data: bytes, order: str, tags: Collection[int], at: int | None, *, big: bool) -> Directory:
    if at is None:
        (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    at += 8 if big else 2
    entry, inline = ("HHQ", 8) if big else ("HHI", 4)
    step = struct.calcsize("<" + entry) + inline
    fields: dict[int, Sequence[float]] = {}
    places: dict[int, int] = {}
    for _ in range(min(count, _MAX_FIELDS)):
        tag, kind, number = struct.unpack_from(order + entry, data, at)
        place = at + step - inline
        if _SIZES.get(kind, 1) * number > inline:
            (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
        if tag not in places:  # libtiff takes the first, too
            places[tag] = place
            if tag in tags and number <= MAX_VALUES:
                fields[tag] = _values(data, order, kind, number, place)
        at += step
    word = order + ("Q" if big else "I")
    following = struct.unpack_from(word, data, at)[0] if at + struct.calcsize(word) <= len(data) else 0
    return Directory(fields, places, order, following)


def _values(data: bytes, order: str, kind: int, number: int, place: int) -> Sequence[float]:
    if kind == _RATIONAL:
        pairs = struct.unpack_from(f"{order}{2 * number}I", data, place)
        return tuple(above / below for above, below in zip(pairs[::2], pairs[1::2], strict=True))
    if kind not in _LETTERS:
        return ()
    return struct.unpack_from(f"{order}{number}{_LETTERS[kind]}", data, place)
