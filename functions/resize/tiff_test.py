"""TIFF by sample type, by bands, by photometric interpretation, written byte by byte (writers_test.py)."""

import contextlib
import io
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from penstock import PermanentError, UnsupportedInput
from PIL import Image, ImageCms

from .samples import resize
from .writers_test import tiff

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, MASK, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 4, 5, 6, 8
COMPRESSION, TRANSFER, WHITE_POINT, PRIMARIES, COLOUR_MAP, INK_SET, EXTRA, SAMPLE_FORMAT = (
    259,
    301,
    318,
    319,
    320,
    332,
    338,
    339,
)
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2
SIDE = 8
LETTERS = {8: "B", 16: "H", 32: "I"}


def packed(pixel: Sequence[int], bits: int, *, order: str = "<", planar: bool = False) -> bytes:
    """A flat picture whose values are told in 8 bits: spread to 16 and 32 as their share of the whole range."""
    wide = [value * ((1 << bits) - 1) // 255 for value in pixel]
    letter = order + LETTERS[bits]
    if planar:
        return b"".join(struct.pack(letter, value) * SIDE * SIDE for value in wide)
    return b"".join(struct.pack(letter, value) for value in wide) * SIDE * SIDE


def flat(
    pixel: Sequence[int], bits: int, photometric: int, *, order: str = "<", planar: bool = False, **more: Any
) -> bytes:
    samples = packed(pixel, bits, order=order, planar=planar)
    return tiff(
        SIDE, SIDE, samples, bits=[bits] * len(pixel), photometric=photometric, order=order, planar=planar, **more
    )


def pixel(data: bytes, **options: Any) -> tuple[int, ...]:
    """The middle of the result, as Pillow sees it."""
    found = Image.open(io.BytesIO(resize(data, format="png", **options).data)).getpixel((1, 1))
    return found if isinstance(found, tuple) else (int(found or 0),)


def close(found: Sequence[int], wanted: Sequence[int], tolerance: int = 1) -> bool:
    return len(found) == len(wanted) and all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))


