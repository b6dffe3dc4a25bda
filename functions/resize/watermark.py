"""A watermark: another picture, laid over the result."""

from dataclasses import dataclass
from typing import Final

from penstock import Body, PermanentError

from .geometry import PLACES, Size
from .libvips import Image
from .picture import Source, open_source
from .scaling import resized

_MAX_PIXELS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Watermark:
    """The overlay in sRGB with alpha, at its own size.

    `scale` is its width in per cent of the picture's, `margin` what stays free at the edges, in pixels, `opacity` is in
    per cent.
    """

    image: Image
    position: str
    scale: int
    margin: int
    opacity: int


def opened(name: str, data: bytes) -> Source:
    """The overlay with its header read. Raises `PermanentError` with its name where that cannot be done."""
    source = open_source(name, Body.of(data))
    if source.size.pixels > _MAX_PIXELS:
        raise PermanentError(f"{name}: {source.size.pixels} pixels; a watermark may have {_MAX_PIXELS}")
    return source


def laid(image: Image, mark: Watermark) -> Image:
    """The picture with the watermark over it; alpha stays as it is where nothing covers it."""
    alpha = bool(image.hasalpha())
    if image.bands <= 2:
        image = image.colourspace("srgb")
    size = _size(mark, Size(image.width, image.height))
    over = mark.image
    if (over.width, over.height) != (size.width, size.height):
        # Colour is weighed by alpha, or what is transparent would show at the edges.
        small = resized(over.premultiply(), (size.width, size.height))
        over = small.unpremultiply().rint().cast("uchar").copy(interpretation="srgb")
    if mark.opacity < 100:
        faded = (over[3] * (mark.opacity / 100)).rint().cast("uchar")
        over = over.extract_band(0, n=3).bandjoin(faded).copy(interpretation="srgb")
    across, down = PLACES[mark.position]
    left = _place(image.width - size.width, mark.margin, across)
    top = _place(image.height - size.height, mark.margin, down)
    made = image.composite2(over, "over", x=left, y=top).rint().cast("uchar").copy(interpretation="srgb")
    return made if alpha else made.extract_band(0, n=3).copy(interpretation="srgb")


def _size(mark: Watermark, canvas: Size) -> Size:
    """As wide as `scale` says, but not beyond the margins."""
    room_across, room_down = max(1, canvas.width - 2 * mark.margin), max(1, canvas.height - 2 * mark.margin)
    wanted = canvas.width * mark.scale / 100 / mark.image.width
    factor = min(wanted, room_across / mark.image.width, room_down / mark.image.height)
    return Size(max(1, round(mark.image.width * factor)), max(1, round(mark.image.height * factor)))


def _place(free: int, margin: int, thousandths: int) -> int:
    margin = min(margin, free // 2)
    return margin + (free - 2 * margin) * thousandths // 1000
