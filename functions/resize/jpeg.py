"""JPEG's frame header (ISO/IEC 10918-1, B.2.2): which process, and how a reduced picture keeps its last columns."""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from penstock import PermanentError, UnsupportedInput

from .traits import Traits

# Start of frame: the DCT processes, by Huffman or arithmetic coding. Only these can be decoded at a fraction.
_BY_DCT: Final = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))
_LOSSLESS, _LOSSLESS_ARITHMETIC = 0xC3, 0xCB  # libjpeg decodes the first one only
_HIERARCHICAL: Final = frozenset((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF))
_JPEG_LS: Final = 0xF7
_FRAMES: Final = _BY_DCT | _HIERARCHICAL | {_LOSSLESS, _LOSSLESS_ARITHMETIC, _JPEG_LS}
_SEGMENT: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)  # the others have no length
_SCAN: Final = 0xDA
END: Final = b"\xff\xd9"
_COMPONENTS: Final = (1, 3, 4)
_ONE_SCAN: Final = frozenset((0xC0, 0xC1, 0xC9))  # sequential: decoded line by line, if one scan has all components
_MAX_SIDE: Final = 65_500  # libjpeg's own limit
# Of a header. Photographs have some tens of segments: a profile, previews and depth maps are cut into 64 KiB each.
_MAX_SEGMENTS: Final = 2000
_MAX_STRAY_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """`at` is where the height stands in the file; `sampling` is one factor across and one down for each component."""

    process: int
    precision: int
    width: int
    height: int
    at: int
    sampling: Sequence[tuple[int, int]]


def look(name: str, data: bytes) -> Traits:
    """Raise `UnsupportedInput` for a process that libjpeg has not, which a damaged file is not.

    Raises `PermanentError` for a header so long that reading it would be the attack.
    """
    try:
        frame = read_frame(data)
        scan = next((at for marker, at in _segments(data) if marker == _SCAN), None)
    except _EndlessError as exc:
        raise PermanentError(f"{name}: the JPEG is damaged: {exc}") from exc
    if frame is None:
        return Traits(shrinks=False)
    if frame.process == _JPEG_LS:
        raise _unsupported(name, "JPEG-LS")
    if frame.process in _HIERARCHICAL:
        raise _unsupported(name, "a hierarchical JPEG")
    if frame.process == _LOSSLESS_ARITHMETIC:
        raise _unsupported(name, "a lossless JPEG in arithmetic coding")
    if frame.precision != 8:
        raise _unsupported(name, f"a JPEG of {frame.precision} bits a sample")
    if frame.height == 0:  # its number of lines follows the first scan, B.2.5
        raise _unsupported(name, "a JPEG that tells its height after the picture")
    if len(frame.sampling) not in _COMPONENTS:
        raise _unsupported(name, f"a JPEG of {len(frame.sampling)} components")
    return Traits(
        shrinks=frame.process in _BY_DCT,
        uneven=_unevenness(frame.sampling),
        held_bytes=_coefficient_bytes(frame, data, scan),
        # libjpeg adds a missing end itself, after bytes that are not of a picture too.
        fault="its end is missing" if scan is not None and data.rfind(END, scan) < 0 else "",
    )


def _coefficient_bytes(frame: Frame, data: bytes, scan: int | None) -> int:
    """What libjpeg keeps until the last scan: two bytes for each sample, where one scan is not all."""
    if frame.process in _ONE_SCAN and scan is not None and data[scan + 4 : scan + 5] == bytes((len(frame.sampling),)):
        return 0
    widest = max((across for across, _ in frame.sampling), default=1) or 1
    highest = max((down for _, down in frame.sampling), default=1) or 1
    return sum(
        2 * _blocks(frame.width, across, widest) * _blocks(frame.height, down, highest)
        for across, down in frame.sampling
    )


