"""TIFF whose compressed data end before the picture does, and odd fields beside data that are whole."""

import io
import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
import pyvips
from penstock import PermanentError
from PIL import Image

from .samples import resize
from .strips import has_other_checksum
from .tiff_directory import read_directory
from .writers_test import tiff

WIDTH, ROWS, STRIPS = 64, 16, 2
SOFTWARE, OFFSETS, COUNTS = 305, 273, 279
SCHEMES = {"tiff_lzw": 5, "jpeg": 7, "tiff_adobe_deflate": 8, "packbits": 32_773, "tiff_ccitt": 2, "group4": 4}
ENDS_EARLY = "^rose.jpg: the TIFF is damaged: its compressed data end before the picture does"


def strip(scheme: str, *, rows: int = ROWS) -> bytes:
    """One strip as Pillow compresses it: its lines are all alike."""
    picture = Image.linear_gradient("L").rotate(90).resize((WIDTH, rows))
    if scheme == "jpeg":
        return jpeg(picture)
    file = io.BytesIO()
    if scheme in ("tiff_ccitt", "group4"):
        picture = picture.point(lambda level: 255 * (level // 16 % 2)).convert("1", dither=Image.Dither.NONE)
    picture.save(file, "TIFF", compression=scheme, tiffinfo={278: rows})
    directory = read_directory(file.getvalue(), (OFFSETS, COUNTS))
    assert directory is not None
    at, size = directory.one(OFFSETS, 0), directory.one(COUNTS, 0)
    return file.getvalue()[at : at + size]


def jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def striped(scheme: str, strips: Sequence[bytes], *, height: int = STRIPS * ROWS, **more: Any) -> bytes:
    places = [8 + sum(map(len, strips[:at])) for at in range(len(strips))]
    told: dict[int, Any] = {
        259: ("H", [SCHEMES[scheme]]),
        OFFSETS: ("I", places),
        COUNTS: ("I", [len(part) for part in strips]),
        278: ("I", [ROWS]),
        **more.pop("more", {}),
    }
    bits = 1 if scheme in ("tiff_ccitt", "group4") else 8
    return tiff(WIDTH, height, b"".join(strips), bits=[bits], photometric=1, more=told, **more)


def cut(data: bytes, kept: float, *, filled: bool) -> bytes:
    part = data[: int(len(data) * kept)]
    return part.ljust(len(data), b"\0") if filled else part


def lines(data: bytes) -> set[bytes]:
    """The different lines of the result."""
    shown = Image.open(io.BytesIO(resize(data, format="png").data)).convert("L")
    return {shown.crop((0, y, WIDTH, y + 1)).tobytes() for y in range(shown.height)}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_strip_that_ends_early_is_damage(scheme: str) -> None:
    whole = strip(scheme)
    assert lines(striped(scheme, [whole, whole]))
    for filled in (False, True) if scheme != "packbits" else (False,):  # there zeros are pixels
        for kept in (0.4, 0.8):
            short = cut(whole, kept, filled=filled)
            for parts in ([whole, short], [short, whole]):
                with pytest.raises(PermanentError, match=r"^rose\.jpg: the TIFF is damaged: "):
                    resize(striped(scheme, parts))


def test_jpeg_whose_end_comes_too_early_is_damage() -> None:
    whole = strip("jpeg")
    for kept in (0.9, 0.97, 0.99):
        ended = cut(whole, kept, filled=False) + b"\xff\xd9"
        with pytest.raises(PermanentError, match=ENDS_EARLY):
            resize(striped("jpeg", [whole, ended]), width=8)


def test_jpeg_with_tables_of_its_own_is_damage_too() -> None:
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, "TIFF", compression="jpeg", tiffinfo={278: 256})
    data = bytearray(file.getvalue())
    assert resize(bytes(data), width=8).data
    directory = read_directory(bytes(data), (OFFSETS, COUNTS))
    assert directory is not None
    struct.pack_into("<H", data, directory.places[COUNTS], directory.one(COUNTS, 0) * 3 // 4)
    with pytest.raises(PermanentError, match=ENDS_EARLY):
        resize(bytes(data), width=8)


def test_jpeg_of_too_few_lines_is_damage() -> None:
    whole = strip("jpeg")
    with pytest.raises(PermanentError, match=ENDS_EARLY):
        resize(striped("jpeg", [whole, strip("jpeg", rows=8)]))
    assert resize(striped("jpeg", [whole, strip("jpeg", rows=8)], height=ROWS + 8)).data


def test_packbits_whose_runs_do_not_fit_the_picture_are_damage() -> None:
    lines_of = [bytes([257 - WIDTH, grey]) for grey in range(ROWS)]  # each a run of as many pixels
    assert resize(striped("packbits", [b"".join(lines_of)] * 2)).data
    for run in (128, WIDTH + 1, WIDTH - 1):
        damaged = b"".join([*lines_of[:-1], bytes([257 - run, 9])])
        with pytest.raises(PermanentError, match="the TIFF is damaged"):
            resize(striped("packbits", [b"".join(lines_of), damaged]))


@pytest.mark.parametrize("scheme", ["raw", *SCHEMES])
def test_file_whose_last_strip_is_cut_off_is_damage(scheme: str) -> None:
    """Its fields stand first, and one of them is odd."""
    mode = "1" if scheme in ("tiff_ccitt", "group4") else "RGB"
    file = io.BytesIO()
    fields = {SOFTWARE: "a"}
    Image.radial_gradient("L").convert(mode).save(file, "TIFF", compression=scheme, tiffinfo=fields)
    data = file.getvalue()
    at = data.index(struct.pack("<HH", SOFTWARE, 2))
    odd = data[:at] + struct.pack("<HHI", SOFTWARE, 3, 2) + data[at + 8 :]
    directory = read_directory(odd, (OFFSETS, COUNTS))
    assert directory is not None
    strip_at, size = directory.one(OFFSETS, 0), directory.one(COUNTS, 0)
    first = struct.unpack_from("<I", odd, 4)[0] < strip_at
    whole = odd if first else odd + odd[strip_at : strip_at + size]
    if not first:
        changed = bytearray(whole)
        struct.pack_into("<I", changed, directory.places[OFFSETS], len(odd))
        whole = bytes(changed)
    assert resize(whole, width=8).data
    for missing in (20, size // 2):
        with pytest.raises(PermanentError, match="the TIFF is damaged: "):
            resize(whole[:-missing], width=8)


def old_lzw(pixels: bytes) -> bytes:
    """LZW as before TIFF 5.0, the lowest bit first; a clear code before every second pixel keeps codes at 9 bits."""
    codes = [code for at, pixel in enumerate(pixels) for code in ((256, pixel) if at % 2 == 0 else (pixel,))]
    bits = sum(code << 9 * at for at, code in enumerate([*codes, 257]))
    return bits.to_bytes(-(-9 * (len(codes) + 1) // 8), "little")


def test_warnings_that_are_not_about_the_pixels_are_forgiven() -> None:
    line = bytes(range(0, 4 * WIDTH, 4))
    packed = zlib.compress(line * ROWS)
    odd = {SOFTWARE: ("H", [3, 4])}
    assert lines(striped("tiff_adobe_deflate", [packed, packed], more=odd)) == {line}
    old = old_lzw(line * ROWS)
    assert lines(striped("tiff_lzw", [old, old])) == {line}
    assert lines(tiff(WIDTH, 2, line * 2, bits=[8], photometric=1, without=[COUNTS])) == {line}
    # The last strip has as many lines as the others, although the picture has not: some writers make it so.
    whole = strip("jpeg")
    assert lines(striped("jpeg", [whole, whole], height=ROWS + 4, more=odd)) == lines(striped("jpeg", [whole, whole]))


@pytest.mark.parametrize("predictor", ["none", "horizontal"])
@pytest.mark.parametrize("tile", [False, True])
@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_packed_pixels_that_changed_do_not_have_their_checksum(place: float, tile: bool, predictor: str) -> None:
    """The last pixel comes before the checksum, so that libtiff does not look at it."""
    noise = random.Random(1).randbytes(320 * 192)  # deflate stores it as it is
    picture = pyvips.Image.new_from_memory(noise, 320, 192, 1, "uchar")
    options = {"compression": "deflate", "predictor": predictor, "tile": tile}
    whole = picture.tiffsave_buffer(**options, **({"tile_width": 64, "tile_height": 64} if tile else {}))
    assert resize(whole, format="png").data
    changed = bytearray(whole)
    changed[int(place * len(whole))] ^= 0x01
    with pytest.raises(PermanentError, match=r"^rose\.jpg: the TIFF is damaged: its compressed data do not have"):
        resize(bytes(changed), format="png")


def test_a_strip_that_holds_more_than_its_pixels_is_unpacked_no_further() -> None:
    """A bomb: 40 MB of nothing behind the pixels of a strip."""
    data = zlib.compress(bytes(WIDTH * ROWS) + bytes(40_000_000))
    changed = data[:-4] + b"\1\2\3\4"
    fields = {OFFSETS: [0], COUNTS: [len(changed)]}
    assert has_other_checksum(changed, 8, fields, 50_000_000)
    assert not has_other_checksum(changed, 8, fields, 1_000_000)
