"""AVIF without colours: its numbers are between 16 and 235, or in the full range, as `nclx` says."""

import io

import pytest
from PIL import Image

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
