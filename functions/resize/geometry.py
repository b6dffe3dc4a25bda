"""Sizes, computed before a pixel is touched: pure functions over whole numbers."""

from typing import Final, NamedTuple

FITS: Final = ("inside", "contain", "cover", "fill", "outside")

# Where the image lies on its canvas, in thousandths of the space left over: 0 left or top, 1000 right or bottom.
PLACES: Final = {
    "centre": (500, 500),
    "north": (500, 0),
    "northeast": (1000, 0),
    "east": (1000, 500),
    "southeast": (1000, 1000),
    "south": (500, 1000),
    "southwest": (0, 1000),
    "west": (0, 500),
    "northwest": (0, 0),
}
SMART: Final = ("attention", "entropy")  # the place is found in the picture, and the middle until then
GRAVITIES: Final = (*PLACES, *SMART)

# An eighth is hardly faster to decode than a quarter (reading the coefficients is what costs), and with one largest
# factor the usual set of renditions shares one decoded image.
_REDUCTIONS: Final = (4, 2)


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def turned(self) -> "Size":
        return Size(self.height, self.width)


class Plan(NamedTuple):
    """Scale to `scaled`, then put that on a canvas of size `canvas` with its top left corner at (`left`, `top`).

    Negative offsets cut away, positive ones leave a border.
    """

    scaled: Size
    canvas: Size
    left: int
    top: int


def plan(
    source: Size,
    width: int | None,
    height: int | None,
    *,
    fit: str = "inside",
    enlarge: bool = False,
    gravity: str = "centre",
) -> Plan:
    """How to bring `source`, upright, into the box `width` x `height`; None leaves that side to the other.

    - inside: as large as fits into the box, aspect kept; outside: as small as covers it, aspect kept
    - contain: as inside, on a canvas of exactly the box; cover: as outside, cut to the box
    - fill: exactly the box, aspect given up

    With one side given all but the default of that side's fit come to the same: that side is met and the aspect kept.
    Without `enlarge` no side of the image grows; only the canvas of `contain` may be larger than the source.

    >>> plan(Size(4000, 3000), 800, 800).scaled
    Size(width=800, height=600)
    >>> plan(Size(4000, 3000), 800, 800, fit="cover")
    Plan(scaled=Size(width=1067, height=800), canvas=Size(width=800, height=800), left=-133, top=0)
    """
    if width is None or height is None:
        scaled = _scaled_to_side(source, width, height, enlarge=enlarge)
        return Plan(scaled, scaled, 0, 0)
    box = Size(width, height)
    if fit == "fill":
        scaled = box if enlarge else Size(min(source.width, width), min(source.height, height))
        return Plan(scaled, scaled, 0, 0)
    wider = source.width * height > width * source.height  # than the box, in proportion
    by_width = wider if fit in ("inside", "contain") else not wider
    scaled = _scaled_to_side(source, width if by_width else None, None if by_width else height, enlarge=enlarge)
    if fit in ("inside", "outside"):
        return Plan(scaled, scaled, 0, 0)
    canvas = box if fit == "contain" else Size(min(width, scaled.width), min(height, scaled.height))
    across, down = PLACES.get(gravity, PLACES["centre"])
    return Plan(
        scaled, canvas, _offset(canvas.width - scaled.width, across), _offset(canvas.height - scaled.height, down)
    )


def reduction(source: Size, scaled: Size) -> int:
    """The factor (1, 2 or 4) by which the source may be shrunk while it is decoded, in both directions.

    What is left must be as large as what is made of it, also where the decoder rounds the sides down. The factor
    depends on this one result's own size and on nothing else, so that a rendition has the same bytes whether it is
    made alone or together with others.
    """
    for factor in _REDUCTIONS:
        if source.width >= factor * scaled.width and source.height >= factor * scaled.height:
            return factor
    return 1


def _scaled_to_side(source: Size, width: int | None, height: int | None, *, enlarge: bool) -> Size:
    """`source` in proportion, with the given side exactly as asked."""
    if width is not None and (enlarge or width < source.width):
        return Size(width, _rounded(source.height * width, source.width))
    if height is not None and (enlarge or height < source.height):
        return Size(_rounded(source.width * height, source.height), height)
    return source


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, half up, at least 1."""
    return max(1, (2 * numerator + denominator) // (2 * denominator))


def _offset(space: int, thousandths: int) -> int:
    """Round towards zero, so that cutting and padding treat the odd pixel alike."""
    offset = abs(space) * thousandths // 1000
    return offset if space >= 0 else -offset
