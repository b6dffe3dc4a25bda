"""Read gzip and zstd as streams, a bounded piece at a time, however much they expand to."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from .detect import TEXT_SUFFIXES
from .notes import Notes, blocks

PIECE_BYTES = 256 * 1024
MAX_MEMBERS = 100_000  # a file of empty gzip members costs time and yields nothing
# A block of 4 bytes can stand for 128 KiB (RFC 8878), so a slice for 32 MiB: that bounds what is in memory at once.
SLICE_BYTES = 1024
MAX_WINDOW_BYTES = 32 * 1024 * 1024  # all of the zstd command's levels but --ultra's stay under it
_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")
MAX_HEADER_BYTES = 1024 * 1024  # of a gzip member: it may hold a name, a comment and 64 KiB of anything
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_TRAILER_BYTES = 8  # RFC 1952: the checksum and the size
_ZSTD_CHECKSUM_BYTES = 4  # RFC 8878, 3.1.1


def _end_apart(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, with the last `size` of all in a piece of their own.

    They are a checksum. Where it is wrong, the decompressor gives nothing of the piece that it is in.
    """
    held = b""
    for piece in pieces:
        if len(piece) < size:  # the last one
            held += piece
            continue
        if held:
            yield held
        held = piece
    if held[:-size]:
        yield held[:-size]
    if held:
        yield held[-size:]


def gzip_name(head: bytes) -> str | None:
    """The original file name in a gzip header (RFC 1952, FNAME: ISO 8859-1, ends with NUL), if it has one."""
    flags = head[3] if len(head) > 10 else 0
    start = 10
    if flags & 4:  # FEXTRA
        start += 2 + int.from_bytes(head[10:12], "little")
    end = head.find(b"\0", start)
    return head[start:end].decode("latin-1") or None if flags & 8 and end > start else None


def gunzip(chunks: Iterable[bytes], notes: Notes) -> Iterator[bytes]:
    """Yield what a gzip file holds; damage ends it early and is noted.

    A wrong checksum or length of a member (RFC 1952, 2.3.1) is noted, and nothing is left out.
    """
    from isal import igzip_lib

    members, size = 0, 0
    held = b""  # of a header or a trailer of which more is to come
    decompressor: Any = None
    damage: Any = igzip_lib.error
    for block in blocks(chunks, PIECE_BYTES):
        data, place, held = held + block, 0, b""  # what is before `place` is done
        end = len(data)
        while place < len(data):
            if decompressor is None:
                if members and not _GZIP_MAGIC.startswith(data[place : place + 2]):
                    if data[place:].strip(b"\0"):  # tapes pad with zeros
                        notes.warn(f"something that is not gzip follows gzip member {members}")
                    return
                start = _behind_gzip_header(data, place)
                if start is None and len(data) - place <= MAX_HEADER_BYTES:
                    held = data[place:]
                    break
                members, size = members + 1, 0
                if members > MAX_MEMBERS:
                    notes.stopped(f"more than {MAX_MEMBERS} gzip members: the rest was not read")
                    return
                if not start:
                    notes.stopped(f"gzip is damaged in member {members}: its header cannot be read")
                    return
                decompressor = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP_NO_HDR)
                # A member copies what follows it, so the first bite of it is small: there may be thousands.
                place, end = start, start + SLICE_BYTES
            if not decompressor.eof:
                given, place, end = data[place:end], min(end, len(data)), len(data)
                try:
                    piece = decompressor.decompress(given, PIECE_BYTES)
                    while True:
                        if piece:
                            size += len(piece)
                            yield piece
                        if decompressor.eof or decompressor.needs_input:
                            break
                        piece = decompressor.decompress(b"", PIECE_BYTES)
                except damage as error:
                    notes.stopped(f"gzip is damaged in member {members}: {error}")
                    return
                if not decompressor.eof:
                    continue
                place -= len(decompressor.unused_data)
            trailer = data[place : place + _GZIP_TRAILER_BYTES]
            if len(trailer) < _GZIP_TRAILER_BYTES:
                held = trailer
                break
            for wrong in _differs(trailer, decompressor.crc, size):
                notes.stopped(f"gzip is damaged in member {members}: its {wrong} is wrong")
            place, decompressor = place + _GZIP_TRAILER_BYTES, None
    if (decompressor is not None or held) and notes.complete:
        notes.stopped(f"gzip ends early in member {members + (decompressor is None)}: the file is truncated")


def _behind_gzip_header(data: bytes, start: int) -> int | None:
    """Where a member's header ends (RFC 1952, 2.3), None where more of it is to come, and 0 where it is none."""
    head = data[start : start + 10]
    if len(head) < 10:
        return None
    flags, end = head[3], start + 10
    if head[:3] != _GZIP_MAGIC + b"\x08" or flags >= 32:
        return 0
    if flags & 4:  # FEXTRA
        end += 2 + int.from_bytes(data[end : end + 2], "little")
    for flag in (8, 16):  # FNAME, FCOMMENT
        if flags & flag:
            end = data.find(b"\0", end) + 1
            if not end:
                return None
    end += flags & 2  # FHCRC
    return end if end <= len(data) else None


def _differs(trailer: bytes, checksum: int, size: int) -> Iterator[str]:
    if int.from_bytes(trailer[:4], "little") != checksum:
        yield "checksum"
    elif int.from_bytes(trailer[4:], "little") != size & 0xFFFF_FFFF:
        yield "length"


def unpacked_name(name: str, original_name: str | None) -> str:
    """What the unpacked object is called: as gzip's header says if that tells a kind of text, else without `.gz`."""
    if original_name is not None and original_name.lower().endswith(TEXT_SUFFIXES):
        return original_name
    suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return name.removesuffix(name[len(name) - len(suffix) :])


def zstd_size(head: bytes) -> int | None:
    """The size that a zstd frame header declares (RFC 8878), which says nothing of further frames."""
    import zstandard

    with suppress(zstandard.ZstdError):
        size = zstandard.frame_content_size(head)
        return size if size >= 0 else None
    return None


def unzstd(chunks: Iterable[bytes], notes: Notes) -> Iterator[bytes]:
    """Yield what a zstd file holds, all frames; damage ends it early and is noted.

    Not by zstandard's stream_reader: that takes a truncated file for a whole one.
    """
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    frames = 0
    frame: Any = None
    for rest in _end_apart(blocks(chunks, SLICE_BYTES), _ZSTD_CHECKSUM_BYTES):
        while rest:
            if frame is None:
                frames += 1
                if frames > MAX_MEMBERS:
                    notes.stopped(f"more than {MAX_MEMBERS} zstd frames: the rest was not read")
                    return
                frame = decompressor.decompressobj()
            try:
                piece = frame.decompress(rest)
            except zstandard.ZstdError as error:
                notes.stopped(f"zstd cannot be read in frame {frames}: {error}")
                return
            if piece:
                yield piece
            rest = b""
            if frame.eof:
                rest, frame = frame.unused_data, None
    if frame is not None and notes.complete:
        notes.stopped(f"zstd ends early in frame {frames}: the file is truncated")
