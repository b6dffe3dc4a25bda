"""GIF's blocks (GIF89a): whether the file is whole, and a copy of it that libvips shows as browsers do.

libvips gives no alpha unless a frame names a transparent colour. What no frame covers is then black, and what a frame
leaves behind is its background colour. Browsers leave both transparent.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from .traits import Traits

_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_HEADER_BYTES: Final = 13
_TO_BACKGROUND, _TO_PREVIOUS = 2, 3  # what happens to a frame's place before the next one
_CONTROL_BYTES: Final = 8
_LARGEST_CODE_SIZE: Final = 8
_MAX_CODES, _MAX_WIDTH = 4096, 12
_MAX_READ_BYTES: Final = 1 << 20  # of one file: reading codes is slow
_FREE_STEPS, _STEP_BYTES = 100_000, 64
# A frame of one transparent pixel, and the trailer. It follows the frames that are asked for, so it never shows.
_BLANK: Final = bytes.fromhex("21f9040100000000 2c000000000100010080 000000000000 02024401 00 3b")


@dataclass(frozen=True, slots=True)
class Frame:
    """`control` is where its graphic control extension stands, None for none; its codes are at `pixels` to `end`."""

    left: int
    top: int
    width: int
    height: int
    start: int
    control: int | None
    disposal: int
    transparent: bool
    pixels: int
    end: int = 0

    def hides(self, other: "Frame") -> bool:
        """Whether nothing of the other's place is seen any more, also when this one is taken away again."""
        return self.disposal != _TO_PREVIOUS and self.covers(other)

    def covers(self, other: "Frame") -> bool:
        return (
            not self.transparent
            and self.left <= other.left
            and self.top <= other.top
            and self.left + self.width >= other.left + other.width
            and self.top + self.height >= other.top + other.height
        )


def look(data: bytes) -> Traits:
    """A file that ends before its trailer is at fault: frames may be missing that nothing else shows.

    So is one of more blocks than any picture of its length has.
    """
    cleaned: bytes | None = None
    try:
        frames, end, stray = _read(data)
        if any(frame.end in stray and not _is_ended(data, frame) for frame in frames):
            return Traits(fault="the data of a picture end early, and stray bytes follow", frames=len(frames))
        if stray:  # libvips takes them for the end
            data = cleaned = _without(data, sorted(stray))
            frames, end = read_frames(data)
    except (IndexError, struct.error):
        return Traits(fault="it is cut short")
    except _EndlessError as exc:
        return Traits(fault=str(exc))
    if not frames:
        return Traits(frames=0, data=cleaned)
    changed = _with_alpha(data, frames, end)
    if changed is not None or any(frame.transparent for frame in frames) or _is_ended(data, frames[0]):
        return Traits(data=cleaned if changed is None else changed, frames=len(frames))
    # Codes that end too early leave the rest of their frame empty, which shows in alpha alone.
    return Traits(data=data[:end] + _BLANK, covered=True, frames=len(frames))


def _is_ended(data: bytes, frame: Frame) -> bool:
    """Whether the codes of a frame end with the code for the end, by their last bits: other codes do so by chance."""
    size = data[frame.pixels]
    end, least = (1 << size) + 1, size + 1
    tail = int.from_bytes(data[frame.end - 4 : frame.end - 1], "little")
    for unused in range(8):  # bits of the last byte
        for width in range(least, _MAX_WIDTH + 1):
            if tail >> 24 - unused - width == end:
                return True
    return False


class _EndlessError(ValueError):
    """More parts than any picture of its length has."""


class _Steps:
    """Bounds what is stepped over in Python: a block of a usual file has 255 bytes."""

    def __init__(self, data: bytes) -> None:
        self._left = _FREE_STEPS + len(data) // _STEP_BYTES

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _EndlessError("it has more blocks than a picture of its length")


def read_frames(data: bytes) -> tuple[list[Frame], int]:
    """Every frame, and where the trailer stands."""
    frames, end, _ = _read(data)
    return frames, end


def _read(data: bytes) -> tuple[list[Frame], int, set[int]]:
    """Every frame, where the trailer stands, and where stray bytes stand before it."""
    at = _HEADER_BYTES + _colours(data[10]) * 3
    frames, stray = list[Frame](), set[int]()
    control: int | None = None
    steps = _Steps(data)
    while data[at] != _TRAILER:
        steps.take()
        block = data[at]
        if block == _IMAGE:
            frame = _frame(data, at, control)
            at, control = _after_blocks(data, frame.pixels + 1, steps), None
            frames.append(replace(frame, end=at))
        elif block == _EXTENSION:
            if data[at + 1] == _CONTROL:
                control = at
            at = _after_blocks(data, at + 2, steps)
        else:
            stray.add(at)  # padding and others, which most decoders step over
            at += 1
    return frames, at, stray


