"""A BlurHash: a picture in some thirty characters, which pages show until the picture is there."""

from typing import Final

import blurhash

from .libvips import Image
from .scaling import scaled

_SIDE: Final = 32  # of what is looked at: the hash has four waves a side, and the library is plain Python
_WAVES: Final = (4, 3)  # along the longer and the shorter side
_WHITE: Final = [255, 255, 255]


def blurhash_of(image: Image) -> str:
    """The BlurHash of a picture in sRGB or grey, white behind what is transparent: ASCII characters only."""
    if image.bands <= 2:
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=_WHITE)
    longest = max(image.width, image.height)
    if longest > _SIDE:
        width, height = (max(1, round(side * _SIDE / longest)) for side in (image.width, image.height))
        image = scaled(image, (image.width, image.height), (width, height))
    data, across = image.write_to_memory(), image.width * 3
    rows = [[data[at : at + 3] for at in range(top, top + across, 3)] for top in range(0, len(data), across)]
    waves = _WAVES if image.width >= image.height else _WAVES[::-1]
    return str(blurhash.encode(rows, *waves))
