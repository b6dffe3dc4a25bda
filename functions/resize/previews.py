"""TIFF whose first page is a preview or a mask, and which page is the picture (TIFF 6.0, NewSubfileType)."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from .tiff_directory import Directory, read_directory

_SUBFILE, _SUB_DIRECTORIES = 254, 330
FIELDS: Final = (_SUBFILE, _SUB_DIRECTORIES)  # that are read here
_REDUCED, _MASK = 1, 4  # of NewSubfileType: a smaller copy of a picture, a mask of it
_MAX_SEARCHED: Final = 32  # pages, and as many behind the first one


class Picture(NamedTuple):
    """Where the directory of a picture stands; `page` counts from 1 and is 0 for one that is behind the first page."""

    page: int
    at: int


def is_beside_a_picture(directory: Directory) -> bool:
    """Whether it is a preview or a mask of another one, by its own word."""
    return bool(directory.one(_SUBFILE, 0) & (_REDUCED | _MASK))


def pictures(data: bytes, first: Directory, count: int) -> Iterator[Picture]:
    """The pages that are pictures of their own, of `count`, and then those that the first page lists.

    The list is that of TIFF Technical Note 1: cameras put the picture itself there.
    """
    at = first.following
    for page in range(2, min(count, _MAX_SEARCHED) + 1):
        directory = read_directory(data, FIELDS, at)
        if directory is None:
            break
        if not is_beside_a_picture(directory):
            yield Picture(page, at)
        at = directory.following
    for place in first.fields.get(_SUB_DIRECTORIES, ())[:_MAX_SEARCHED]:
        directory = read_directory(data, FIELDS, int(place))
        if directory is not None and not is_beside_a_picture(directory):
            yield Picture(0, int(place))


def beginning_with(data: bytes, at: int) -> bytes:
    """A copy whose first directory is the one at this place."""
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    head = data[: 8 if big else 4] + struct.pack(order + ("Q" if big else "I"), at)
    return b"".join((head, memoryview(data)[len(head) :]))
