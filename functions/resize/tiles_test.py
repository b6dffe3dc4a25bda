"""TIFF in tiles: read as Pillow and the format have it, and refused where a tile is missing or damaged."""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import pyvips
from penstock import PermanentError, UnsupportedInput
from PIL import Image

from .samples import photo, resize, saved
from .writers_test import tiff

WIDTH, HEIGHT, TILE = 50, 41, 16
ACROSS, DOWN = 4, 3
RGB, CIELAB = 2, 8
DEFLATE, LZMA, ZSTD, LERC, JPEG_XL, PNG = 8, 34925, 50000, 34887, 50002, 34933
Pack = Callable[[bytes], bytes]


def colour(x: int, y: int) -> tuple[int, ...]:
    return (x * 255 // WIDTH, y * 255 // HEIGHT, (x + y) * 255 // (WIDTH + HEIGHT))


def tiled(
    *,
    planar: bool = False,
    order: str = "<",
    big: bool = False,
    scheme: int = 1,
    pack: Pack = bytes,
    bits: int = 8,
    left_out: int = 0,
    claimed: int | None = None,
    photometric: int = RGB,
    pixel: Callable[[int, int], Sequence[int]] = colour,
    more: dict[int, Any] | None = None,
) -> bytes:
    """A tiled TIFF (TIFF 6.0, section 15), its first `left_out` tiles without bytes, the others one after another."""
    bands = len(pixel(0, 0))
    letter, factor = order + {8: "B", 16: "H"}[bits], {8: 1, 16: 257}[bits]
    planes = [(band,) for band in range(bands)] if planar else [tuple(range(bands))]
    made = [
        pack(
            b"".join(
                struct.pack(letter, pixel(min(left + x, WIDTH - 1), min(top + y, HEIGHT - 1))[band] * factor)
                for y in range(TILE)
                for x in range(TILE)
                for band in plane
            )
        )
        for plane in planes
        for top in range(0, DOWN * TILE, TILE)
        for left in range(0, ACROSS * TILE, TILE)
    ]
    made[:left_out] = [b""] * left_out
    start = 16 if big else 8
    offsets = [start + sum(map(len, made[:at])) for at in range(len(made))]
    count = len(made) if claimed is None else claimed
    fields = {
        259: ("H", [scheme]),
        322: ("I", [TILE]),
        323: ("I", [TILE]),
        324: ("I", offsets[:count]),
        325: ("I", [len(tile) for tile in made[:count]]),
    }
    return tiff(
        WIDTH,
        HEIGHT,
        b"".join(made),
        bits=[bits] * bands,
        photometric=photometric,
        order=order,
        planar=planar,
        big=big,
        more={**fields, **(more or {})},
        without=(273, 278, 279),
    )


def shown(data: bytes, **options: Any) -> Image.Image:
    return Image.open(io.BytesIO(resize(data, "a.tif", format="png", **options).data))


def worst(image: Image.Image, pixel: Callable[[int, int], Sequence[int]] = colour) -> int:
    assert image.size == (WIDTH, HEIGHT)
    found: Any = image.load()
    return int(
        max(
            abs(a - b)
            for y in range(HEIGHT)
            for x in range(WIDTH)
            for a, b in zip(found[x, y], pixel(x, y), strict=True)
        )
    )


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "pack"), [(1, bytes), (DEFLATE, zlib.compress)], ids=["plain", "deflate"])
@pytest.mark.parametrize(("big", "bits"), [(False, 8), (True, 16)])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True])
def test_every_pixel_lies_where_it_belongs(
    planar: bool, order: str, big: bool, scheme: int, pack: Pack, bits: int
) -> None:
    data = tiled(planar=planar, order=order, big=big, scheme=scheme, pack=pack, bits=bits)
    assert worst(shown(data)) == 0
    small = shown(data, width=10)
    assert small.size == (10, 8)
    wide = shown(data).resize((10, 8), Image.Resampling.LANCZOS)
    pairs = zip(small.tobytes(), wide.tobytes(), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 4


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(("scheme", "pack"), [(1, bytes), (DEFLATE, zlib.compress)], ids=["plain", "deflate"])
def test_file_whose_last_tiles_are_cut_off_is_damaged(scheme: int, pack: Pack, planar: bool) -> None:
    # The directory comes first, as in files that are written for the web.
    data = tiled(planar=planar, scheme=scheme, pack=pack)
    moved = directory_first(data)
    assert worst(shown(moved)) == 0
    for missing in (2, 100, 1000):  # of an odd length there is a byte more at the end
        for width in (None, 10):
            with pytest.raises(PermanentError, match="the TIFF is damaged: it is cut short"):
                resize(moved[:-missing], "a.tif", width=width)


def directory_first(data: bytes) -> bytes:
    """The same classic little-endian file with its tiles behind everything else."""
    (at,) = struct.unpack_from("<I", data, 4)
    tail, tiles = data[at:], data[8:at]
    (count,) = struct.unpack_from("<H", tail)
    moved = bytearray(struct.pack("<2sHI", b"II", 42, 8) + tail)
    for start in range(10, 10 + 12 * count, 12):
        tag, kind, number = struct.unpack_from("<HHI", moved, start)
        if number * {3: 2, 4: 4}[kind] > 4:
            (place,) = struct.unpack_from("<I", moved, start + 8)
            struct.pack_into("<I", moved, start + 8, place - at + 8)
            if tag == 324:
                for index in range(number):
                    (offset,) = struct.unpack_from("<I", moved, place - at + 8 + 4 * index)
                    struct.pack_into("<I", moved, place - at + 8 + 4 * index, offset - 8 + len(moved))
    return bytes(moved) + tiles


@pytest.mark.parametrize("tile", [0, 5, ACROSS * DOWN - 1])
def test_tile_that_cannot_be_decoded_is_damage(tile: int) -> None:
    number = iter(range(ACROSS * DOWN))
    data = tiled(scheme=DEFLATE, pack=lambda raw: zlib.compress(raw) if next(number) != tile else bytes(200))
    for width in (None, 10):
        with pytest.raises(PermanentError, match=r"the TIFF is damaged: ."):
            resize(data, "a.tif", width=width)


@pytest.mark.parametrize("scheme", [LZMA, ZSTD, LERC, JPEG_XL, PNG, 34712, 65000])
@pytest.mark.parametrize("planar", [False, True])
def test_compression_that_is_not_read_is_not_shown_black(scheme: int, planar: bool) -> None:
    with pytest.raises(UnsupportedInput) as caught:
        resize(tiled(scheme=scheme, planar=planar), "a.tif", width=10)
    assert "damaged" not in str(caught.value)


def test_tiles_that_are_left_out_are_refused() -> None:
    with pytest.raises(UnsupportedInput, match="leaves out tiles"):
        resize(tiled(left_out=1), "a.tif")
    with pytest.raises(PermanentError, match="10 of its 12 tiles are there"):
        resize(tiled(claimed=10), "a.tif")


def test_meaning_of_channels_is_heeded_in_tiles_too() -> None:
    half = tiled(pixel=lambda *_: (50, 100, 25, 128), more={338: ("H", [1])})
    found: Any = shown(half).getpixel((20, 20))
    assert all(abs(a - b) <= 2 for a, b in zip(found, (100, 199, 50, 128), strict=True))
    lab: Any = shown(tiled(photometric=CIELAB, pixel=lambda *_: (135, 80, 67))).getpixel((20, 20))
    strip = tiff(8, 8, bytes((135, 80, 67)) * 64, bits=[8] * 3, photometric=CIELAB)
    assert lab == shown(strip).getpixel((4, 4))
    turned = shown(tiled(more={274: ("H", [6])}))
    assert turned.size == (HEIGHT, WIDTH)
    assert turned.getpixel((HEIGHT - 1, 0)) == colour(0, 0)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits", "jpeg", "webp", "ccittfax4"])
def test_tiles_that_libvips_writes_are_shown_as_pillow_shows_them(compression: str) -> None:
    image = photo(200, 120)
    options: dict[str, Any] = {"compression": compression, "tile": True, "tile_width": 64, "tile_height": 32}
    if compression == "ccittfax4":
        image, options["bitdepth"] = image[0] > 128, 1
    if compression == "webp":
        options["lossless"] = True
    data = saved(image, "tiff", **options)
    made = shown(data)
    if compression == "webp":  # Pillow's libtiff has it not everywhere
        wanted = Image.frombytes("RGB", (200, 120), bytes(image.write_to_memory()))
    else:
        wanted = Image.open(io.BytesIO(data)).convert(made.mode)
    assert max(abs(a - b) for a, b in zip(made.tobytes(), wanted.tobytes(), strict=True)) <= 2


def test_first_of_several_tiled_pages_is_read() -> None:
    pages = pyvips.Image.arrayjoin([photo(64, 48), photo(64, 48).invert()], across=1).copy()
    pages.set_type(pyvips.GValue.gint_type, "page-height", 48)
    made = resize(saved(pages, "tiff", tile=True, tile_width=16, tile_height=16), "a.tif", format="png")
    assert "the first page of 2 was taken" in made.notes
    wanted = bytes(photo(64, 48).write_to_memory())
    assert Image.open(io.BytesIO(made.data)).tobytes() == wanted
