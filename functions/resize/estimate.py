"""How much memory a picture takes: by format, from what the headers say. README.md has the measurements.

The numbers are bytes for one pixel, rounded up from what was measured over sizes; a test measures them anew.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from .memory import MIB
from .picture import Source

# Lines that are at work, tables of decoders, and what the heap loses.
_FIXED_BYTES: Final = 10 * MIB
_STREAMED: Final = 0.6  # of a picture's bytes: what libvips holds of one that goes through line by line
_JPEG, _WEBP, _AVIF, _AVIF_DEEP, _GIF = 0.5, 17.0, 21.0, 27.0, 6.0
_TILES: Final = 1.6  # of all tiles, which are there before they are laid out
_ROLL: Final = 1.5  # frames that are kept, and what is halved of them
# By what is written, without and with alpha.
_ENCODED: Final = {"jpeg": (0.5, 0.5), "png": (1.5, 1.5), "webp": (6.0, 22.0), "avif": (22.0, 33.0)}
_DRAWN: Final = 1.4  # of the scaled picture: a copy for turning, colours or the search for what to keep


@dataclass(frozen=True, slots=True)
class Target:
    """One output: pixels of a frame as scaled and as written, the factor its source is decoded at, and its format."""

    scaled: int
    canvas: int
    factor: int
    every_frame: bool
    kind: str


def memory_bytes(source: Source, targets: Collection[Target]) -> int:
    """The peak for these outputs of one source, its file included."""
    kept = sum(
        _kept(source, factor, every_frame=every_frame)
        for factor, every_frame in {(target.factor, target.every_frame) for target in targets}
    )
    decoding = max(_decoding(source, target) for target in targets)
    drawing = max(_drawing(source, target) for target in targets)
    # The file is there twice while it is read or patched, and where a decoder holds what it has passed.
    return int(_FIXED_BYTES + 2 * len(source.data) + kept + max(decoding, drawing))


def _kept(source: Source, factor: int, *, every_frame: bool) -> float:
    pixel_bytes = _pixel_bytes(source) * (_ROLL * source.frames if every_frame else 1)
    return pixel_bytes * source.size.pixels / factor**2


def _pixel_bytes(source: Source) -> int:
    bands = 4 if source.frames > 1 or source.kind == "gif" else max(source.bands, 3 if source.traits.lab else 1)
    return bands * source.sample_bytes


def _decoding(source: Source, target: Target) -> float:
    """What the decoder holds beside the pixels that are kept."""
    pixels, whole = source.size.pixels, source.size.pixels * _pixel_bytes(source)
    unreduced = 0.0
    if target.factor > 1 and target.every_frame:
        unreduced = _kept(source, 1, every_frame=True)  # all frames are there in full before they are halved
    shrunk = target.factor if source.shrinks_itself and not target.every_frame else 1
    held = source.traits.held_bytes
    turned = whole if source.traits.moves else 0.0  # a copy in memory
    if source.kind == "jpeg":
        return _JPEG * pixels + held
    if source.kind == "webp":
        return unreduced + _JPEG * pixels + _WEBP * pixels / shrunk**2
    if source.kind == "avif":
        return (_AVIF_DEEP if source.sample_bytes > 1 else _AVIF) * pixels + turned
    if source.kind == "gif":
        return unreduced + _GIF * pixels
    if source.kind == "png":
        return (_STREAMED + source.traits.interlaced) * whole
    return _STREAMED * whole + (_TILES * held or whole) + turned


def _drawing(source: Source, target: Target) -> float:
    """What scaling and encoding hold beside the pixels that are kept."""
    # A canvas that is larger than the picture adds a transparent border.
    alpha = source.alpha or source.frames > 1 or target.canvas > target.scaled
    frames = source.frames if target.every_frame else 1
    scaled = _DRAWN * (4 if alpha else 3) * source.sample_bytes * target.scaled * frames
    joined = 4.0 * target.canvas * frames if frames > 1 else 0.0
    # A frame is encoded after the other.
    return scaled + joined + _ENCODED[target.kind][alpha] * target.canvas