@pytest.mark.long
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize(
    ("photometric", "stored", "shown"),
    [
        (MIN_IS_BLACK, (109,), (109,)),
        (MIN_IS_WHITE, (109,), (146,)),
        (RGB, (200, 100, 50), (200, 100, 50)),
    ],
)
@pytest.mark.parametrize("width", [2, 3, None])
def test_unsigned_samples_of_every_size_are_shown(
    photometric: int,
    stored: Sequence[int],
    shown: Sequence[int],
    bits: int,
    big: bool,
    order: str,
    planar: bool,
    width: int | None,
) -> None:
    data = flat(stored, bits, photometric, order=order, planar=planar, big=big)
    assert close(pixel(data, width=width), shown)


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("colours", [(100,), (100, 60, 20)])
def test_what_an_extra_channel_means_is_heeded(colours: Sequence[int], bits: int) -> None:
    photometric = RGB if len(colours) == 3 else MIN_IS_BLACK
    stored = (*colours, 128)
    for width in (2, 3, None):
        kept = pixel(flat(stored, bits, photometric, more={EXTRA: ("H", [UNASSOCIATED])}), width=width)
        assert close(kept, stored, 2)
        divided = pixel(flat(stored, bits, photometric, more={EXTRA: ("H", [ASSOCIATED])}), width=width)
        assert close(divided, (*(value * 255 // 128 for value in colours), 128), 3)
        none = pixel(flat(stored, bits, photometric, more={EXTRA: ("H", [UNSPECIFIED])}), width=width)
        assert close(none, colours)
        two = flat((*colours, 7, 128), bits, photometric, more={EXTRA: ("H", [UNSPECIFIED, UNASSOCIATED])})
        assert close(pixel(two, width=width), stored, 2)
    assert close(pixel(flat(stored, bits, photometric)), stored, 2)  # not said: alpha, as writers mean it


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_few_bits_and_palettes_are_spread_to_the_whole_range(bits: int) -> None:
    value = (1 << bits) - 1
    row = int(f"{value:0{bits}b}" * SIDE, 2).to_bytes(bits, "big")
    samples = row * SIDE
    white = tiff(SIDE, SIDE, samples, bits=[bits], photometric=MIN_IS_BLACK)
    assert pixel(white, width=4) == (255,)
    black = tiff(SIDE, SIDE, samples, bits=[bits], photometric=MIN_IS_WHITE)
    assert pixel(black, width=4) == (0,)
    entries = 1 << bits
    colours = [*[0] * (entries - 1), 200 * 257, *[0] * (entries - 1), 100 * 257, *[0] * (entries - 1), 50 * 257]
    mapped = tiff(SIDE, SIDE, samples, bits=[bits], photometric=PALETTE, more={COLOUR_MAP: ("H", colours)})
    assert pixel(mapped, width=4) == (200, 100, 50)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("inks", [(0, 0, 0, 0), (10, 200, 150, 20), (0, 0, 0, 255)])
def test_cmyk_of_sixteen_bits_is_as_that_of_eight(inks: Sequence[int], planar: bool) -> None:
    eight, sixteen = (pixel(flat(inks, bits, CMYK, planar=planar), width=4) for bits in (8, 16))
    assert close(eight, sixteen)
    brightness = sum(eight) / 3
    assert brightness > 240 if not any(inks) else brightness < 160


@pytest.mark.long
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("width", [None, 4, 3])
def test_cmyk_with_alpha_keeps_it(width: int | None, bits: int, order: str) -> None:
    wanted = pixel(flat((10, 100, 70, 20), 8, CMYK))
    straight = flat((10, 100, 70, 20, 128), bits, CMYK, order=order, more={EXTRA: ("H", [UNASSOCIATED])})
    assert close(pixel(straight, width=width), (*wanted, 128), 3)
    divided = flat((5, 50, 35, 10, 128), bits, CMYK, order=order, more={EXTRA: ("H", [ASSOCIATED])})
    assert close(pixel(divided, width=width), (*wanted, 128), 4)
    none = flat((10, 100, 70, 20, 128), bits, CMYK, order=order, more={EXTRA: ("H", [UNSPECIFIED])})
    assert close(pixel(none, width=width), wanted, 2)


@pytest.mark.parametrize("bits", [8, 16])
def test_lab_multiplied_by_alpha_is_refused(bits: int) -> None:
    with pytest.raises(UnsupportedInput, match="multiplied by alpha"):
        resize(flat((100, 10, 10, 128), bits, CIELAB, more={EXTRA: ("H", [ASSOCIATED])}))


# L*, a*, b*, and what LittleCMS makes of them in sRGB
LAB = [(53, 80, 67), (50, 0, 0), (80, -55, 60), (40, 30, -70), (100, 0, 0), (0, 0, 0), (60, 10, -30)]


@pytest.mark.parametrize("lab", LAB)
def test_cielab_is_converted(lab: Sequence[int]) -> None:
    eight = (round(lab[0] * 2.55), lab[1] & 255, lab[2] & 255)
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    told = Image.frombytes("LAB", (1, 1), bytes(eight))
    applied = ImageCms.applyTransform(told, transform)
    assert applied is not None
    wanted = applied.getpixel((0, 0))
    assert isinstance(wanted, tuple)
    assert close(pixel(flat(eight, 8, CIELAB)), wanted, 4)
    deep = struct.pack("<Hhh", round(lab[0] * 655.35), lab[1] * 256, lab[2] * 256) * SIDE * SIDE
    assert close(pixel(tiff(SIDE, SIDE, deep, bits=[16] * 3, photometric=CIELAB)), wanted, 4)


def typed(sample_format: int, bits: int, photometric: int = MIN_IS_BLACK, samples: int = 1) -> bytes:
    data = bytes(range(1, bits // 8 + 1)) * samples * SIDE * SIDE
    more = {SAMPLE_FORMAT: ("H", [sample_format] * samples)}
    return tiff(SIDE, SIDE, data, bits=[bits] * samples, photometric=photometric, more=more)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("sample_format", "bits", "what"),
    [
        (2, 8, "signed whole numbers"),
        (2, 16, "signed whole numbers"),
        (2, 32, "signed whole numbers"),
        (2, 64, "signed whole numbers"),
        (3, 16, "floating point"),
        (3, 24, "floating point"),
        (3, 32, "floating point"),
        (3, 64, "floating point"),
        (5, 32, "complex whole numbers"),
        (6, 64, "complex"),
        (6, 128, "complex"),
        (1, 64, "samples of 64 bits"),
        (1, 24, "samples of 24 bits"),
    ],
)
def test_samples_without_a_defined_range_are_refused(sample_format: int, bits: int, what: str, samples: int) -> None:
    data = typed(sample_format, bits, RGB if samples == 3 else MIN_IS_BLACK, samples)
    with pytest.raises(UnsupportedInput, match=rf"^rose\.jpg: a TIFF with samples of .*{what.split(' of ')[-1]}"):
        resize(data, width=4)


def test_undefined_sample_format_is_unsigned_as_the_format_says() -> None:
    data = flat((109,), 8, MIN_IS_BLACK, more={SAMPLE_FORMAT: ("H", [4])})
    assert pixel(data) == (109,)


@pytest.mark.parametrize(
    ("photometric", "bits", "samples", "what"),
    [
        (MASK, 8, 1, "a transparency mask"),
        (YCBCR, 8, 3, "YCbCr without JPEG compression"),
        (9, 8, 3, "ICC L"),
        (10, 8, 3, "ITU L"),
        (32803, 16, 1, "raw data of a sensor"),
        (34892, 16, 3, "raw data of a sensor"),
        (32844, 16, 1, "LogL"),
        (32845, 16, 3, "LogLuv"),
        (51177, 8, 1, "photometric interpretation 51177"),
        (CMYK, 32, 4, "samples of 32 bits"),
        (CMYK, 8, 3, "3 of the 4 channels"),
        (RGB, 8, 1, "1 of the 3 channels"),
        (CIELAB, 8, 1, "1 of the 3 channels"),
    ],
)
def test_colours_that_are_not_converted_are_refused(photometric: int, bits: int, samples: int, what: str) -> None:
    with pytest.raises(UnsupportedInput, match=what):
        resize(flat((100,) * samples, bits, photometric), width=4)


def test_other_inks_are_refused() -> None:
    with pytest.raises(UnsupportedInput, match="inks other than"):
        resize(flat((100,) * 4, 8, CMYK, more={INK_SET: ("H", [2])}), width=4)
    assert len(pixel(flat((100,) * 4, 8, CMYK, more={INK_SET: ("H", [1])}), width=4)) == 3


def test_channels_of_unequal_bits_are_refused() -> None:
    data = tiff(SIDE, SIDE, bytes(2 * SIDE * SIDE), bits=[5, 6, 5], photometric=RGB)
    with pytest.raises(UnsupportedInput, match="samples of 5/6 bits"):
        resize(data, width=4)


@pytest.mark.parametrize("scheme", [50000, 34925, 50002, 34712, 34887, 65000])
def test_compression_that_the_decoder_lacks_is_not_called_damage(scheme: int) -> None:
    data = flat((1, 2, 3), 8, RGB, more={COMPRESSION: ("H", [scheme])})
    with pytest.raises(UnsupportedInput) as caught:
        resize(data, width=4)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "tiff_deflate"])
def test_usual_compressions_are_read(scheme: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 100, 50)).save(file, "TIFF", compression=scheme)
    assert close(pixel(file.getvalue(), width=16), (200, 100, 50), 3)


def test_primaries_and_curve_in_fields_are_heeded() -> None:
    # Display P3's primaries; the red 220, 30, 30 of that space is 240, 0, 0 in sRGB, as LittleCMS has it.
    points = [v for xy in ((680, 320), (265, 690), (150, 60)) for n in xy for v in (n, 1000)]
    more: dict[int, Any] = {PRIMARIES: ("R", points), WHITE_POINT: ("R", [3127, 10000, 3290, 10000])}
    assert close(pixel(flat((220, 30, 30), 8, RGB, more=more), width=4), (240, 0, 0), 2)
    linear = {TRANSFER: ("H", [value * 257 for value in range(256)])}
    assert close(pixel(flat((2, 57, 204), 8, RGB, more=linear), width=4), (21, 130, 231), 2)


def test_place_beyond_every_file_is_an_error_of_the_picture() -> None:
    """A BigTIFF's places have 64 bits, of which Python takes 63."""
    header = b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 1)
    with pytest.raises(PermanentError, match="rose"):
        resize(header + bytes(64))
    good = bytearray(header[:8] + struct.pack("<Q", 16) + struct.pack("<Q", 2**63))
    with pytest.raises(PermanentError, match="rose"):
        resize(bytes(good) + bytes(64))


