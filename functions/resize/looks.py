"""What changes how a picture looks, beyond its size: grey, soft, sharp, and where it is cut."""

from dataclasses import dataclass, replace
from typing import Final

from .geometry import Plan, Size
from .libvips import Image
from .picture import Decoded, premultiply

_SHARPEN_SIGMA: Final = 1.0
_TAIL: Final = 0.01  # where a Gaussian mask ends: libvips's own 0.2 cuts visibly
_DEEP_STEP: Final = 257  # 16 bits to 8


@dataclass(frozen=True, slots=True)
class Looks:
    """`blur` is the sigma of a Gaussian in pixels of the result, `sharpen` the share of detail added, in per cent."""

    grayscale: bool = False
    blur: float | None = None
    sharpen: int | None = None


NO_LOOKS: Final = Looks()


def changed(image: Image, looks: Looks) -> Image:
    """8 bits in, 8 bits out, alpha kept."""
    if looks.grayscale and image.bands >= 3:
        image = image.colourspace("b-w")
    if looks.blur is None and looks.sharpen is None:
        return image
    alpha = bool(image.hasalpha())
    meaning = image.interpretation
    image = premultiply(image).copy_memory()
    if looks.blur is not None:
        image = _soft(image, looks.blur).rint().cast("uchar")
    if looks.sharpen is not None:
        share = looks.sharpen / 100
        image = (image * (1 + share) - _soft(image, _SHARPEN_SIGMA) * share).rint().cast("uchar")
    image = image.copy(interpretation=meaning)
    return image.unpremultiply().rint().cast("uchar").copy(interpretation=meaning) if alpha else image


def _soft(image: Image, sigma: float) -> Image:
    # With whole numbers libvips rounds the mask, and white turns grey.
    return image.gaussblur(sigma, min_ampl=_TAIL, precision="float")


def focused(image: Image, plan: Plan, interest: str) -> Plan:
    """The plan with its cut where libvips finds most of interest: `attention` or `entropy`."""
    canvas = plan.canvas
    if canvas.width > image.width or canvas.height > image.height:
        return plan
    cut = image.copy_memory().smartcrop(canvas.width, canvas.height, interesting=interest)
    return plan._replace(left=cut.xoffset, top=cut.yoffset)


def trimmed(decoded: Decoded, threshold: int) -> tuple[Decoded, Size]:
    """The frames without a border of one colour, all alike, and their size; a picture of one colour stays.

    The colour is that of the top left corner. `threshold` is how far another may be from it, in levels of 255.
    """
    boxes = [box for box in (_box(frame, threshold) for frame in decoded.frames) if box is not None]
    first = decoded.frames[0]
    if not boxes:
        return decoded, Size(first.width, first.height)
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    size = Size(right - left, bottom - top)
    frames = [frame.crop(left, top, size.width, size.height) for frame in decoded.frames]
    return replace(decoded, frames=frames, extent=(size.width, size.height)), size


def _box(image: Image, threshold: int) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what is not border, or None where all is."""
    corner = image(0, 0)
    step = _DEEP_STEP if image.format == "ushort" else 1
    if image.hasalpha():
        if corner[-1] == 0:  # the colour of what cannot be seen says nothing
            image, corner = image[image.bands - 1], [0]
        else:
            corner = corner[:-1]
    left, top, width, height = image.find_trim(threshold=threshold * step, background=corner, line_art=True)
    return (left, top, left + width, top + height) if width and height else None
