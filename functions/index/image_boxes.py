"""AVIF and HEIC: boxes (ISO 14496-12), and in the box `meta` which item is the picture (ISO 23008-12).

Pictures of a grid have one size for the whole, so no tile is looked at. Where `clap` cuts the edges off, the size is
that of what is left: no reader shows the rest. The orientation is what `irot` and `imir` say:
by the standard a reader turns the picture by these, and EXIF's own value does not count.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .exif import orientation_and_date
from .image_streams import TRUNCATED, Picture, tell_frames
from .image_tracks import read_tracks
from .notes import Notes
from .source import MAX_PIECE_BYTES, Source, UnreadableError

_MAX_BOXES = 10_000
_MAX_EXIF_BYTES = 256 * 1024
_MAX_PROPERTY_BYTES = 32  # no property that is looked at is longer
_PICTURES = frozenset(
    (b"hvc1", b"hev1", b"av01", b"avc1", b"jpeg", b"j2k1", b"vvc1", b"unci", b"grid", b"iovl", b"iden")
)
# Items that belong to another picture: the first is their own end of the reference, the second the other end.
_PARTS_OF_OTHERS = {b"thmb": 0, b"auxl": 0, b"dimg": 1}
# By how often irot turns anticlockwise by 90 degrees, and by imir's axis: None without one, 0 top to bottom, 1 sides.
_ORIENTATIONS = {
    (0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip


class _Box(NamedTuple):
    kind: bytes
    start: int  # of what it holds
    end: int


class _Place(NamedTuple):
    """Where an item lies: in the file, or in the box `idat`."""

    is_in_file: bool
    start: int
    length: int


@dataclass
class _Meta:
    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    parts: set[int] = field(default_factory=set)  # items that are hidden, or parts of other pictures
    places: dict[int, list[_Place]] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    used: dict[int, list[int]] = field(default_factory=dict)


def read_boxes(source: Source, picture: Picture, notes: Notes) -> None:
    """Raises `UnreadableError` for a file without a picture's size, and for one that ends early."""
    place, end, meta_is_read = 0, 0, False
    while True:
        source.step()
        head = source.at(place, 16)
        if len(head) < 8 or not head[4:8].isalnum():
            break
        size, start = _size(head)
        if not size:  # up to the end of the file
            break
        if head[4:8] == b"moov":
            frames = read_tracks(source.at(place + start, min(size - start, MAX_PIECE_BYTES)), picture)
            tell_frames(frames, notes)
        if head[4:8] == b"meta" and not meta_is_read:
            meta_is_read = True
            if size > MAX_PIECE_BYTES:
                raise UnreadableError(f"its box meta has {size} bytes")
            meta = _read_meta(source.need(place + start, size - start))
            end = _describe(meta, source, picture, notes)
            _tell_pictures(meta, notes)
        place += size
    if picture.width is None:
        raise UnreadableError(TRUNCATED if not source.reaches(place) else "it has no size")
    if not source.reaches(max(place, end)):
        raise UnreadableError(TRUNCATED)


def _size(head: bytes) -> tuple[int, int]:
    """The length of a box, 0 for one up to the end, and how long its own header is."""
    size = int.from_bytes(head[:4], "big")
    if size == 1 and len(head) == 16:
        return max(int.from_bytes(head[8:], "big"), 16), 16
    return (0, 8) if size == 0 else (max(size, 8), 8)


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        size, header = _size(data[start : start + 16])
        stop = min(start + size, end) if size else end
        yield _Box(data[start + 4 : start + 8], start + header, stop)
        start = stop


def _int(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "big")


def _read_meta(data: bytes) -> _Meta:
    meta = _Meta()
    for box in _boxes(data, 4, len(data)):  # behind version and flags
        version = data[box.start] if box.start < box.end else 0
        if box.kind == b"pitm":
            meta.primary = _int(data, box.start + 4, 2 if version == 0 else 4)
        elif box.kind == b"iinf":
            _read_kinds(meta, data, box._replace(start=box.start + (6 if version == 0 else 8)))
        elif box.kind == b"iloc":
            _read_places(meta, data[box.start : box.end], version)
        elif box.kind == b"iprp":
            _read_properties(meta, data, box)
        elif box.kind == b"iref":
            _read_references(meta, data, box._replace(start=box.start + 4), 2 if version == 0 else 4)
    return meta


def _read_kinds(meta: _Meta, data: bytes, within: _Box) -> None:
    for box in _boxes(data, within.start, within.end):
        version = data[box.start] if box.start < box.end else 0
        id_bytes = 2 if version < 3 else 4
        kind = box.start + 4 + id_bytes + 2
        if box.kind == b"infe" and version >= 2:
            item = _int(data, box.start + 4, id_bytes)
            meta.kinds[item] = data[kind : kind + 4]
            if data[box.start + 3] & 1:  # hidden (ISO 23008-12, 6.4.2)
                meta.parts.add(item)


def _read_references(meta: _Meta, data: bytes, within: _Box, id_bytes: int) -> None:
    """The box `iref`: which items are thumbnails, alpha or depth of another one, or what it is put together from."""
    for box in _boxes(data, within.start, within.end):
        end_of_part = _PARTS_OF_OTHERS.get(box.kind)
        if end_of_part is None:
            continue
        start = box.start + id_bytes + 2
        others = data[start : min(start + id_bytes * _int(data, box.start + id_bytes, 2), box.end)]
        if end_of_part == 0:
            meta.parts.add(_int(data, box.start, id_bytes))
        else:
            meta.parts.update(_int(others, at, id_bytes) for at in range(0, len(others), id_bytes))