def _unevenness(sampling: Sequence[tuple[int, int]]) -> int:
    """What a reduced decode takes too much from a component that is stored coarser one way than the other: 1, 2 or 4.

    libjpeg decodes a component with larger blocks instead of stretching it, but only both ways alike. So at 1/4 it has
    the colours of 4:2:2 at 1/8 across.
    """
    if not all(across and down for across, down in sampling):
        return 1
    widest, highest = max(across for across, _ in sampling), max(down for _, down in sampling)
    most = 1
    for across, down in sampling:
        wide, high = -(-widest // across), -(-highest // down)
        while wide % 2 == high % 2 == 0:
            wide, high = wide // 2, high // 2
        most = max(most, wide, high)
    return 4 if most > 2 else most


def _blocks(side: int, factor: int, largest: int) -> int:
    """The samples along a side of a component, in whole groups of blocks of 8."""
    return -(-side // (8 * largest)) * 8 * factor


def _unsupported(name: str, what: str) -> UnsupportedInput:
    return UnsupportedInput(f"{name}: {what} is not read; save it as a usual JPEG of 8 bits, or as PNG")


class _EndlessError(ValueError):
    """A header with more in it than any picture has."""


def frame_of(data: bytes) -> Frame | None:
    """As `read_frame`, None for a header that goes on and on."""
    try:
        return read_frame(data)
    except _EndlessError:
        return None


def read_frame(data: bytes) -> Frame | None:
    """The first frame header before the first scan, or None. Stray bytes between segments are stepped over."""
    for marker, at in _segments(data):
        if marker in _FRAMES:
            return _frame(data, at)
    return None


def without_stray(data: bytes) -> bytes:
    """The file without stray bytes between the segments of its header: libjpeg warns of the first oddity alone."""
    try:
        places = list(_segments(data))
    except _EndlessError:
        return data
    parts = [data[:2]]
    for marker, at in places:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        parts.append(data[at:] if marker == _SCAN else data[at : at + 2 + length])
    return b"".join(parts)


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of each segment that has a length, to the first scan and with it."""
    at, stray = 2, 0
    for _ in range(_MAX_SEGMENTS):
        # Fill bytes and markers without a length are stepped over at once, so that many of them cost no time.
        found = _SEGMENT.search(data, at, at + _MAX_STRAY_BYTES - stray + 2)
        if found is None:
            if len(data) - at > _MAX_STRAY_BYTES - stray:
                raise _EndlessError("more than 1 MiB between its segments is none of them")
            return
        stray += found.start() - at
        at = found.start()
        if at + 4 > len(data):
            return
        yield data[at + 1], at
        if data[at + 1] == _SCAN:
            return
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    raise _EndlessError(f"its header has more than {_MAX_SEGMENTS} segments")


def _frame(data: bytes, at: int) -> Frame | None:
    try:
        precision, height, width, count = struct.unpack_from(">B2HB", data, at + 4)
        factors = [data[at + 11 + 3 * index] for index in range(count)]
    except (struct.error, IndexError):
        return None
    return Frame(data[at + 1], precision, width, height, at + 5, [(both >> 4, both & 15) for both in factors])


def widened(data: bytes, factor: int) -> bytes | None:
    """The file with sides that `factor` divides, or None where they cannot be had.

    libvips leaves out the last columns and rows that do not fill a square of `factor` x `factor`. The file has
    them, and what encoders repeat beyond: it stores whole blocks of 8 x 8. So the sides in the header may be
    raised to the next multiple of 2 or 4 without a change in the number of blocks.
    """
    frame = read_frame(data)
    if frame is None or not _blocks_stay(frame):
        return None
    width, height = (-(-side // factor) * factor for side in (frame.width, frame.height))
    if max(width, height) > _MAX_SIDE:
        return None
    return data[: frame.at] + struct.pack(">2H", height, width) + data[frame.at + 4 :]


def _blocks_stay(frame: Frame) -> bool:
    """A component whose factor does not divide the largest one may need a block more for one column more."""
    if not all(across and down for across, down in frame.sampling):
        return False
    widest, highest = max(factor[0] for factor in frame.sampling), max(factor[1] for factor in frame.sampling)
    return all(widest % across == 0 and highest % down == 0 for across, down in frame.sampling)
