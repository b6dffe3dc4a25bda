"""TIFF's directories of tags, which EXIF uses too: TIFF 6.0, BigTIFF, EXIF 3.0."""

import re
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from .notes import Notes
from .source import MAX_PIECE_BYTES, Source, TooManyPartsError, UnreadableError

MAX_ENTRIES = 4096
MAX_NUMBERS = 4_000_000  # of a file: where its strips lie; a hundred thousand pages may name the same ones
ORIENTATION, _DATE, _EXIF = 0x0112, 0x0132, 0x8769
_DATE_ORIGINAL, _OFFSET_ORIGINAL = 0x9003, 0x9011
_OFFSET = r"[+-]\d\d:\d\d"
# Bytes of a value by the number of its type; 1, 2, 6 and 7 are bytes.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}  # of struct
_WHOLE_NUMBERS = (1, 3, 4, 13, 16, 18)
_BYTES = 2


class Tag(NamedTuple):
    type: int
    length: int  # how many values
    field: bytes  # the value itself when it fits, else where it is


class Directory(NamedTuple):
    tags: dict[int, Tag]
    next: int  # where the next one is, or 0
    end: int  # of the directory, and of the values that it names


class Tags:
    """Reads directories and values of one TIFF, from its first byte on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._numbers = 0
        head = source.need(0, 8)
        orders = {b"II*\0": "little", b"MM\0*": "big", b"II+\0": "little", b"MM\0+": "big"}
        if head[:4] not in orders:
            raise UnreadableError("it does not begin as TIFF does")
        self._is_little = orders[head[:4]] == "little"
        self._word = 8 if b"+" in head[:4] else 4
        self.first = self._int(source.need(8, 8) if self._word == 8 else head[4:])

    def directory(self, position: int) -> Directory:
        """The tags of the directory at `position`."""
        count_bytes, entry_bytes = (8, 20) if self._word == 8 else (2, 12)
        count = self._int(self._source.need(position, count_bytes))
        if not 0 < count <= MAX_ENTRIES:
            raise UnreadableError(f"its directory has {count} entries")
        start = position + count_bytes
        data = self._source.need(start, count * entry_bytes)
        tags: dict[int, Tag] = {}
        for at in range(0, len(data), entry_bytes):
            self._source.step()
            entry = data[at : at + entry_bytes]
            number, kind = self._int(entry[:2]), self._int(entry[2:4])
            middle = 4 + self._word
            tags.setdefault(number, Tag(kind, self._int(entry[4:middle]), entry[middle:]))
        following = self._source.at(start + len(data), self._word)
        ends = [self._int(tag.field) + size for tag in tags.values() if (size := self._size(tag)) > self._word]
        end = max(start + len(data) + self._word, *ends, 0)
        return Directory(tags, self._int(following) if len(following) == self._word else 0, end)

    def numbers(self, tag: Tag | None) -> list[int]:
        """The whole numbers of a tag; those within 1 MiB, and none of other types."""
        if tag is None or tag.type not in _WHOLE_NUMBERS:
            return []
        size = _SIZES[tag.type]
        data = self.value_of(tag, size)
        count = len(data) // size
        self._numbers += count
        if self._numbers > MAX_NUMBERS:
            raise TooManyPartsError(f"it has more than {MAX_NUMBERS} strips: the rest was not looked at")
        order = "<" if self._is_little else ">"
        return list(struct.unpack_from(f"{order}{count}{_LETTERS[size]}", data))

    def number(self, tag: Tag | None) -> int | None:
        return next(iter(self.numbers(tag._replace(length=1))), None) if tag and tag.length else None

    def text(self, tag: Tag | None) -> str:
        return self.value_of(tag, 1).decode("latin-1").strip("\0 ") if tag and tag.type == _BYTES else ""

    def _size(self, tag: Tag) -> int:
        return tag.length * _SIZES.get(tag.type, 0)

    def value_of(self, tag: Tag, size: int) -> bytes:
        """The bytes of a tag with values of `size` bytes: in the tag itself, or where it points."""
        length = min(tag.length * size, MAX_PIECE_BYTES)
        if tag.length * size <= self._word:
            return tag.field[:length]
        return self._source.at(self._int(tag.field), length)

    def _int(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self._is_little else "big")


def orientation_and_date(data: bytes, notes: Notes) -> tuple[int, str | None]:
    """What an EXIF block says; 1 and None where it cannot be read, with a warning."""
    try:
        with Source([data.removeprefix(b"Exif\0\0")], keeps=True) as source:
            tags = Tags(source)
            return of_directory(tags, tags.directory(tags.first), notes)
    except UnreadableError as error:
        notes.warn(f"EXIF cannot be read: {error}")
        return 1, None


def of_directory(tags: Tags, directory: Directory, notes: Notes) -> tuple[int, str | None]:
    """EXIF's orientation, 1 to 8, and the date, from the first directory and the one it names."""
    found = tags.number(directory.tags.get(ORIENTATION))
    orientation = 1 if found is None else found
    if orientation not in range(1, 9):
        notes.warn(f"EXIF orientation {orientation} does not exist: taken for 1")
        orientation = 1
    inner: dict[int, Tag] = {}
    place = tags.number(directory.tags.get(_EXIF))
    if place:
        try:
            inner = tags.directory(place).tags
        except UnreadableError as error:
            notes.warn(f"EXIF cannot be read: {error}")
    taken = tags.text(inner.get(_DATE_ORIGINAL)) or tags.text(directory.tags.get(_DATE))
    return orientation, _moment(taken, tags.text(inner.get(_OFFSET_ORIGINAL)))


def _moment(value: str, zone: str) -> str | None:
    """EXIF's `YYYY:MM:DD HH:MM:SS` as ISO 8601; cameras without a clock write zeros or spaces."""
    try:
        moment = datetime.strptime(value, "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None
    return moment + zone if re.fullmatch(_OFFSET, zone) else moment


def furthest(places: Sequence[int], lengths: Sequence[int]) -> int:
    """Where the last of some parts ends; a part without a length ends where it begins."""
    lengths = [*lengths, *[0] * (len(places) - len(lengths))]
    return max((place + length for place, length in zip(places, lengths, strict=False)), default=0)
