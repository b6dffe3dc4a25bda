"""A picture that grows: its edges stay where they are, against Pillow's filters."""

import io
from itertools import pairwise
from typing import Any

import pytest
from penstock.testing import run
from PIL import Image, ImageChops

from .handler import handle
from .samples import resize


def framed(width: int, height: int) -> Image.Image:
    """White with a black edge of one pixel."""
    image = Image.new("L", (width, height), 0)
    image.paste(255, (1, 1, width - 1, height - 1))
    return image


def highest(extrema: Any) -> int:
    return int(extrema[1])


def png(image: Image.Image) -> bytes:
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


def enlarged(image: Image.Image, **options: Any) -> Image.Image:
    made = resize(png(image), format="png", enlarge=True, **options)
    return Image.open(io.BytesIO(made.data)).convert("L")


@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((3, 3), (4, 4)),
        ((16, 16), (17, 17)),
        ((16, 16), (32, 32)),
        ((7, 7), (8, 8)),
        ((8, 8), (8, 24)),
        ((16, 16), (8, 24)),
        ((16, 16), (40, 9)),
    ],
)
def test_edges_of_what_grows_are_as_pillow_lays_them(size: tuple[int, int], target: tuple[int, int]) -> None:
    image = framed(*size)
    made = enlarged(image, width=target[0], height=target[1], fit="fill")
    assert made.size == target
    difference = ImageChops.difference(made, image.resize(target, Image.Resampling.BICUBIC)).getextrema()
    assert (
        highest(difference) <= 24
    )  # the filters differ so much at a hard edge; moved by half a pixel it was above 100


@pytest.mark.parametrize("fit", ["inside", "fill", "outside", "cover", "contain"])
def test_every_fit_grows_alike_on_all_sides(fit: str) -> None:
    made = enlarged(framed(16, 16), width=17, height=17, fit=fit)
    for turned in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
        assert highest(ImageChops.difference(made, made.transpose(turned)).getextrema()) <= 1
    assert made.getpixel((0, 8)) == made.getpixel((16, 8)) == 0


def test_watermark_that_grows_keeps_its_edges() -> None:
    mark, base = png(framed(16, 16)), png(Image.new("RGB", (170, 170), (0, 0, 255)))
    place: dict[str, Any] = {"watermark_scale": 10, "watermark_margin": 0, "watermark_position": "northwest"}
    made = run(
        handle, base, name="x.png", format="png", watermark="s3://assets/w.png", assets={"watermark": mark}, **place
    )
    shown = Image.open(io.BytesIO(made.data)).convert("L").crop((0, 0, 17, 17))
    right = framed(16, 16).resize((17, 17), Image.Resampling.BICUBIC)
    assert highest(ImageChops.difference(shown, right).getextrema()) <= 24


def test_colours_of_what_grows_run_from_edge_to_edge() -> None:
    slope = Image.linear_gradient("L").resize((9, 9))
    made = enlarged(slope, width=20)
    difference = ImageChops.difference(made, slope.resize((20, 20), Image.Resampling.BICUBIC)).getextrema()
    assert highest(difference) <= 6
    row = made.crop((5, 0, 6, 20)).tobytes()
    assert all(later >= earlier for earlier, later in pairwise(row))
