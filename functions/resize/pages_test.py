"""TIFF of several pages: they are counted, and a file that lacks a part of them is cut short."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import PermanentError
from PIL import Image

from . import pages
from .samples import resize
from .sizes_test import saved, slope
from .writers_test import tiff


def several(count: int, **options: object) -> bytes:
    file = io.BytesIO()
    first, *others = (Image.new("RGB", (40, 30), (number * 40, 9, 9)) for number in range(count))
    first.save(file, "TIFF", save_all=True, append_images=others, **options)
    return file.getvalue()


@pytest.mark.long
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "CMYK", "RGBA"])
@pytest.mark.parametrize("side", [1, 2, 5, 17])
def test_first_of_two_pages_is_as_a_file_of_one(side: int, mode: str) -> None:
    """In every mode of the second page, which is larger, smaller, and as large."""
    first = slope(side, 18 - side)
    alone = resize(saved(first, "TIFF"), format="png", width=min(side, 7))
    for second in ((side + 9, side), (1, 1), first.size):
        other = Image.new(mode, second)
        for one, two, is_first in ((first, other, True), (other, first, False)):
            made = resize(saved(one, "TIFF", save_all=True, append_images=[two]), format="png", width=min(side, 7))
            assert (made.data == alone.data) == is_first
            assert "the first page of 2 was taken" in made.notes


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_pages_are_counted(compression: str, big: bool) -> None:
    for count in (1, 2, 5):
        assert pages.walk(several(count, compression=compression, big_tiff=big)) == (count, "")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_file_that_ends_in_any_of_its_pages_is_cut_short(compression: str, big: bool) -> None:
    data = several(3, compression=compression, big_tiff=big)
    assert resize(data, "a.tif", width=10).notes[0] == "no colour space is told: sRGB was assumed"
    for missing in (
        *range(16, 50),  # Pillow fills up to 16 bytes
        len(data) // 4,
        len(data) // 2,
        len(data) * 3 // 4,
    ):
        with pytest.raises(PermanentError, match="the TIFF is damaged"):
            resize(data[:-missing], "a.tif", width=10)


def values_last(data: bytes, tag: int) -> bytes:
    """The same file with the values of a field of its last page at the very end."""
    copy, at = bytearray(data), struct.unpack_from("<I", data, 4)[0]
    while True:
        (count,) = struct.unpack_from("<H", data, at)
        (following,) = struct.unpack_from("<I", data, at + 2 + 12 * count)
        if not following:
            break
        at = following
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        found, kind, number, place = struct.unpack_from("<2H2I", data, entry)
        if found == tag:
            size = {5: 8, 7: 1}[kind] * number
            struct.pack_into("<I", copy, entry + 8, len(data))
            return bytes(copy) + data[place : place + size]
    raise AssertionError(f"no field {tag}")


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("compression", "tag"), [("jpeg", 347), ("tiff_lzw", 282)], ids=["tables", "resolution"])
def test_file_without_its_last_byte_is_cut_short(compression: str, tag: int, count: int) -> None:
    data = values_last(several(count, compression=compression, dpi=(72, 72)), tag)
    assert pages.walk(data) == (count, "")
    assert resize(data, "a.tif", width=10).notes
    for missing in (1, 2, 7):
        assert pages.walk(data[:-missing]) == (count, "it is cut short")
        with pytest.raises(PermanentError, match="the TIFF is damaged"):
            resize(data[:-missing], "a.tif", width=10)


def test_first_page_with_a_value_at_a_place_that_the_file_never_had_is_shown() -> None:
    data = values_last(several(1, compression="raw", dpi=(72, 72)), 282)
    assert resize(data[:-8], "a.tif", width=10).notes  # as viewers do: a resolution is not needed


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_directory_without_its_end_is_cut_short(order: str, big: bool) -> None:
    data = tiff(4, 2, bytes(24), bits=[8], photometric=1, order=order, big=big)
    assert pages.walk(data) == (1, "")
    assert pages.walk(data[:-1]) == (1, "it is cut short")


def test_chain_that_comes_back_is_walked_once() -> None:
    data = bytearray(tiff(4, 2, bytes(24), bits=[8], photometric=1))
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", data, at + 2 + 12 * count, at)
    assert pages.walk(bytes(data)) == (1, "")


@pytest.mark.parametrize("at", [1 << 63, (1 << 64) - 1])
def test_place_beyond_any_end_is_damage(at: int) -> None:
    with pytest.raises(PermanentError, match="the TIFF is damaged"):
        resize(b"II+\0\x08\0\0\0" + struct.pack("<Q", at) + bytes(99), "a.tif")
    data = bytearray(tiff(4, 2, bytes(64), bits=[8] * 8, photometric=2, big=True))
    struct.pack_into("<Q", data, data.index(struct.pack("<HHQ", 258, 3, 8)) + 12, at)
    with pytest.raises(PermanentError):
        resize(bytes(data), "a.tif")


@given(st.binary(max_size=300))
def test_junk_is_no_error_of_its_own(junk: bytes) -> None:
    for magic in (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"):
        pages.walk(magic + junk)
