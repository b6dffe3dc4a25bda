"""PNG's chunks before the picture (PNG third edition): what they say of colour, and which of them counts."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from penstock import PermanentError, UnsupportedInput

from . import cicp
from .icc import SRGB, Gamut, matrix_profile, srgb_profile, srgb_table, table
from .traits import Traits

_SIGNATURE_BYTES, _INTERLACE_AT = 8, 28
_TAIL_BYTES: Final = 64  # where the end usually is
_END: Final = b"IEND\xaeB`\x82"
_GAMMA_OF_SRGB: Final = 45_455  # 11.3.2.2: what stands beside or for sRGB, although sRGB's curve is not a power
_GAMMA_TOLERANCE: Final = 455
_GAMMAS: Final = range(16, 625_000_001)  # libpng's own bounds: with others all would be black or white
_FIRST_NAME: Final = slice(12, 16)
_MAX_CHUNKS, _MAX_CHUNK_BYTES = 1000, 64  # of those before the picture; the ones that count are short
_MAX_WALKED: Final = 100_000  # chunks up to EXIF behind the picture, which encoders cut into pieces of 8 KiB


def look(name: str, data: bytes) -> Traits:
    """What libpng does not pass on; it decides on what is damaged, but for a missing end, which it does not look for.

    Raises `UnsupportedInput` for the files of iOS apps, whose pixels are stored in another way, and `PermanentError`
    for a header of more chunks than any picture has.
    """
    if data[_FIRST_NAME] == b"CgBI":  # Apple's, before IHDR: deflate without zlib's header, blue first, times alpha
        raise UnsupportedInput(f"{name}: a PNG of an iOS app (CgBI) is not read; save it as a usual PNG")
    try:
        traits = replace(
            _colour(data),
            interlaced=data[_INTERLACE_AT : _INTERLACE_AT + 1] == b"\1",
            data=_with_exif_before(data),
        )
    except _EndlessError as exc:
        raise PermanentError(f"{name}: the PNG is damaged: {exc}") from exc
    whole = _END in data[-_TAIL_BYTES:] or _END in data
    return traits if whole else replace(traits, fault="its end is missing")


def _colour(data: bytes) -> Traits:
    chunks = dict(_chunks(data))
    frames = int.from_bytes(chunks.get(b"acTL", b"")[:4], "big") or None
    # 4.3: cICP counts before iCCP, that before sRGB, that before cHRM and gAMA.
    if len(chunks.get(b"cICP", b"")) == 4:
        primaries, transfer, matrix, full = chunks[b"cICP"]
        profile, more = cicp.told(primaries, transfer, full_range=full != 0)
        if profile is not None and matrix == 0:
            return Traits(profile=profile, outranks=True, frames=frames, notes=more)
    # A profile in iCCP is known to libvips. These count only where there is none that can be read.
    return Traits(profile=_from_numbers(chunks), frames=frames, profiled=b"iCCP" in chunks)


def _from_numbers(chunks: dict[bytes, bytes]) -> bytes | None:
    """A profile by sRGB, or by cHRM and gAMA; either of the two may be missing. None when there is nothing to go by."""
    if b"sRGB" in chunks:
        return srgb_profile()
    gamma, points = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    told = int.from_bytes(gamma, "big")
    value = told if len(gamma) == 4 and told in _GAMMAS else 0
    curve = srgb_table()
    if value and abs(value - _GAMMA_OF_SRGB) > _GAMMA_TOLERANCE:
        curve = table(lambda at: at ** (100_000 / value))
    if len(points) != 32:
        return matrix_profile(SRGB, [curve]) if value else None
    white, red, green, blue = ((x / 100_000, y / 100_000) for x, y in struct.iter_unpack(">2I", points))
    try:
        return matrix_profile(Gamut(red, green, blue, white), [curve])
    except ValueError:
        return None  # numbers that are not colours: libpng leaves them out too


def _with_exif_before(data: bytes) -> bytes | None:
    """A copy whose `eXIf` stands before the picture, None where none stands behind it: libvips looks no further."""
    at, first, seen = _SIGNATURE_BYTES, 0, set[bytes]()
    for _ in range(_MAX_WALKED):
        if at + 8 > len(data):
            return None
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if name == b"IDAT":
            first = first or at
        elif name == b"eXIf" and first and name not in seen and end <= len(data):
            return data[:first] + data[at:end] + data[first:at] + data[end:]
        seen.add(name)
        at = end
    return None


class _EndlessError(ValueError):
    """A header with more in it than any picture has."""


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk up to the first of the picture's own."""
    at = _SIGNATURE_BYTES
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            return
        yield name, data[at + 8 : at + 8 + min(length, _MAX_CHUNK_BYTES)]
        at += 12 + length
    raise _EndlessError(f"its header has more than {_MAX_CHUNKS} chunks")
