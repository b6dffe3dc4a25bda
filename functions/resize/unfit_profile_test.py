"""Profiles that are for another kind of picture, or cut short: the result is as without, and a note says so."""

import io
import zlib

import pytest
from PIL import Image, ImageCms

from .icc import SRGB, matrix_profile, table
from .samples import resize
from .told_colour_test import flat_png, gama

LINEAR = matrix_profile(SRGB, [table(lambda at: at)])
GREY = LINEAR[:16] + b"GRAY" + LINEAR[20:]
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
NOTE = "the colour profile cannot be used: the usual colours were assumed"


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("mode", "profile", "usable"),
    [("RGB", LINEAR, True), ("RGB", GREY, False), ("RGB", LINEAR[:200], False), ("L", LINEAR, False)],
)
def test_unfit_profile_is_told(kind: str, mode: str, profile: bytes, usable: bool) -> None:
    usable = usable or (kind, mode) == ("WEBP", "L")  # WebP has no grey of its own
    file = io.BytesIO()
    Image.new(mode, (8, 8), (100,) * 3 if mode == "RGB" else 100).save(file, kind, icc_profile=profile)
    made = resize(file.getvalue(), format="png")
    assert made.notes == (() if usable else (NOTE,))
    if not usable:
        shown = Image.open(io.BytesIO(made.data)).convert("L").getpixel((4, 4))
        assert isinstance(shown, int)
        assert abs(shown - 100) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("profile", [GREY, LAB, LINEAR[:200]], ids=["grey", "Lab", "cut short"])
def test_strong_colours_stay_where_the_profile_is_for_other_pictures(kind: str, profile: bytes) -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 64, 116)).save(file, kind, icc_profile=profile, quality=95)
    made = resize(file.getvalue(), format="png")
    shown = Image.open(io.BytesIO(made.data)).convert("RGB").getpixel((8, 8))
    assert isinstance(shown, tuple)
    assert max(abs(got - meant) for got, meant in zip(shown, (10, 64, 116), strict=True)) <= 3
    assert made.notes == (NOTE,)


def test_profile_for_grey_without_a_curve_is_told() -> None:
    file = io.BytesIO()
    Image.new("L", (8, 8), 100).save(file, "JPEG", icc_profile=GREY)
    assert resize(file.getvalue(), format="png").notes == (NOTE,)


def test_numbers_of_a_png_count_where_its_profile_cannot_be_used() -> None:
    """Half the light as a number of linear light is 188 in sRGB."""
    data = flat_png((128, 128, 128), (b"iCCP", b"x\0\0" + zlib.compress(LINEAR[:200])), gama(100_000))
    made = resize(data, format="png")
    assert made.notes == ()
    assert Image.open(io.BytesIO(made.data)).convert("L").getpixel((0, 0)) == 188
