"""Profiles that are for another kind of picture, or cut short: the result is as without, and a note says so."""

import io

import pytest
from PIL import Image

from .icc import SRGB, matrix_profile, table
from .samples import resize

LINEAR = matrix_profile(SRGB, [table(lambda at: at)])
GREY = LINEAR[:16] + b"GRAY" + LINEAR[20:]
NOTE = "the colour profile cannot be used: the usual colours were assumed"


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("mode", "profile", "usable"),
    [("RGB", LINEAR, True), ("RGB", GREY, False), ("RGB", LINEAR[:200], False), ("L", LINEAR, False)],
)
def test_unfit_profile_is_told(kind: str, mode: str, profile: bytes, usable: bool) -> None:
    file = io.BytesIO()
    Image.new(mode, (8, 8), (100,) * 3 if mode == "RGB" else 100).save(file, kind, icc_profile=profile)
    made = resize(file.getvalue(), format="png")
    assert (NOTE in made.notes) is not usable
    if not usable:
        shown = Image.open(io.BytesIO(made.data)).convert("L").getpixel((4, 4))
        assert isinstance(shown, int)
        assert abs(shown - 100) <= 2
