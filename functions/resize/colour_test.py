import pytest
from hypothesis import given
from hypothesis import strategies as st

from .colour import is_srgb
from .samples import ADOBE_RGB, SRGB, flat, gamma_curve, profile, srgb_formula, srgb_table


@pytest.mark.parametrize("curve", [srgb_table(), srgb_table(4096), srgb_formula()])
def test_srgb_is_recognised_by_its_numbers(curve: bytes) -> None:
    assert is_srgb(profile(SRGB, curve))


def test_the_profile_that_libvips_ships_is_recognised() -> None:
    image = flat(8, 8, (1, 2, 3)).icc_transform("srgb", input_profile="srgb")
    assert is_srgb(image.get("icc-profile-data"))
    assert not is_srgb(flat(8, 8, (1, 2, 3)).icc_transform("p3", input_profile="srgb").get("icc-profile-data"))


@pytest.mark.parametrize(
    "other",
    [
        profile(ADOBE_RGB, srgb_table()),
        profile(SRGB, gamma_curve(2.2)),
        profile(SRGB, gamma_curve(1.0)),
        profile(SRGB, srgb_table()).replace(b"cprt", b"A2B0"),
        profile(SRGB, srgb_table())[:200],
        b"",
        b"not a profile" * 20,
    ],
)
def test_anything_else_is_converted(other: bytes) -> None:
    assert not is_srgb(other)


@given(st.binary(max_size=64), st.integers(0, 2000))
def test_damaged_profile_is_no_error(junk: bytes, at: int) -> None:
    good = profile(SRGB, srgb_table())
    assert is_srgb(good[:at] + junk + good[at + len(junk) :]) in (True, False)
