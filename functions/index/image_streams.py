"""JPEG, PNG, GIF and WebP: parts one after the other, followed to the last without looking into pixels.

Each reader gives the size as soon as its part has come, so that a file that is cut later still has one.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .exif import orientation_and_date
from .notes import Notes
from .source import Source, UnreadableError

MAX_CHECKED_BYTES = 64 * 1024  # chunks of a PNG up to this size have their checksums looked at
_MAX_SUB_BLOCKS = 1_500_000  # of a GIF, 255 bytes each: as much as is read by default
_FIRST_WINDOW_BYTES, _WINDOW_BYTES = 512, 64 * 1024  # most blocks are small, pictures are not

# In data that are coded, FF is followed by 00 or by a restart marker (ITU-T T.81, B.1.1.5); more FF fill up.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff\x01]", re.DOTALL)
# In those of JPEG-LS, the highest bit of the byte behind FF is never set (ITU-T T.87, A.1).
_LS_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]", re.DOTALL)
_SOF_LS = 0xF7
_SOF = frozenset((*range(0xC0, 0xD0), _SOF_LS)) - {0xC4, 0xC8, 0xCC}
_EOI, _SOS, _APP1, _APP2 = 0xD9, 0xDA, 0xE1, 0xE2
_MP_ENTRIES, _MP_PREVIEW = 0xB002, 1  # of the format for several pictures: its tag, and pictures that repeat the first
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))


@dataclass
class Picture:
    """What was found so far; `width` is None until the size is known."""

    width: int | None = None
    height: int | None = None
    orientation: int = 1
    date: str | None = None
    has_exif: bool = False

    def sized(self, width: int, height: int) -> None:
        if self.width is None:
            self.width, self.height = width, height

    def take_exif(self, data: bytes, notes: Notes) -> None:
        """The first EXIF block counts."""
        if not self.has_exif:
            self.has_exif = True
            self.orientation, self.date = orientation_and_date(data, notes)


Reader = Callable[[Source, Picture, Notes], None]
TRUNCATED = "the end is missing: the image is truncated"
SECOND_TRUNCATED = "the end is missing: the second picture is truncated, or not there"


def read_jpeg(source: Source, picture: Picture, notes: Notes) -> None:
    """ITU-T T.81, annex B, and JPEG-LS. Raises `UnreadableError` where it ends early."""
    place, end, pattern = 2, 0, _MARKER
    while True:
        source.step()
        place = source.find(pattern, place, 2)
        if place < 0:
            raise UnreadableError(TRUNCATED)
        marker = source.at(place + 1, 1)[0]
        if marker == _EOI:
            if not source.reaches(end):
                raise UnreadableError(SECOND_TRUNCATED)
            return
        if marker in _ALONE:
            place += 2
            continue
        length = int.from_bytes(source.at(place + 2, 2), "big")
        if length < 2:
            place += 2  # damage; the next marker tells more
            continue
        if marker in _SOF and length >= 7:
            frame = source.need(place + 5, 4)
            picture.sized(int.from_bytes(frame[2:], "big"), int.from_bytes(frame[:2], "big"))
            if marker == _SOF_LS:
                pattern = _LS_MARKER
        if marker == _APP1 and not picture.has_exif:
            segment = source.at(place + 4, length - 2)
            if segment.startswith(b"Exif\0"):
                picture.take_exif(segment[6:], notes)
        if marker == _APP2 and not end and source.at(place + 4, 4) == b"MPF\0":
            end = place + 8 + _end_of_second(source.at(place + 8, length - 6), notes)
        if marker == _SOS and picture.height == 0:
            notes.assume("The JPEG tells its height only behind its first scan: 0 stands for not known.")
        place += 2 + length


def _end_of_second(data: bytes, notes: Notes) -> int:
    """Where the second picture of a file ends, counted from where this list of pictures begins (CIPA DC-007, 5.2)."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    first = number(4, 4)
    fields = {number(at, 2): at for at in range(first + 2, first + 2 + 12 * min(number(first, 2), 100), 12)}
    if _MP_ENTRIES not in fields:
        return 0
    at = fields[_MP_ENTRIES]
    start, size = number(at + 8, 4), number(at + 4, 4)
    places = range(start, min(start + size, len(data)), 16)
    entries = [(number(at, 4), number(at + 4, 4), number(at + 8, 4)) for at in places]
    count = sum(kind >> 16 & 0xFF != _MP_PREVIEW for kind, _, _ in entries)
    if count > 1:
        notes.assume(f"The file has {count} pictures: the first is described.")
    # Pillow writes the second entry right, and wrong ones for all behind it.
    return entries[1][1] + entries[1][2] if len(entries) > 1 and entries[1][2] else 0


