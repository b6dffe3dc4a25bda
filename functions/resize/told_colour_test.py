"""Colour told without an ICC profile, against LittleCMS (by Pillow) and against the formulas themselves."""

import io
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import UnsupportedInput
from PIL import Image, ImageCms

from . import avif, cicp, png
from .icc import SRGB, Gamut, matrix_profile, srgb_curve, table
from .samples import ADOBE_RGB, gamma_curve, profile, resize, srgb_formula
from .writers_test import png as png_file

P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
REC2020 = ((0.67346, 0.27903, -0.00193), (0.16566, 0.67534, 0.02998), (0.12500, 0.04561, 0.79686))
COLOURS = ((220, 30, 30), (30, 180, 30), (40, 60, 200), (128, 128, 128), (255, 255, 255), (0, 0, 0), (250, 200, 10))
SRGB_TOLERANCE = 3
BROWSER_P3_CHRM = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


def gama(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def iccp(data: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"x\0\0" + zlib.compress(data)


def flat_png(pixel: Sequence[int], *chunks: tuple[bytes, bytes], deep: bool = False) -> bytes:
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[len(pixel)]
    row = b"".join(struct.pack(">H" if deep else ">B", value) for value in pixel) * 8
    return png_file(8, 8, row * 8, depth=16 if deep else 8, colour=colour, chunks=chunks)


def flat_avif(pixel: Sequence[int], primaries: int, transfer: int, **more: Any) -> bytes:
    """Pillow writes nclx for sRGB; its two numbers are put in place of those."""
    file = io.BytesIO()
    mode = "RGBA" if len(pixel) == 4 else "RGB"
    Image.new(mode, (16, 16), tuple(pixel)).save(file, "AVIF", quality=100, subsampling="4:4:4", **more)
    data = file.getvalue()
    assert data.count(b"nclx") == 1
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">2H", primaries, transfer) + data[at + 4 :]


def pixel(data: bytes, **options: Any) -> tuple[int, ...]:
    found = Image.open(io.BytesIO(resize(data, format="png", **options).data)).getpixel((1, 1))
    return found if isinstance(found, tuple) else (int(found or 0),)


def by_littlecms(colour: Sequence[int], icc: bytes) -> tuple[int, ...]:
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    one = Image.new("RGB", (1, 1), tuple(colour))
    made = ImageCms.profileToProfile(one, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert made is not None
    found = made.getpixel((0, 0))
    assert isinstance(found, tuple)
    return found


def close(found: Sequence[float], wanted: Sequence[float], tolerance: float = SRGB_TOLERANCE) -> bool:
    return len(found) == len(wanted) and all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))


@pytest.mark.long
@pytest.mark.parametrize("width", [None, 3])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("primaries", "transfer", "icc"),
    [
        (12, 13, profile(P3, srgb_formula())),
        (12, 4, profile(P3, gamma_curve(2.2))),
        (9, 13, profile(REC2020, srgb_formula())),
        (
            1,
            8,
            profile(
                ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)), gamma_curve(1)
            ),
        ),
        (9, 4, profile(REC2020, gamma_curve(2.2))),
    ],
)
def test_code_points_are_as_the_same_told_by_a_profile(
    primaries: int, transfer: int, icc: bytes, colour: Sequence[int], width: int | None
) -> None:
    wanted = by_littlecms(colour, icc)
    assert close(pixel(flat_png(colour, (b"cICP", bytes((primaries, transfer, 0, 1)))), width=width), wanted)
    assert close(pixel(flat_avif(colour, primaries, transfer), width=width), wanted, SRGB_TOLERANCE + 2)


def test_p3_is_what_browsers_show() -> None:
    for data in (
        flat_png((220, 30, 30), (b"cICP", bytes((12, 13, 0, 1)))),
        flat_png((220, 30, 30), (b"cHRM", BROWSER_P3_CHRM), gama(45455)),
        flat_png((220, 30, 30), (b"cHRM", BROWSER_P3_CHRM)),
        flat_avif((220, 30, 30), 12, 13),
    ):
        assert close(pixel(data), (240, 0, 0), 4)
    assert close(pixel(flat_png((30, 180, 30), (b"cICP", bytes((12, 13, 0, 1))))), (0, 183, 0))