def test_number_of_bits_that_is_left_empty_is_an_error_of_the_picture_or_the_default() -> None:
    data = bytearray(flat([128], 8, MIN_IS_BLACK))
    at = data.index(struct.pack("<HHI", 258, 3, 1))
    data[at + 4 : at + 8] = bytes(4)
    with contextlib.suppress(PermanentError):
        assert resize(bytes(data)).data


@pytest.mark.parametrize("extra", [UNSPECIFIED, ASSOCIATED, UNASSOCIATED])
def test_palette_with_another_channel_is_not_taken_for_grey(extra: int) -> None:
    more = {COLOUR_MAP: ("H", [*range(256)] * 3), EXTRA: ("H", [extra])}
    with pytest.raises(UnsupportedInput, match="a TIFF of 2 channels with a palette is not read"):
        resize(flat((109, 128), 8, PALETTE, more=more), width=4)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_with_alpha_are_not_called_damaged(bits: int) -> None:
    samples = bytes(SIDE * SIDE * 2 * bits // 8)
    data = tiff(SIDE, SIDE, samples, bits=[bits] * 2, photometric=MIN_IS_BLACK, more={EXTRA: ("H", [UNASSOCIATED])})
    with pytest.raises(UnsupportedInput, match=f"a TIFF of 2 channels with samples of {bits} bits is not read"):
        resize(data, width=4)


def test_tiff_that_does_not_say_what_its_samples_mean_is_not_called_damaged() -> None:
    with pytest.raises(UnsupportedInput, match="does not tell what its samples mean"):
        resize(tiff(SIDE, SIDE, bytes(SIDE * SIDE), bits=[8], photometric=MIN_IS_BLACK, without=[262]), width=4)
