"""Sentences of README.md that no other test holds."""

import io
import struct
from typing import Any

import pytest
from penstock import InputTooLarge, UnsupportedInput
from PIL import Image

from . import extras
from .extra_kinds_test import CONTENT, page, stream
from .extras_test import heic, pdf
from .picture import open_source_data
from .samples import resize
from .sizes_test import saved as by_pillow
from .tiles_test import tiled
from .told_colour_test import flat_png
from .traits import Traits
from .writers_test import GREEN, gif, gif_frame


def shown(data: bytes, **options: Any) -> Image.Image:
    return Image.open(io.BytesIO(resize(data, format="png", **options).data))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_decoder_shrinks_pictures_of_262144_pixels_and_more(kind: str) -> None:
    for height, shrinks in ((511, False), (512, True)):
        data = by_pillow(Image.new("RGB", (512, height)), kind)
        assert open_source_data("a", kind.lower(), data, Traits()).shrinks_itself == shrinks


def test_lossy_webp_that_its_decoder_shrinks_keeps_its_colours() -> None:
    """Columns of red and green of one light, two pixels wide: one pixel each in the result."""
    source = Image.new("RGB", (1024, 512))
    for left in range(0, 1024, 4):
        source.paste((200, 40, 60), (left, 0, left + 2, 512))
        source.paste((20, 120, 60), (left + 2, 0, left + 4, 512))
    row = shown(by_pillow(source, "WEBP", lossless=False, quality=100), width=512).crop((100, 100, 140, 101))
    reds: list[Any] = [row.getpixel((x, 0)) for x in range(40)]
    assert max(red for red, _, _ in reds) == pytest.approx(200, abs=4)
    assert min(red for red, _, _ in reds) == pytest.approx(20, abs=4)


def test_scaling_uses_the_numbers_and_not_their_light() -> None:
    board = Image.new("L", (64, 64))
    board.putdata([255 * ((x + y) % 2) for y in range(64) for x in range(64)])
    grey = shown(by_pillow(board, "PNG"), width=8).getpixel((4, 4))
    assert grey == pytest.approx(128, abs=2)  # their light would be 188


def test_mastering_metadata_is_not_read() -> None:
    mastering = (b"mDCV", struct.pack(">8H2I", *[30_000] * 8, 40_000_000, 1))
    light = (b"cLLI", struct.pack(">2I", 40_000_000, 4_000_000))
    told = (b"cICP", bytes((9, 16, 0, 1)))
    assert resize(flat_png((150, 90, 30), told, mastering, light)).data == resize(flat_png((150, 90, 30), told)).data


def test_changed_byte_of_a_picture_without_checksums_changes_a_pixel() -> None:
    data = bytearray(by_pillow(Image.new("L", (16, 16), 9), "TIFF"))
    data[data.index(bytes([9]) * 256) + 5] = 200
    pixels = list(shown(bytes(data)).tobytes())
    assert (pixels.count(9), pixels[5]) == (255, 200)


def test_gif_frame_whose_codes_end_too_early_stays_empty_below() -> None:
    whole = gif(16, 12, gif_frame(0, 0, 16, 12, GREEN))
    start = whole.index(b"," + bytes(4)) + 11  # behind the size of the codes
    half = whole[start] // 2
    short = whole[:start] + bytes([half]) + whole[start + 1 : start + 1 + half] + b"\0;"
    for width in (None, 8):
        image = shown(short, width=width).convert("RGBA")
        assert image.getpixel((0, 0)) == (0, 255, 0, 255)
        assert image.getpixel((image.width - 1, image.height - 1))[3] == 0  # type: ignore[index]
    white = Image.open(io.BytesIO(resize(short, format="jpeg").data))
    assert min(white.getpixel((15, 11))) > 250  # type: ignore[arg-type]
    assert shown(whole).mode == "RGB"


@pytest.mark.parametrize("fields", [{32_998: ("H", [2])}, {256: ("I", [16 * 600]), 257: ("I", [16 * 600])}])
def test_tiles_with_a_depth_or_too_many_of_them_are_refused(fields: dict[int, Any]) -> None:
    what = "a TIFF of more than 262144 tiles, or of tiles with a depth, is not read"
    with pytest.raises(UnsupportedInput, match=what):
        resize(tiled(more=fields), "a", width=4)


def test_user_unit_of_a_page_is_not_read() -> None:
    found = shown(page("/MediaBox [0 0 300 200] /UserUnit 2 /Contents 4 0 R", stream(CONTENT)), pdf=True)
    assert found.size == (834, 556)


def test_what_cannot_be_read_inside_a_page_stays_white() -> None:
    import zlib

    packed = zlib.compress(CONTENT.encode())
    cut = packed[: len(packed) // 2].decode("latin-1")
    whole = page("/MediaBox [0 0 300 200] /Contents 4 0 R", stream(cut, "/Filter /FlateDecode"))
    found = shown(whole.decode().encode("latin-1"), pdf=True)
    assert found.getpixel((10, 10)) == (220, 30, 30)
    assert found.getpixel((800, 500)) == (255, 255, 255)


def test_extras_are_kept_as_png() -> None:
    assert resize(pdf(), "a", pdf=True, width=9).content_type == "image/png"
    assert resize(heic(), "a", heic=True, width=9).content_type == "image/png"


def test_heic_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extras.MAX_PIXELS == 25_000_000
    monkeypatch.setattr(extras, "MAX_PIXELS", 3071)
    with pytest.raises(InputTooLarge, match="more than the 3071 that are decoded"):
        resize(heic(), "a", heic=True)