@pytest.mark.long
@pytest.mark.parametrize("value", [1, 0.9, 0.5, 0.2, 0.02])
@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 1 / 2.6])
def test_gamma_is_applied_to_grey_colour_and_sixteen_bits(gamma: float, value: float) -> None:
    light = value ** (1 / gamma)
    wanted = 255 * (light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
    told = gama(round(gamma * 100_000))
    deep = round(value * 65_535)
    assert close(pixel(flat_png((deep,) * 3, told, deep=True)), (wanted,) * 3, 1.5)
    assert close(pixel(flat_png((deep,), told, deep=True)), (wanted,), 1.5)
    assert close(pixel(flat_png((deep, 32768), told, deep=True)), (wanted, 128), 1.5)
    assert close(pixel(flat_png((deep,) * 3, told, deep=True), width=3), (wanted,) * 3, 1.5)
    coarse = 12 if value < 0.1 else 2  # steps of eight bits
    assert close(pixel(flat_png((round(value * 255),) * 3, told)), (wanted,) * 3, coarse)
    assert close(pixel(flat_png((round(value * 255), 200), told), width=3), (wanted, 200), coarse)


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [(b"sRGB", b"\0")],
        [gama(45455)],
        [gama(45455), (b"cHRM", SRGB_CHRM)],
        [(b"sRGB", b"\0"), gama(100_000), (b"cHRM", BROWSER_P3_CHRM)],
        [(b"cICP", bytes((1, 13, 0, 1))), gama(100_000)],
        [(b"cICP", bytes((1, 13, 0, 1))), iccp(profile(ADOBE_RGB, gamma_curve(2.2)))],
        [(b"cHRM", bytes(32))],
        [(b"cHRM", struct.pack(">8I", *[33_333] * 8))],
        [(b"cHRM", b"short"), (b"gAMA", b"")],
        [gama(0)],
        [gama(15)],
        [gama(625_000_001)],
        [gama(0xFFFFFFFF), (b"cHRM", SRGB_CHRM)],
        [(b"cICP", bytes((2, 2, 0, 1)))],
    ],
)
def test_srgb_however_told_is_left_alone(chunks: Sequence[tuple[bytes, bytes]]) -> None:
    for colour in ((220, 30, 30), (10, 20, 30), (77,)):
        assert pixel(flat_png(colour, *chunks)) == colour


def test_the_stronger_word_counts() -> None:
    adobe = iccp(profile(ADOBE_RGB, gamma_curve(2.2)))
    wanted = by_littlecms((100, 150, 80), profile(ADOBE_RGB, gamma_curve(2.2)))
    for weaker in ([(b"sRGB", b"\0")], [gama(100_000)], [(b"cHRM", BROWSER_P3_CHRM)]):
        assert close(pixel(flat_png((100, 150, 80), adobe, *weaker)), wanted)
    p3 = (b"cICP", bytes((12, 13, 0, 1)))
    told = by_littlecms((100, 150, 80), profile(P3, srgb_formula()))
    assert close(pixel(flat_png((100, 150, 80), p3, adobe)), told)
    assert close(pixel(flat_png((100, 150, 80), p3, (b"sRGB", b"\0"))), told)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_adobe_rgb_told_by_exif_is_converted(kind: str) -> None:
    plain = (219, 60, 30)
    adobe = by_littlecms(plain, profile(ADOBE_RGB, gamma_curve(563 / 256)))
    for colour_space, index, wanted in ((0xFFFF, b"R03", adobe), (0xFFFF, b"R98", plain), (1, b"R03", plain)):
        file = io.BytesIO()
        Image.new("RGB", (16, 16), plain).save(
            file, kind, quality=100, lossless=True, subsampling=0, exif=exif(colour_space, index)
        )
        assert close(pixel(file.getvalue()), wanted, SRGB_TOLERANCE + 1)


def exif(colour_space: int, index: bytes) -> bytes:
    """Three directories, each with a pointer to the next: the first, EXIF's, and the one of interoperability."""
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack("<HHHIHHHHIII", 2, 0xA001, 3, 1, colour_space, 0, 0xA005, 4, 1, 56, 0)
    third = struct.pack("<HHHI4sI", 1, 1, 2, 4, index + b"\0", 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + second + third


def test_profile_of_an_avif_counts_before_its_numbers() -> None:
    icc = profile(ADOBE_RGB, gamma_curve(2.2))
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (100, 150, 80)).save(file, "AVIF", quality=100, subsampling="4:4:4", icc_profile=icc)
    assert close(pixel(file.getvalue()), by_littlecms((100, 150, 80), icc), SRGB_TOLERANCE + 2)


def test_narrow_range_is_spread() -> None:
    narrow = (b"cICP", bytes((1, 13, 0, 0)))
    assert close(pixel(flat_png((16, 16, 16), narrow)), (0, 0, 0))
    assert close(pixel(flat_png((235, 235, 235), narrow)), (255, 255, 255))
    assert close(pixel(flat_png((126, 126, 126), narrow)), (128, 128, 128))


@pytest.mark.parametrize(
    ("primaries", "transfer"), [(2, 2), (1, 13), (1, 2), (1, 1), (1, 6), (2, 13), (10, 13), (12, 200)]
)
def test_avif_of_usual_or_unknown_numbers_is_left_alone(primaries: int, transfer: int) -> None:
    assert close(pixel(flat_avif((200, 100, 50), primaries, transfer)), (200, 100, 50), 3)


