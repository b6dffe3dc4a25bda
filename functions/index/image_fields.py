"""TIFF, BMP, icons and Photoshop: headers that say where the pixels lie, so whether they are there can be told."""

from .exif import Directory, Tags, furthest, of_directory
from .image_streams import TRUNCATED, Picture
from .notes import Notes
from .source import MAX_PIECE_BYTES, Source, UnreadableError

MAX_PAGES = 1000
_WIDTH, _HEIGHT = 0x0100, 0x0101
# Where pixels lie and how long they are: in strips, in tiles, as one JPEG of the old kind.
_PARTS = ((0x0111, 0x0117), (0x0144, 0x0145), (0x0201, 0x0202))
_UNCOMPRESSED_BMP = (0, 3, 6)
_OS2_HEADER_BYTES = 16
_PSD_RLE = 1


def read_tiff(source: Source, picture: Picture, notes: Notes) -> None:
    """TIFF 6.0 and BigTIFF, with samples of any kind. The first directory is described, all have to be there."""
    tags = Tags(source)
    first = tags.directory(tags.first)
    width, height = tags.number(first.tags.get(_WIDTH)), tags.number(first.tags.get(_HEIGHT))
    if width is None or height is None:
        raise UnreadableError("it has no width or no height")
    picture.sized(width, height)
    picture.orientation, picture.date = of_directory(tags, first, notes)
    end, pages, place, seen = _end(tags, first), 1, first.next, {tags.first}
    while place and pages < MAX_PAGES:
        source.step()
        if place in seen:
            notes.warn("TIFF: its directories go in a circle")
            break
        seen.add(place)
        directory = tags.directory(place)
        end, pages, place = max(end, _end(tags, directory)), pages + 1, directory.next
    if pages > 1:
        notes.assume(f"The file has {pages}{' or more' if place else ''} pages: the first is described.")
    if not source.reaches(end):
        raise UnreadableError(TRUNCATED)


def _end(tags: Tags, directory: Directory) -> int:
    """Where the pixels of a directory end, and the values of its tags."""
    ends = [
        furthest(tags.numbers(directory.tags.get(places)), tags.numbers(directory.tags.get(lengths)))
        for places, lengths in _PARTS
    ]
    return max(directory.end, *ends)


def read_bmp(source: Source, picture: Picture, notes: Notes) -> None:
    """Windows and OS/2 bitmaps. `notes` is not needed: a BMP has one picture and no EXIF."""
    del notes
    head = source.need(0, 26)
    file_size, start, header = (int.from_bytes(head[at : at + 4], "little") for at in (2, 10, 14))
    bits, compression, stored = 0, 0, 0
    if header <= _OS2_HEADER_BYTES and header == 12:
        width, height = int.from_bytes(head[18:20], "little"), int.from_bytes(head[20:22], "little")
        bits = int.from_bytes(head[24:26], "little")
    else:
        width = int.from_bytes(head[18:22], "little", signed=True)
        height = int.from_bytes(head[22:26], "little", signed=True)
    picture.sized(abs(width), abs(height))  # a negative height: rows from the top
    if header != 12:
        more = source.need(28, 10)
        bits, compression = int.from_bytes(more[:2], "little"), int.from_bytes(more[2:6], "little")
        stored = int.from_bytes(more[6:10], "little")
    if compression in _UNCOMPRESSED_BMP:
        stored = (abs(width) * bits + 31) // 32 * 4 * abs(height)
    if not source.reaches(max(file_size, start + stored)):
        raise UnreadableError("shorter than its header says: the image is truncated")


def read_icon(source: Source, picture: Picture, notes: Notes) -> None:
    """Windows icons: the largest picture is described."""
    count = int.from_bytes(source.need(4, 2), "little")
    entries = source.need(6, 16 * count)
    largest, end = (0, 0), 0
    for at in range(0, len(entries), 16):
        entry = entries[at : at + 16]
        size, start = int.from_bytes(entry[8:12], "little"), int.from_bytes(entry[12:16], "little")
        largest = max(largest, (entry[0] or 256, entry[1] or 256))
        end = max(end, start + size)
    picture.sized(*largest)
    if count > 1:
        notes.assume(f"The file has {count} pictures: the largest is described.")
    if not source.reaches(end):
        raise UnreadableError(TRUNCATED)


def read_photoshop(source: Source, picture: Picture, notes: Notes) -> None:
    """PSD and PSB, by Adobe's file format specification: four sections, then the pixels of the flattened picture."""
    del notes
    head = source.need(0, 26)
    is_large = head[4:6] == b"\0\2"
    channels, height, width = (int.from_bytes(part, "big") for part in (head[12:14], head[14:18], head[18:22]))
    depth = int.from_bytes(head[22:24], "big")
    picture.sized(width, height)
    place = 26
    for length_bytes in (4, 4, 8 if is_large else 4):
        place += length_bytes + int.from_bytes(source.need(place, length_bytes), "big")
    compression = int.from_bytes(source.need(place, 2), "big")
    place += 2
    if compression == 0:
        end = place + (width * depth + 7) // 8 * height * channels
    elif compression == _PSD_RLE:
        size = 4 if is_large else 2
        table = source.need(place, min(size * height * channels, MAX_PIECE_BYTES))
        rows = (int.from_bytes(table[at : at + size], "big") for at in range(0, len(table), size))
        end = place + size * height * channels + sum(rows)
    else:
        end = place + 1
    if not source.reaches(end):
        raise UnreadableError(TRUNCATED)
