"""What a file says of itself that libvips does not pass on."""

from dataclasses import dataclass

from .tiles import Tiles


@dataclass(frozen=True, slots=True)
class Traits:
    """Read from the file's own structure, before a pixel is decoded.

    - shrinks: whether the decoder's own reduction gives the whole picture
    - uneven: how many times more the decoder takes from the colours than from the light when it shrinks: 1, 2 or 4
    - premultiplied: whether colour is stored already weighed by alpha
    - profile: an ICC profile that says what the file says of its colour by other means
    - outranks: whether `profile` is used although the file has an ICC profile too
    - limited: whether the colours are stored between 16 and 235 (of 8 bits) and their decoder leaves them so
    - grey: whether the picture has no colours, although its decoder makes three channels of it
    - profiled: whether the file has an ICC profile, which its decoder may leave out
    - bands: the channels that make the picture, where others are to be left out
    - lab: whether the samples are CIE L*a*b* of 8 bits each, which libvips would refuse
    - frames: their number, where it can be counted before libvips reads the file
    - interlaced: whether its decoder holds the whole picture
    - held_bytes: what else its decoder always holds: the coefficients of a progressive JPEG, the tiles of a TIFF
    - tiles: how the picture is cut into tiles, where `data` has them below one another
    - data: what libvips is to read instead of the file, where the file itself would mislead it
    - moves: how the picture is to be turned and mirrored after it was read: operations of libvips, in their order
    - covered: whether alpha is there only to show what the decoder leaves empty
    - told: whether the colours are known to be sRGB, although the file has nothing that says so
    - fault: what is missing of the file, which its decoder would not notice
    - notes: what was assumed or left out, one sentence each
    """

    shrinks: bool = True
    uneven: int = 1
    premultiplied: bool = False
    profile: bytes | None = None
    outranks: bool = False
    limited: bool = False
    grey: bool = False
    profiled: bool = False
    bands: tuple[int, ...] | None = None
    lab: bool = False
    frames: int | None = None
    interlaced: bool = False
    held_bytes: int = 0
    tiles: Tiles | None = None
    data: bytes | None = None
    moves: tuple[str, ...] = ()
    covered: bool = False
    told: bool = False
    fault: str = ""
    notes: tuple[str, ...] = ()
