"""What was assumed is said."""

from collections.abc import Sequence

import pytest
from penstock import Body
from penstock.testing import run
from PIL import Image

from .drawing import render
from .geometry import Size, plan
from .handler import handle
from .picture import decode, open_source
from .samples import ADOBE_RGB, SRGB, flat, gamma_curve, profile, saved, srgb_formula, with_profile
from .sizes_test import saved as by_pillow
from .told_colour_test import flat_avif, flat_png, gama
from .writers_test import GREEN, gif, gif_frame, tiff

ASSUMED = "no colour space is told: sRGB was assumed"


def notes(data: bytes) -> Sequence[str]:
    source = open_source("rose", Body.of(data))
    made = plan(Size(8, 8), None, None)
    return render(source, decode(source, 1), made, "png", quality=None, background=None).notes


def test_colour_space_that_nothing_tells_is_noted() -> None:
    for kind in ("jpeg", "png", "webp", "tiff"):
        assert list(notes(saved(flat(8, 8, (1, 2, 3)), kind))) == [ASSUMED], kind
        told = with_profile(flat(8, 8, (1, 2, 3)), profile(SRGB, srgb_formula()))
        assert list(notes(saved(told, kind))) == [], kind
    assert list(notes(flat_png((1, 2, 3), (b"sRGB", b"\0")))) == []
    assert list(notes(flat_png((1, 2, 3), gama(100_000)))) == []
    assert list(notes(flat_avif((1, 2, 3), 1, 13))) == []
    assert list(notes(flat_avif((1, 2, 3), 2, 2))) == [ASSUMED]


def test_colour_space_that_is_not_known_is_noted() -> None:
    assert "200" in " ".join(notes(flat_avif((1, 2, 3), 1, 200)))
    junk = with_profile(flat(8, 8, (1, 2, 3)), profile(ADOBE_RGB, b"curv"))
    assert "cannot be used" in " ".join(notes(saved(junk, "webp")))
    other = with_profile(flat(8, 8, (1, 2, 3)), profile(ADOBE_RGB, gamma_curve(2.2)))
    assert list(notes(saved(other, "webp"))) == []


def test_inks_without_a_profile_are_noted() -> None:
    for kind in ("JPEG", "TIFF"):
        assert "inks" in " ".join(notes(by_pillow(Image.new("CMYK", (8, 8)), kind))), kind


@pytest.mark.parametrize("transfer", [16, 18])
def test_tone_mapping_is_noted(transfer: int) -> None:
    assert "tone-mapped" in " ".join(notes(flat_avif((1, 2, 3), 9, transfer)))
    assert "tone-mapped" in " ".join(notes(flat_png((1, 2, 3), (b"cICP", bytes((9, transfer, 0, 1))))))


def test_first_of_many_is_noted() -> None:
    two = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind, word in (
        ("GIF", "frame"),
        ("WEBP", "frame"),
        ("AVIF", "frame"),
        ("PNG", "frame"),
        ("TIFF", "page"),
    ):
        data = by_pillow(two[0], kind, save_all=True, append_images=two[1:])
        assert f"the first {word} of 2" in " ".join(notes(data)), kind
        assert "first" not in " ".join(notes(by_pillow(two[0], kind))), kind
    assert list(notes(gif(8, 8, gif_frame(0, 0, 8, 8, GREEN)))) == []


def test_channels_that_were_left_out_are_noted() -> None:
    data = tiff(8, 8, bytes(4 * 64), bits=[8] * 4, photometric=2, more={338: ("H", [0])})
    assert "1 of 4 channels" in " ".join(notes(data))


def test_the_result_carries_the_notes() -> None:
    made = run(handle, saved(flat(8, 8, (1, 2, 3)), "jpeg"), name="rose.jpg", width=4)
    assert list(made.notes) == [ASSUMED]
