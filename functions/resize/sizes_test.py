"""Every format at small and odd sizes against Pillow: its decoder, in full, and its Lanczos."""

import functools
import io
from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from . import picture
from .samples import resize
from .writers_test import lossless_jpeg

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF")
SIDES = range(1, 18)
RED, WHITE = (255, 0, 0), (255, 255, 255)
SAVED: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4", "speed": 10},
}


@functools.cache
def slope(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downwards, blue against both."""
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            pixels += bytes((240 * x // width, 240 * y // height, 250 - 120 * x // width - 120 * y // height))
    return Image.frombytes("RGB", (width, height), bytes(pixels))


def frame(width: int, height: int, thickness: int = 3) -> Image.Image:
    """White with a red edge."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(WHITE, (thickness, thickness, max(thickness, width - thickness), max(thickness, height - thickness)))
    return image


def saved(image: Image.Image, kind: str, **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **SAVED.get(kind, {}) | more)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def resized(data: bytes, **options: Any) -> Image.Image:
    return opened(resize(data, format="png", **options).data)


def off(made: Image.Image, wanted: Image.Image) -> tuple[int, float]:
    """How far apart two pictures are in levels of 255: the worst value, and the mean."""
    assert made.size == wanted.size
    difference = ImageChops.difference(made, wanted)
    extrema: Any = difference.getextrema()
    return max(high for _, high in extrema), sum(ImageStat.Stat(difference).mean) / 3


def by_pillow(data: bytes, size: tuple[int, int]) -> Image.Image:
    return opened(data).resize(size, Image.Resampling.LANCZOS)


def height_for(width: int, height: int, target: int) -> int:
    return max(1, (2 * height * target + width) // (2 * width))


@pytest.mark.long
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("width", SIDES)
def test_small_pictures_are_as_a_full_decode_scaled_by_lanczos(kind: str, width: int) -> None:
    for height in {1, 7 * width % 17 + 1}:
        data = saved(slope(width, height), kind)
        for target in {1, 2, (width + 1) // 2, width - 1, width} - {0}:
            if target > width:
                continue
            size = (target, height_for(width, height, target))
            worst, _ = off(resized(data, width=target), by_pillow(data, size))
            assert worst <= 16, f"{width}x{height} to {size}: {worst} levels"


@pytest.mark.long
@pytest.mark.parametrize("width", SIDES)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_decoders_that_shrink_keep_the_edges_at_every_remainder(
    kind: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only large pictures are shrunk by their decoder. Small ones show an error of a column best.
    monkeypatch.setattr(picture, "SHRINK_FROM_PIXELS", 1)
    for height in (1, 5, 13, 16):
        data = saved(slope(width, height), kind)
        for target in range(1, width // 2 + 1):
            size = (target, height_for(width, height, target))
            worst, _ = off(resized(data, width=target), by_pillow(data, size))
            assert worst <= 24, f"{width}x{height} to {size}: {worst} levels"


@pytest.mark.parametrize("height", [1, 2, 3])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_line_is_a_picture(kind: str, height: int) -> None:
    data = saved(slope(858, height), kind)
    assert resized(data, width=80).size == (80, 1)
    assert off(resized(data, width=80), by_pillow(data, (80, 1)))[0] <= 8
    upright = saved(slope(height, 400), kind)
    assert resized(upright, height=50).size == (1, 50)
    assert off(resized(upright, height=50), by_pillow(upright, (1, 50)))[0] <= 8


def edges(image: Image.Image) -> Sequence[tuple[int, ...]]:
    """The pixel in the middle of each side."""
    right, bottom = image.width - 1, image.height - 1
    places = ((0, image.height // 2), (right, image.height // 2), (image.width // 2, 0), (image.width // 2, bottom))
    found = [image.getpixel(place) for place in places]
    return [pixel for pixel in found if isinstance(pixel, tuple)]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("size", "targets"), [((403, 303), (10, 50, 100, 200)), ((63, 63), (5, 16, 31)), ((1003, 702), (30, 125, 250, 251))]
)
def test_red_edge_is_as_red_on_all_four_sides(kind: str, size: tuple[int, int], targets: Sequence[int]) -> None:
    data = saved(frame(*size), kind)
    for target in targets:
        made = resized(data, width=target)
        wanted = edges(by_pillow(data, made.size))
        for found, pixel in zip(edges(made), wanted, strict=True):
            assert abs(found[1] - pixel[1]) <= 24, f"{size} to {target}: {edges(made)} for {wanted}"


@pytest.mark.long
@pytest.mark.parametrize("width", [1000, 1001, 1002, 1003])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("JPEG", {}),
        ("JPEG", {"subsampling": "4:2:0"}),
        ("JPEG", {"subsampling": "4:2:2", "progressive": True}),
        ("WEBP", {}),
        ("PNG", {}),
    ],
)
def test_large_pictures_keep_their_last_columns(kind: str, width: int, more: dict[str, Any]) -> None:
    for height in (599, 600):
        file = io.BytesIO()
        frame(width, height).save(file, kind, **SAVED.get(kind, {}) | more)
        for target in (100, 250, 480):
            made = resized(file.getvalue(), width=target)
            worst, mean = off(made, by_pillow(file.getvalue(), made.size))
            assert worst <= 48, f"{width}x{height} to {target}: {worst}"
            assert mean <= 1, f"{width}x{height} to {target}: {mean}"


def test_white_stays_white_at_every_part_of_a_pixel() -> None:
    for width in (1001, 1002, 1003):
        data = saved(Image.new("RGB", (width, 601), WHITE), "JPEG")
        for target in range(30, 500, 31):
            extrema: Any = resized(data, width=target).getextrema()
            assert min(low for low, _ in extrema) == 255, f"{width} to {target}"


def test_lossless_jpeg_is_shown_whole() -> None:
    colours = ((220, 30, 30), (30, 180, 30), (30, 30, 220), (240, 240, 240))
    data = lossless_jpeg(600, 440, [colours[(x >= 300) + 2 * (y >= 220)] for y in range(440) for x in range(600)])
    for target in (8, 16, 60, 100, 300):
        made = resized(data, width=target)
        right, bottom = made.width - 1, made.height - 1
        for place, wanted in zip(((0, 0), (right, 0), (0, bottom), (right, bottom)), colours, strict=True):
            found: Any = made.getpixel(place)
            assert all(abs(a - b) <= 2 for a, b in zip(found, wanted, strict=True)), f"{target}: {found} for {wanted}"


# How far a written format may be from the picture itself at its best quality: the worst value, and the mean.
LEVELS = {"png": (8, 1.0), "jpeg": (24, 2.5), "webp": (32, 3.0), "avif": (24, 2.5)}


@pytest.mark.long
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
@pytest.mark.parametrize("into", ["png", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_output_has_the_colours_of_its_input(kind: str, into: str, mode: str) -> None:
    if kind == "JPEG":
        mode = mode.rstrip("A")
    source = slope(96, 72).convert(mode)  # a copy
    if "A" in mode:
        source.putalpha(Image.linear_gradient("L").resize(source.size))
    if kind == "GIF":
        source = source.convert("RGB").quantize(256)
    data = saved(source, kind)
    made = Image.open(io.BytesIO(resize(data, width=32, format=into, quality=100).data))
    assert made.format == into.upper()
    # Weighed by alpha on white: what is transparent has no colour to compare.
    shown, wanted = (on_white(image) for image in (made, Image.open(io.BytesIO(data))))
    worst, mean = off(shown, wanted.resize(made.size, Image.Resampling.LANCZOS))
    assert worst <= LEVELS[into][0], f"{worst} levels"
    assert mean <= LEVELS[into][1], f"{mean} levels"


def on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
