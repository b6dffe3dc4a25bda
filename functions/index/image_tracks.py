"""Sequences of pictures in AVIF and HEIC: the box `moov` says how many there are (ISO 14496-12, 8)."""

from collections.abc import Iterator

from .image_streams import Picture

_MAX_BOXES = 1000
_PICTURES = (b"pict", b"vide")  # not the alpha of another track, `auxv`
_SIZE_BYTES = 8  # at the end of a track's header: width and height with 16 bits behind the point


def read_tracks(moov: bytes, picture: Picture) -> int:
    """How many frames the longest track of pictures has; its size is taken where the file has no picture beside it."""
    frames = 0
    for track in _all(moov, b"trak"):
        media = _first(track, b"mdia")
        if _first(media, b"hdlr")[8:12] not in _PICTURES:
            continue
        table = _first(_first(media, b"minf"), b"stbl")
        counts = _first(table, b"stsz") or _first(table, b"stz2")
        frames = max(frames, int.from_bytes(counts[8:12], "big"))
        size = _first(track, b"tkhd")[-_SIZE_BYTES:]
        width, height = int.from_bytes(size[:2], "big"), int.from_bytes(size[4:6], "big")
        if width and height:
            picture.sized(width, height)
    return frames


def _first(data: bytes, kind: bytes) -> bytes:
    return next(_all(data, kind), b"")


def _all(data: bytes, kind: bytes) -> Iterator[bytes]:
    start = 0
    for _ in range(_MAX_BOXES):
        if start + 8 > len(data):
            return
        size = max(int.from_bytes(data[start : start + 4], "big"), 8)
        if data[start + 4 : start + 8] == kind:
            yield data[start + 8 : start + size]
        start += size