def _without(data: bytes, stray: Sequence[int]) -> bytes:
    places = [-1, *stray, len(data)]
    return b"".join(data[before + 1 : after] for before, after in pairwise(places))


def _frame(data: bytes, at: int, control: int | None) -> Frame:
    left, top, width, height, packed = struct.unpack_from("<4HB", data, at + 1)
    flags = 0 if control is None else data[control + 3]
    return Frame(
        left,
        top,
        width,
        height,
        start=at,
        control=control,
        disposal=flags >> 2 & 7,
        transparent=bool(flags & 1),
        pixels=at + 10 + _colours(packed) * 3,
    )


def _colours(packed: int) -> int:
    return 2 << (packed & 7) if packed & 0x80 else 0


def _after_blocks(data: bytes, at: int, steps: _Steps) -> int:
    """After the sub-blocks that begin here, and the empty one that ends them."""
    while data[at]:
        steps.take()
        at += 1 + data[at]
    return at + 1


def _with_alpha(data: bytes, frames: Sequence[Frame], end: int) -> bytes | None:
    """A copy with alpha where the canvas shows through, or None where it does not."""
    canvas = _canvas(data, frames)
    left = [
        frame
        for frame, after in pairwise(frames)
        if frame.disposal == _TO_BACKGROUND and not frame.transparent and not after.hides(frame)
    ]
    covered = frames[0].covers(canvas) and (len(frames) == 1 or frames[0].disposal != _TO_PREVIOUS)
    if not left and (covered or any(frame.transparent for frame in frames)):
        return None
    parts, at, allowed = [], 0, _MAX_READ_BYTES
    for frame in left:
        codes = codes_of(data, frame)
        allowed -= len(codes)
        unused = unused_colour(data[frame.pixels], codes) if allowed >= 0 else None
        if unused is None:
            continue
        control = frame.control
        place = frame.start if control is None else control
        parts += [data[at:place], _control(data, control, unused)]
        at = place if control is None else place + _CONTROL_BYTES
    return b"".join([*parts, data[at:end], _BLANK])


def _canvas(data: bytes, frames: Sequence[Frame]) -> Frame:
    width, height = struct.unpack_from("<2H", data, 6)
    first = frames[0]
    # A first frame larger than the canvas makes it larger, as libvips has it.
    width, height = max(width, first.left + first.width), max(height, first.top + first.height)
    return Frame(0, 0, width, height, 0, None, 0, False, 0)


def _control(data: bytes, control: int | None, unused: int) -> bytes:
    """A graphic control extension that names a colour that its frame does not use as the transparent one."""
    if control is None:
        return bytes((_EXTENSION, _CONTROL, 4, _TO_BACKGROUND << 2 | 1, 0, 0, unused, 0))
    return (
        data[control : control + 3]
        + bytes((data[control + 3] | 1,))
        + data[control + 4 : control + 6]
        + bytes((unused, 0))
    )


def codes_of(data: bytes, frame: Frame) -> bytes:
    """The compressed codes of a frame, joined from their blocks."""
    at, blocks = frame.pixels + 1, bytearray()
    while data[at]:
        blocks += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return bytes(blocks)


def unused_colour(code_size: int, codes: bytes) -> int | None:
    """A colour number that no pixel of a frame has; None when all 256 are in use."""
    if code_size < _LARGEST_CODE_SIZE:
        return 255  # its pixels have fewer bits
    used = used_colours(codes)
    return next((colour for colour in range(255, -1, -1) if colour not in used), None)


def used_colours(codes: bytes) -> set[int]:
    """A colour is in use only if it stands among the codes itself: strings are made of what came before."""
    clear, end, used = 256, 257, set[int]()
    bits, held, width, following = 0, 0, 9, 258
    for byte in codes:
        bits |= byte << held
        held += 8
        if held < width:
            continue
        code = bits & (1 << width) - 1
        bits >>= width
        held -= width
        if code == end:
            break
        if code == clear:
            width, following = 9, 257  # the first code after it makes no string
            continue
        used.add(code)
        following = min(following + 1, _MAX_CODES)
        if following == 1 << width and width < _MAX_WIDTH:
            width += 1
    return {code for code in used if code < clear}
