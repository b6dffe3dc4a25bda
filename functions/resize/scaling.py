"""Scaling that lays every pixel where it belongs: the edges of the result are the edges of the picture."""

from collections.abc import Sequence
from math import pi, sin
from typing import Final

from .libvips import Image, pyvips

# libvips's own way with large factors is to leave out or invent columns, up to a pixel of the result.
_HALVE_FROM: Final = 4
_LOBES: Final = 3
# Of the whole numbers that a mask is made of. libvips's fast way rounds the sum of larger ones, and white turns grey.
_UNIT: Final = 64
_SMALLEST_MOVE: Final = 1 / 128
_RIM: Final = 4  # pixels that are laid around a picture before it grows: what the interpolation looks at


def halved(image: Image, across: bool = True, down: bool = True) -> Image:
    """Half the sides, rounded up, from edge to edge."""
    if (across and image.width % 2) or (down and image.height % 2):
        # Squares of 2 x 2 would reach beyond an odd side, and move everything by a part of a pixel.
        width, height = (
            side / -(-side // 2) if wanted else 1.0 for side, wanted in ((image.width, across), (image.height, down))
        )
        return image.reduce(width, height, kernel="lanczos3")
    return image.shrink(2 if across else 1, 2 if down else 1)


def scaled(image: Image, extent: tuple[float, float], target: tuple[int, int]) -> Image:
    """The picture, which is the first `extent` pixels of the image across and down, at the size `target`."""
    while True:
        across, down = (whole >= _HALVE_FROM * made for whole, made in zip(extent, target, strict=True))
        if not across and not down:
            break
        before = image
        image = halved(image, across, down)
        extent = extent[0] * image.width / before.width, extent[1] * image.height / before.height
    if extent == (image.width, image.height):
        if extent == target:
            return image
        return resized(image, target)
    return _reduced(image, extent, target)


def resized(image: Image, target: tuple[int, int]) -> Image:
    """A whole picture at another size, of which a side may grow.

    libvips's `resize` lays what it grows too far to the right and down, and cuts the last columns and rows. So the
    edges are continued first, and the middle of each pixel is told.
    """
    fewer = tuple(min(side, made) for side, made in zip((image.width, image.height), target, strict=True))
    if fewer != (image.width, image.height):
        image = image.resize(fewer[0] / image.width, vscale=fewer[1] / image.height, kernel="lanczos3")
    if fewer == target:
        return image
    across, down = (made / side for made, side in zip(target, fewer, strict=True))
    wider = image.embed(_RIM, _RIM, fewer[0] + 2 * _RIM, fewer[1] + 2 * _RIM, extend="copy")
    return wider.affine(
        (across, 0, 0, down),
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=(0, 0, *target),
        idx=0.5 - _RIM,
        idy=0.5 - _RIM,
        odx=-0.5,
        ody=-0.5,
    )


def _reduced(image: Image, extent: Sequence[float], target: tuple[int, int]) -> Image:
    """A picture whose right and lower edges lie within its last column and row, scaled down.

    libvips lays the middle of its result on the middle of the image. So the image is moved before by what lies between
    that and the middle of the picture, which is less than a pixel.
    """
    across, down = (whole / made for whole, made in zip(extent, target, strict=True))
    for upright, step, length in ((False, across, image.width), (True, down, image.height)):
        move = (length - int(length / step + 0.5) * step) / 2
        if abs(move) >= _SMALLEST_MOVE:
            mask = _mask(move)
            image = image.conv(mask.rot90() if upright else mask, precision="integer")
    return image.reduce(across, down, kernel="lanczos3").crop(0, 0, *target)


def _mask(move: float) -> Image:
    """What moves an image to the right by a part of a pixel when applied to it."""
    weights = [_lanczos(at + move) for at in range(-_LOBES, _LOBES + 1)]
    whole = [round(weight / sum(weights) * _UNIT) for weight in weights]
    whole[_LOBES] += _UNIT - sum(whole)
    return pyvips.Image.new_from_array([whole], scale=_UNIT)


def _lanczos(at: float) -> float:
    if abs(at) >= _LOBES:
        return 0.0
    return 1.0 if at == 0 else _LOBES * sin(pi * at) * sin(pi * at / _LOBES) / (pi * at) ** 2
