"""Compressed strips of a TIFF that hold less than their part of the picture.

libtiff only warns of them and shows what it has. It warns of odd fields too, and libvips passes on no text of a
warning. So a copy without those fields is decoded. What is still warned of there is the picture.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from . import jpeg, jpeg_end

OFFSETS, COUNTS = 273, 279
_PLACES: Final = ((OFFSETS, COUNTS), (324, 325))  # of strips and of tiles
_LENGTH, _COMPRESSION, _ROWS, _TABLES = 257, 259, 278, 347
_LZW, _OLD_JPEG, _JPEG = 5, 6, 7
_DEFLATE: Final = (8, 32_946)
_STORED: Final = 1
# Fields that say how pixels are stored and what they mean, colour profile and orientation among them.
_STORAGE: Final = (*range(256, 260), 262, 266, 273, 274, *range(277, 280), 284, 292, 293, 317, 347)
_MEANING: Final = (*range(318, 321), 332, 338, 339, *range(529, 533), 34_675)
_NEEDED: Final = frozenset((*_STORAGE, *_MEANING))
FIELDS: Final = (OFFSETS, COUNTS, _ROWS, _TABLES)  # that are read here
_END_BYTES: Final = 4
_MAX_STRIPS: Final = 4096  # that are decoded one by one
_PIECE_BYTES: Final = 16 * 1024  # which zlib makes 16 MiB of at most
OTHER_CHECKSUM: Final = "its compressed data do not have the checksum that stands behind them"
ENDS_EARLY: Final = "its compressed data end before the picture does, or do not fit its size"


def zeroed(data: bytes, scheme: int, fields: Mapping[int, Sequence[float]]) -> bool:
    """Whether zero bytes stand where the compressed data of a strip end: no decoder looks at that place.

    A checksum ends those of deflate, and the code 257 those of LZW. Neither is four zero bytes.
    """
    if scheme not in (_LZW, *_DEFLATE):
        return False
    return any(
        size > _END_BYTES and data[int(at + size) - _END_BYTES : int(at + size)] == bytes(_END_BYTES)
        for offsets, counts in _PLACES
        for at, size in zip(fields.get(offsets, ()), fields.get(counts, ()), strict=False)
    )


def has_other_checksum(data: bytes, scheme: int, fields: Mapping[int, Sequence[float]], most_bytes: int) -> bool:
    """Whether a strip or tile that deflate compressed has another checksum than the one behind it (RFC 1950).

    libtiff stops at the last pixel, which is before the checksum. At most `most_bytes` are unpacked, none is kept.
    """
    if scheme not in _DEFLATE:
        return False
    view, left = memoryview(data), most_bytes
    for offsets, counts in _PLACES:
        for at, size in zip(fields.get(offsets, ()), fields.get(counts, ()), strict=False):
            try:
                for unpacked_bytes in _unpacked(view[int(at) : int(at + size)]):
                    left -= unpacked_bytes
                    if left < 0:
                        return False
            except zlib.error as exc:
                if "incorrect data check" in str(exc):
                    return True
                # Of other errors libtiff tells too, if the picture needs these bytes.
    return False


def _unpacked(strip: memoryview) -> Iterator[int]:
    """How many bytes each piece of a strip gives, to the end of its data."""
    inflater = zlib.decompressobj()
    for start in range(0, len(strip), _PIECE_BYTES):
        yield len(inflater.decompress(strip[start : start + _PIECE_BYTES]))
        if inflater.eof:
            return


def with_needed_fields(data: bytes) -> bytes:
    """A copy whose first directory has the fields of the pixels only, in their order, and that has no other page."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    counted, word, step, place = ("Q", "Q", 20, 8) if big else ("H", "I", 12, 4)
    (at,) = struct.unpack_from(order + word, data, place)
    (count,) = struct.unpack_from(order + counted, data, at)
    start = at + struct.calcsize("<" + counted)
    made: dict[int, bytes] = {}
    for entry in range(start, start + count * step, step):
        (tag,) = struct.unpack_from(order + "H", data, entry)
        if tag in _NEEDED:
            made.setdefault(tag, data[entry : entry + step])
    directory = struct.pack(order + counted, len(made)) + b"".join(made[tag] for tag in sorted(made))
    end = len(data) + len(data) % 2
    head = data[:place] + struct.pack(order + word, end)
    return b"".join((head, memoryview(data)[len(head) :], bytes(end - len(data)), directory, bytes(8)))


def fault(data: bytes, fields: Mapping[int, Sequence[float]]) -> str:
    """What a warning that remains is about, or "" where it is not about the pixels."""
    scheme = int(next(iter(fields.get(_COMPRESSION, ())), _STORED))
    offsets, sizes = ([int(value) for value in fields.get(tag, ())] for tag in (OFFSETS, COUNTS))
    if scheme in (_STORED, _OLD_JPEG, *_DEFLATE) or 0 in sizes or len(sizes) != len(offsets):
        return ""  # libtiff warns of the numbers here; where pixels are missing it reports an error
    if scheme == _LZW and all(_is_old_lzw(data[at : at + 2]) for at in offsets):
        return ""
    if scheme == _JPEG and len(offsets) <= _MAX_STRIPS:
        return ENDS_EARLY if any(_pictures_end_early(data, offsets, sizes, fields)) else ""
    return ENDS_EARLY


def _is_old_lzw(start: bytes) -> bool:
    """Whether the first code, 256, comes with its lowest bit first, as before TIFF 5.0."""
    return start[:1] == b"\0" and bool(start[1:2]) and bool(start[1] & 1)


def _pictures_end_early(
    data: bytes, offsets: Sequence[int], sizes: Sequence[int], fields: Mapping[int, Sequence[float]]
) -> Iterator[bool]:
    """For each strip, whether its JPEG is cut or has too few lines; too many are forgiven, as libtiff does."""
    length = int(fields[_LENGTH][0])
    rows = min(int(next(iter(fields.get(_ROWS, ())), length)), length)
    in_plane = -(-length // rows)
    tables = bytes(map(int, fields.get(_TABLES, ())))[:-2]
    for index, (at, size) in enumerate(zip(offsets, sizes, strict=True)):
        strip = data[at : at + size]
        whole = tables + strip[2:] if tables else strip
        frame = jpeg.frame_of(whole)
        if jpeg.END not in strip or frame is None or frame.height < min(rows, length - index % in_plane * rows):
            yield True
        else:
            yield bool(jpeg_end.ends_early(whole))
