"""BlurHash: what the hash decodes to looks like the picture."""

import io
from typing import Any

import blurhash
import pytest
from penstock.testing import Lake
from PIL import Image

from .handler import handle
from .samples import flat, photo, quarters, resize, saved


def hashed(data: bytes, **options: Any) -> str:
    return resize(data, blurhash=True, **options).metadata["blurhash"]


def shown(text: str, width: int, height: int) -> list[list[list[float]]]:
    made: list[list[list[float]]] = blurhash.decode(text, width, height)
    return made


@pytest.mark.parametrize("colour", [(200, 100, 50), (0, 0, 0), (255, 255, 255), (10, 20, 250)])
def test_hash_of_one_colour_is_that_colour(colour: tuple[int, ...]) -> None:
    # The waves are not taken at the middles of pixels, so those of a flat picture are not quite nothing.
    for pixel in shown(hashed(saved(flat(90, 60, colour), "png")), 4, 4)[1]:
        assert max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) <= 16, pixel


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (31, 20), (2000, 40), (1, 1), (1, 300), (3, 3)])
def test_hash_is_of_ascii_and_as_long_as_it_should_be(size: tuple[int, int]) -> None:
    text = hashed(saved(photo(*size), "png"))
    assert len(text) == 28
    assert text.isascii()
    assert blurhash.components(text) == ((4, 3) if size[0] >= size[1] else (3, 4))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "gif", "tiff"])
def test_quarters_are_seen_in_it(kind: str) -> None:
    made = shown(hashed(saved(quarters(120, 80), kind), width=60), 12, 8)
    for (x, y), strong in {(1, 1): (0,), (10, 1): (1,), (1, 6): (2,), (10, 6): (0, 1, 2)}.items():
        assert all(made[y][x][band] > 150 for band in strong), (x, y, made[y][x])
        assert all(made[y][x][band] < 160 for band in range(3) if band not in strong), (x, y, made[y][x])


def test_hash_is_near_that_of_the_whole_picture() -> None:
    image = Image.effect_noise((64, 48), 60).resize((640, 480), Image.Resampling.BICUBIC).convert("RGB")
    file = io.BytesIO()
    image.save(file, "PNG")
    small = image.resize((64, 48), Image.Resampling.LANCZOS)
    rows = [[small.getpixel((x, y)) for x in range(64)] for y in range(48)]
    ours, whole = (shown(text, 16, 12) for text in (hashed(file.getvalue()), blurhash.encode(rows, 4, 3)))
    off = [
        abs(a - b)
        for one, two in zip(ours, whole, strict=True)
        for p, q in zip(one, two, strict=True)
        for a, b in zip(p, q, strict=True)
    ]
    assert max(off) <= 24
    assert sum(off) / len(off) <= 6


def test_what_is_transparent_and_grey_is_on_white() -> None:
    for clear in ((9, 9, 9, 0), (9, 0)):
        pixel = shown(hashed(saved(flat(40, 30, clear), "png")), 2, 2)[0][0]
        assert min(pixel) >= 250


def test_off_it_changes_nothing_and_on_it_is_in_the_target() -> None:
    data = saved(photo(60, 40), "png")
    assert "blurhash" not in resize(data, metadata={"by": "me"}).metadata
    lake = Lake(handle, blurhash=True, width=30)
    lake.put("a.png", data, metadata={"by": "me", "blurhash": "old"})
    (state,) = lake.store.list("processed")
    assert state.metadata["by"] == "me"
    assert state.metadata["blurhash"] == hashed(data, width=30)