def _tell_pictures(meta: _Meta, notes: Notes) -> None:
    others = {item for item, kind in meta.kinds.items() if kind in _PICTURES} - meta.parts - {meta.primary}
    if others:
        notes.assume(f"The file has {1 + len(others)} pictures: the main one is described.")


def _read_places(meta: _Meta, data: bytes, version: int) -> None:
    """The box `iloc`; the widths of its fields are in its head."""
    offset_bytes, length_bytes = data[4] >> 4, data[4] & 15
    base_bytes, index_bytes = data[5] >> 4, data[5] & 15 if version else 0
    id_bytes = 4 if version == 2 else 2
    count, at = _int(data, 6, id_bytes), 6 + id_bytes
    for _ in range(min(count, len(data))):
        if at >= len(data):
            return
        item, at = _int(data, at, id_bytes), at + id_bytes
        method, at = (_int(data, at, 2) & 15, at + 2) if version else (0, at)
        base, at = _int(data, at + 2, base_bytes), at + 2 + base_bytes
        extents, at = _int(data, at, 2), at + 2
        places = meta.places.setdefault(item, [])
        # An extent of no bytes says the same each time.
        width = index_bytes + offset_bytes + length_bytes
        for _ in range(min(extents, (len(data) - at) // width if width else 1)):
            at += index_bytes
            start, at = base + _int(data, at, offset_bytes), at + offset_bytes
            length, at = _int(data, at, length_bytes), at + length_bytes
            places.append(_Place(method == 0, start, length))


def _read_properties(meta: _Meta, data: bytes, within: _Box) -> None:
    for box in _boxes(data, within.start, within.end):
        if box.kind == b"ipco":
            meta.properties = [
                (inner.kind, data[inner.start : min(inner.end, inner.start + _MAX_PROPERTY_BYTES)])
                for inner in _boxes(data, box.start, box.end)
            ]
        elif box.kind == b"ipma":
            _read_used(meta, data[box.start : box.end])


def _read_used(meta: _Meta, data: bytes) -> None:
    """The box `ipma`: which properties each item has, counted from 1."""
    if len(data) < 8:
        return
    id_bytes, index_bytes = 2 if data[0] == 0 else 4, 2 if data[3] & 1 else 1
    mask, at = (0x7FFF, 8) if index_bytes == 2 else (0x7F, 8)
    for _ in range(min(_int(data, 4, 4), len(data))):
        if at >= len(data):
            return
        item, count = _int(data, at, id_bytes), _int(data, at + id_bytes, 1)
        at += id_bytes + 1
        indexes = [_int(data, at + n * index_bytes, index_bytes) & mask for n in range(count)]
        meta.used.setdefault(item, []).extend(indexes)
        at += count * index_bytes


def _describe(meta: _Meta, source: Source, picture: Picture, notes: Notes) -> int:
    """Fill in what is known, and return where the last item ends."""
    turns, axis, size = 0, None, None
    for index in meta.used.get(meta.primary, []):
        kind, value = meta.properties[index - 1] if 0 < index <= len(meta.properties) else (b"", b"")
        if kind == b"ispe" and len(value) >= 12:
            size = _int(value, 4, 4), _int(value, 8, 4)
        elif kind == b"clap" and size is not None:
            size = _cut(size, value, is_on_its_side=turns % 2 == 1)
        elif kind == b"irot" and value:
            turns = value[0] & 3
        elif kind == b"imir" and value:
            axis = value[0] & 1
    if size is not None:
        picture.sized(*size)
    places = [place for item in meta.places.values() for place in item if place.is_in_file]
    exif = next((item for item, kind in meta.kinds.items() if kind == b"Exif"), None)
    for place in meta.places.get(exif, [])[:1] if exif is not None else []:
        if place.is_in_file:
            _take_exif(source.at(place.start, min(place.length, _MAX_EXIF_BYTES)), picture, notes)
    picture.orientation = _ORIENTATIONS[turns, axis]
    return max((place.start + place.length for place in places), default=0)


def _cut(size: tuple[int, int], value: bytes, *, is_on_its_side: bool) -> tuple[int, int]:
    """What the clean aperture leaves of a picture (ISO 14496-12, 12.1.4): numerators and denominators of its sides."""
    if len(value) < 16:
        return size
    left = []
    for at in (0, 8):
        numerator, denominator = _int(value, at, 4), _int(value, at + 4, 4)
        left.append((numerator + denominator // 2) // denominator if denominator else 0)
    if is_on_its_side:
        left.reverse()
    # One that is larger than the picture, or has nothing in it, is not one.
    return (left[0], left[1]) if all(0 < part <= whole for part, whole in zip(left, size, strict=True)) else size


def _take_exif(data: bytes, picture: Picture, notes: Notes) -> None:
    """The item begins with where in it the TIFF header is."""
    skipped = 4 + _int(data, 0, 4)
    if len(data) > 4 and skipped < len(data):
        ignored = Notes()
        picture.has_exif = True
        _, picture.date = orientation_and_date(data[skipped:], ignored)
        for warning in ignored.warnings:
            if not warning.startswith("EXIF orientation"):
                notes.warn(warning)
