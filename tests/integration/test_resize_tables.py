"""The whole of the tables that `functions/resize` tries in part: all small sizes, and large ones at every remainder."""

from __future__ import annotations

import random

import pytest
from PIL import Image

from functions.resize.sizes_test import (
    FORMATS,
    SIDES,
    by_pillow,
    edges,
    frame,
    height_for,
    off,
    resized,
    saved,
    slope,
)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("width", SIDES)
def test_every_small_size_to_every_width(kind: str, width: int) -> None:
    for height in SIDES:
        data = saved(slope(width, height), kind)
        for target in range(1, width + 1):
            size = (target, height_for(width, height, target))
            worst, _ = off(resized(data, width=target), by_pillow(data, size))
            assert worst <= 16, f"{width}x{height} to {size}: {worst} levels"


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "GIF"])
@pytest.mark.parametrize("remainder", range(8))
def test_large_pictures_keep_their_edges_at_every_remainder(kind: str, remainder: int) -> None:
    chance = random.Random(remainder)
    for start in (600, 1200, 2400):
        width, height = start + remainder, start * 3 // 4 + chance.randrange(8)
        data = saved(frame(width, height), kind)
        for target in (16, 100, width // 4, width // 4 + 1, width // 2, width // 2 + 1, width - 1):
            made = resized(data, width=target)
            wanted = by_pillow(data, made.size)
            assert off(made, wanted)[1] <= 3
            for found, pixel in zip(edges(made), edges(wanted), strict=True):
                assert abs(found[1] - pixel[1]) <= 32, f"{width}x{height} to {target}: {edges(made)}, {edges(wanted)}"


@pytest.mark.parametrize("kind", FORMATS)
def test_white_stays_white_at_any_size(kind: str) -> None:
    chance = random.Random(12)
    for _ in range(12):
        width, height = chance.randrange(1, 1500), chance.randrange(1, 1500)
        data = saved(Image.new("RGB", (width, height), (255, 255, 255)), kind)
        for target in {1, 2, width // 7 + 1, width // 3 + 1, width}:
            extrema = resized(data, width=target).getextrema()
            assert min(low for low, _ in extrema) >= 254, f"{width}x{height} to {target}"  # type: ignore[misc]
