"""TIFF's chain of directories (TIFF 6.0, BigTIFF): how many pages there are, and whether the file has all of them.

Only the first page is decoded, so no decoder notices that the others are cut off.
"""

import struct
from collections.abc import Iterator
from typing import Final

from .formats import MAX_PAGES

_COMPRESSION: Final = 259
_PLACES: Final = {273: 279, 324: 325}  # offsets of strips and of tiles, and the tags of their bytes
_FORMATS: Final = {3: "H", 4: "I", 16: "Q"}
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_OLD_JPEG: Final = 6  # whose strips may be anything
_MAX_FIELDS: Final = 4096  # of one directory
_MAX_VALUES: Final = 1 << 18  # of one file: more are not looked at
_CUT: Final = "it is cut short"


def walk(data: bytes) -> tuple[int, str]:
    """The number of pages, to one more than is read, and what is missing, or ""."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    count_of, place_of, step = (order + "Q", order + "Q", 20) if big else (order + "H", order + "I", 12)
    found, place, left = 0, 8 if big else 4, _MAX_VALUES
    seen: set[int] = set()
    try:
        while found <= MAX_PAGES:
            (at,) = struct.unpack_from(place_of, data, place)
            if at == 0 or at in seen:
                break
            seen.add(at)
            (fields,) = struct.unpack_from(count_of, data, at)
            start = at + struct.calcsize(count_of)
            if left > 0:
                listed = min(fields, _MAX_FIELDS)
                # The decoder knows best about the pixels of the first page, and forgives a place that is no place.
                reach, looked = _reach(data, order, start, listed, step) if found else (0, 0)
                left -= looked + fields
                ends = (
                    end for place, end in _far_values(data, order, start, listed, step) if found or place < len(data)
                )
                if max(reach, *ends, 0) > len(data):
                    return found + 1, _CUT
            found += 1
            place = start + fields * step
    except (struct.error, OverflowError):  # the latter for places beyond any file's end
        return max(found, 1), _CUT
    return max(found, 1), ""


def _reach(data: bytes, order: str, start: int, fields: int, step: int) -> tuple[int, int]:
    """Where the last strip or tile of a directory ends, and how many numbers were read for that."""
    entries: dict[int, tuple[int, int, int]] = {}
    for at in range(start, start + fields * step, step):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag == _COMPRESSION or tag in _PLACES or tag in _PLACES.values():
            (number,) = struct.unpack_from(order + ("Q" if step == 20 else "I"), data, at + 4)
            entries.setdefault(tag, (kind, number, at + step - (8 if step == 20 else 4)))
    if entries.keys() <= {_COMPRESSION}:
        return 0, 0
    scheme = _values(data, order, entries.get(_COMPRESSION), step)
    reach = looked = 0
    for offsets, sizes in _PLACES.items():
        starts, lengths = (_values(data, order, entries.get(tag), step) for tag in (offsets, sizes))
        looked += len(starts) + len(lengths)
        if _OLD_JPEG not in scheme:
            reach = max((reach, *(at + size for at, size in zip(starts, lengths, strict=False))))
    return reach, looked


def _far_values(data: bytes, order: str, start: int, fields: int, step: int) -> Iterator[tuple[int, int]]:
    """Where the values of a directory begin and end that do not stand in it: tables, texts, fractions."""
    inline, word = (8, "Q") if step == 20 else (4, "I")
    for at in range(start, start + fields * step, step):
        kind, number, place = struct.unpack_from(f"{order}2xH2{word}", data, at)
        size = _SIZES.get(kind, 0) * number
        if size > inline:
            yield place, place + size


def _values(data: bytes, order: str, entry: tuple[int, int, int] | None, step: int) -> tuple[int, ...]:
    if entry is None or entry[0] not in _FORMATS or entry[1] > _MAX_VALUES:
        return ()
    kind, number, place = entry
    letters = f"{order}{number}{_FORMATS[kind]}"
    if struct.calcsize(letters) > (8 if step == 20 else 4):
        (place,) = struct.unpack_from(order + ("Q" if step == 20 else "I"), data, place)
    return struct.unpack_from(letters, data, place)