def read_png(source: Source, picture: Picture, notes: Notes) -> None:
    """PNG 3rd edition, 5. A wrong checksum in the header is noted, and what the chunk says is taken."""
    place, is_before_pixels, frames = 8, True, 1
    while True:
        source.step()
        head = source.at(place, 8)
        kind, length = head[4:], int.from_bytes(head[:4], "big")
        if len(head) < 8:
            raise UnreadableError(TRUNCATED)
        if not kind.isalpha() or length >= 1 << 31:
            raise UnreadableError(f"byte {place} begins no chunk")
        is_before_pixels = is_before_pixels and kind != b"IDAT"
        if is_before_pixels and length <= MAX_CHECKED_BYTES:
            _check(kind, source.at(place + 4, length + 8), notes)
        if kind == b"IHDR":
            size = source.need(place + 8, 8)
            picture.sized(int.from_bytes(size[:4], "big"), int.from_bytes(size[4:], "big"))
        elif kind == b"eXIf":
            picture.take_exif(source.at(place + 8, length), notes)
        elif kind == b"acTL":
            frames = int.from_bytes(source.at(place + 8, 4), "big")
        place += 12 + length
        if kind == b"IEND":
            if not source.reaches(place):
                raise UnreadableError(TRUNCATED)
            tell_frames(frames, notes)
            return


def _check(kind: bytes, data: bytes, notes: Notes) -> None:
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big") and len(data) >= 8:
        notes.warn(f"PNG: the checksum of chunk {kind.decode('ascii')} is wrong")


def read_gif(source: Source, picture: Picture, notes: Notes) -> None:
    """GIF89a, 17 to 27: blocks until the trailer."""
    head = source.need(0, 13)
    picture.sized(int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"))
    place, frames, seen = 13 + _palette(head[10]), 0, 0
    while True:
        source.step()
        block = source.at(place, 10)
        if block[:1] == b";":
            tell_frames(frames, notes)
            return
        if block[:1] == b"!":
            place += 2
        elif block[:1] == b"," and len(block) == 10:
            frames += 1
            place += 11 + _palette(block[9])
        elif not block or block[:1] == b",":
            raise UnreadableError(TRUNCATED)
        else:
            raise UnreadableError(f"byte {place} begins no block: the image is damaged, or truncated")
        place, seen = _behind_sub_blocks(source, place, seen)


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_sub_blocks(source: Source, place: int, seen: int) -> tuple[int, int]:
    """Where the sub-blocks end that begin at `place`, and how many there have been in this file."""
    window_bytes = _FIRST_WINDOW_BYTES
    while True:
        window = source.at(place, window_bytes)
        window_bytes = _WINDOW_BYTES
        at = 0
        while at < len(window):
            length = window[at]
            at += length + 1
            seen += 1
            if not length:
                return place + at, seen
        if not window:
            raise UnreadableError(TRUNCATED)
        if seen > _MAX_SUB_BLOCKS:
            raise UnreadableError(f"it has more than {_MAX_SUB_BLOCKS} blocks: the rest was not read")
        place += at


def read_webp(source: Source, picture: Picture, notes: Notes) -> None:
    """RFC 9649. The size is that of the canvas when there is one."""
    end = 8 + int.from_bytes(source.need(4, 4), "little")
    place, frames = 12, 0
    while place + 8 <= end:
        source.step()
        head = source.at(place, 18)
        if len(head) < 8:
            break
        kind, data, length = head[:4], head[8:], int.from_bytes(head[4:8], "little")
        if (size := _webp_size(kind, data)) is not None:
            picture.sized(*size)
        frames += kind == b"ANMF"
        if kind == b"EXIF":
            picture.take_exif(source.at(place + 8, length), notes)
        place += 8 + length + length % 2
    if not source.reaches(end):
        raise UnreadableError("shorter than its header says: the image is truncated")
    tell_frames(max(frames, 1), notes)


def _webp_size(kind: bytes, data: bytes) -> tuple[int, int] | None:
    if len(data) < 10:
        return None
    if kind == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    return None


def tell_frames(count: int, notes: Notes) -> None:
    if count > 1:
        notes.assume(f"The picture has {count} frames: the size is that of the whole, the first stands for all.")
