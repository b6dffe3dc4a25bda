"""AVIF without colours: its numbers are between 16 and 235, or in the full range, as `nclx` says."""

import io

import pytest
from PIL import Image

from .icc import SRGB, matrix_profile, table
from .samples import resize


@pytest.mark.parametrize("numbers", ["limited", "full"])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("level", [0, 60, 128, 255])
def test_grey_is_as_it_was_in_both_ranges(numbers: str, alpha: bool, level: int) -> None:
    image = Image.new("L", (16, 16), level)
    if alpha:
        image.putalpha(100)
    file = io.BytesIO()
    image.save(file, "AVIF", quality=100, subsampling="4:0:0", range=numbers)
    shown = Image.open(io.BytesIO(resize(file.getvalue(), format="png").data)).convert("RGBA").getpixel((8, 8))
    assert isinstance(shown, tuple)
    assert all(abs(value - level) <= 2 for value in shown[:3])
    assert shown[3] == (100 if alpha else 255)


def grey_profile() -> bytes:
    """Linear light, for pictures of one channel (ICC.1:2022, 8.4.2): the one curve has the name kTRC."""
    profile = matrix_profile(SRGB, [table(lambda at: at)])
    return profile[:16] + b"GRAY" + profile[20:].replace(b"gTRC", b"kTRC")


@pytest.mark.parametrize("alpha", [False, True])
def test_profile_for_grey_is_heeded(alpha: bool) -> None:
    for kind in ("AVIF", "PNG"):
        image = Image.new("L", (16, 16), 100)
        if alpha:
            image.putalpha(200)
        file = io.BytesIO()
        image.save(
            file,
            kind,
            icc_profile=grey_profile(),
            **({"quality": 100, "subsampling": "4:0:0"} if kind == "AVIF" else {}),
        )
        for width in (None, 4):
            made = resize(file.getvalue(), format="png", width=width)
            assert made.notes == ()
            shown = Image.open(io.BytesIO(made.data)).convert("RGBA").getpixel((1, 1))
            assert isinstance(shown, tuple)
            assert all(abs(found - wanted) <= 2 for found, wanted in zip(shown, (168, 168, 168), strict=False))
            assert shown[3] == (200 if alpha else 255)