@pytest.mark.parametrize("transfer", [1, 14, 15])
def test_the_curve_of_bt2020_is_undone(transfer: int) -> None:
    # ITU-T H.273: 0.5 is 0.2597 in linear light, which is 0.547 in sRGB.
    assert close(pixel(flat_png((128, 128, 128), (b"cICP", bytes((9, transfer, 0, 1))))), (140, 140, 140))


@pytest.mark.long
@pytest.mark.parametrize(("transfer", "paper_white"), [(16, 0.5807), (18, 0.75)])
def test_high_dynamic_range_is_tone_mapped(transfer: int, paper_white: float) -> None:
    def shown(value: float) -> int:
        deep = (round(value * 65_535),) * 3
        return pixel(flat_png(deep, (b"cICP", bytes((9, transfer, 0, 1))), deep=True))[0]

    assert 215 <= shown(paper_white) <= 240  # white paper is light, and leaves room for what is brighter
    assert shown(1.0) == 255
    assert shown(0.0) == 0
    ramp = [shown(at / 20) for at in range(21)]
    assert ramp == sorted(ramp)
    assert ramp[-8] < 255
    result = resize(flat_avif((200, 100, 50), 9, transfer), format="png")
    assert result.data


def test_dark_parts_of_high_dynamic_range_keep_their_light() -> None:
    for light in (1.0, 5.0, 20.0, 50.0):  # cd/m2, below where the curve begins to bend
        value = cicp.pq(light)
        linear = light / 203
        wanted = 255 * (linear * 12.92 if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)
        deep = (round(value * 65_535),) * 3
        assert close(pixel(flat_png(deep, (b"cICP", bytes((9, 16, 0, 1))), deep=True)), (wanted,) * 3, 2)
        assert abs(cicp.pq_light(value) - light) < 0.001


def test_hlg_has_its_white_paper_at_three_quarters() -> None:
    assert abs(cicp.hlg_light(0.75) - 203) < 1  # ITU-R BT.2408
    assert abs(cicp.hlg_light(1.0) - 1000) < 1


def test_chromaticities_become_the_known_colorants() -> None:
    made = matrix_profile(SRGB, [table(srgb_curve)])
    for name, wanted in ((b"rXYZ", (0.4361, 0.2225, 0.0139)), (b"gXYZ", (0.3851, 0.7169, 0.0971))):
        entry = made.index(name)
        offset, _ = struct.unpack_from(">2I", made, entry + 4)
        values = [value / 65_536 for value in struct.unpack_from(">3i", made, offset + 8)]
        assert close(values, wanted, 0.0005)


def test_primaries_that_span_nothing_are_named() -> None:
    with pytest.raises(ValueError, match="span no colours"):
        matrix_profile(Gamut((0.3, 0.3), (0.3, 0.3), (0.3, 0.3), (0.31, 0.33)), [table(srgb_curve)])


@pytest.mark.parametrize("width", [None, 16, 8, 5])
@pytest.mark.parametrize("alpha", [128, 20])
def test_premultiplied_alpha_is_divided_out(alpha: int, width: int | None) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (32, 32), (220, 30, 30, alpha)).save(
        file, "AVIF", quality=100, subsampling="4:4:4", alpha_premultiplied=True
    )
    assert close(pixel(file.getvalue(), width=width), (220, 30, 30, alpha), 4 if alpha > 100 else 20)
    straight = io.BytesIO()
    Image.new("RGBA", (32, 32), (220, 30, 30, alpha)).save(straight, "AVIF", quality=100, subsampling="4:4:4")
    assert close(pixel(straight.getvalue(), width=width), (220, 30, 30, alpha), 3 if alpha > 100 else 20)


def test_premultiplied_alpha_and_other_primaries_go_together() -> None:
    data = flat_avif((220, 30, 30, 128), 12, 13, alpha_premultiplied=True)
    assert close(pixel(data, width=8), (240, 0, 0, 128), 6)


@given(st.binary(max_size=200))
def test_boxes_and_chunks_that_are_junk_are_no_error(junk: bytes) -> None:
    for data in (junk, b"\0\0\0\x08ftyp" + struct.pack(">I4s4s", len(junk) + 12, b"meta", b"") + junk):
        with suppress(UnsupportedInput):
            avif.look("rose", data)
    png.look("rose", b"\x89PNG\r\n\x1a\n" + junk)


@given(st.binary(min_size=1, max_size=6), st.integers(0, 300))
def test_a_damaged_avif_header_is_no_error(junk: bytes, at: int) -> None:
    with suppress(UnsupportedInput):
        avif.look("rose", _AVIF[:at] + junk + _AVIF[at + len(junk) :])


_AVIF = flat_avif((220, 30, 30, 128), 12, 13)
