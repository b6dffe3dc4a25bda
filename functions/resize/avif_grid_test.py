"""AVIF made of tiles (ISO/IEC 23008-12, 6.6.2.3): shown as they lie, refused where each tile is moved."""

import io
import struct
from collections.abc import Iterator

import pytest
from penstock import UnsupportedInput
from PIL import Image

from .samples import resize

SIDE = 64  # the least side of a tile
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
TURN, MIRROR, CUT = (
    (b"irot", b"\1"),
    (b"imir", b"\1"),
    (b"clap", struct.pack(">8I", 64, 1, 64, 1, 0, 1, 0, 1)),
)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def coded(colour: tuple[int, int, int], *, grey: bool = False) -> tuple[bytes, bytes]:
    """What the decoder is set to, and the coded picture: one colour, its upper left quarter black."""
    picture = Image.new("RGB", (SIDE, SIDE), colour)
    picture.paste((0, 0, 0), (0, 0, SIDE // 2, SIDE // 2))
    file = io.BytesIO()
    if grey:
        picture.convert("L").save(file, "AVIF", quality=100, subsampling="4:0:0", range="limited")
    else:
        picture.save(file, "AVIF", quality=95, subsampling="4:4:4")
    outer = dict(boxes(file.getvalue()))
    inner = dict(boxes(outer[b"meta"][4:]))
    return dict(boxes(dict(boxes(inner[b"iprp"]))[b"ipco"]))[b"av1C"], outer[b"mdat"]


def grid(
    *, of_tiles: tuple[bytes, bytes] | None = None, of_all: tuple[bytes, bytes] | None = None, grey: bool = False
) -> bytes:
    """Two by two tiles; a property that moves each tile, or the picture that they make. Grey ones are of 16 to 235."""
    tiles = [coded(colour, grey=grey) for colour in COLOURS]
    whole, side = len(tiles) + 1, 2 * SIDE
    properties = [
        full(b"ispe", 0, 0, struct.pack(">2I", SIDE, SIDE)),
        full(b"ispe", 0, 0, struct.pack(">2I", side, side)),
        full(b"pixi", 0, 0, b"\1\x08" if grey else b"\3\x08\x08\x08"),
        box(b"av1C", tiles[0][0]),
        box(b"colr", b"nclx", struct.pack(">3HB", 1, 13, 6, 0 if grey else 128)),
        *(box(*moved) for moved in (of_tiles, of_all) if moved),
    ]
    move = bytes([0x86])  # the sixth, and essential
    has = [(number, b"\1\3\x84\5" + (move if of_tiles else b"")) for number in range(1, whole)]
    has.append((whole, b"\2\3\5" + (move if of_all else b"")))
    datas = [data for _, data in tiles] + [struct.pack(">4B2H", 0, 0, 1, 1, side, side)]

    def meta(place: int) -> bytes:
        places = b""
        for number, data in enumerate(datas, 1):
            places += struct.pack(">3H2I", number, 0, 1, place, len(data))
            place += len(data)
        kinds = [(number, b"av01") for number in range(1, whole)] + [(whole, b"grid")]
        return full(
            b"meta",
            0,
            0,
            full(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, 0, struct.pack(">H", whole)),
            full(b"iloc", 0, 0, b"\x44\0", struct.pack(">H", whole), places),
            full(
                b"iinf",
                0,
                0,
                struct.pack(">H", whole),
                *(
                    full(b"infe", 2, kind != b"grid", struct.pack(">2H4s", number, 0, kind), b"\0")
                    for number, kind in kinds
                ),
            ),
            full(b"iref", 0, 0, box(b"dimg", struct.pack(f">{whole + 1}H", whole, whole - 1, *range(1, whole)))),
            box(
                b"iprp",
                box(b"ipco", *properties),
                full(
                    b"ipma",
                    0,
                    0,
                    struct.pack(">I", whole),
                    *(struct.pack(">HB", number, len(mine)) + mine for number, mine in has),
                ),
            ),
        )

    head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", *datas)


def quarters(data: bytes) -> list[str]:
    """The colour in each quarter of each tile, row by row."""
    picture = Image.open(io.BytesIO(resize(data, "a.avif", format="png").data)).convert("RGB")
    assert picture.size == (2 * SIDE, 2 * SIDE)
    names = {(0, 0, 0): "-", (255, 0, 0): "r", (0, 255, 0): "g", (0, 0, 255): "b", (255, 255, 255): "w"}
    bright = picture.point(lambda level: 255 * (level > 127))
    middles = range(SIDE // 4, 2 * SIDE, SIDE // 2)
    rows = [[bright.getpixel((x, y)) for x in middles] for y in middles]
    return ["".join(name for pixel in row for colour, name in names.items() if colour == pixel) for row in rows]


def test_tiles_lie_where_they_belong() -> None:
    assert quarters(grid()) == ["-r-g", "rrgg", "-b-w", "bbww"]


def test_picture_of_tiles_that_is_turned_as_a_whole_is_upright() -> None:
    assert quarters(grid(of_all=TURN)) == ["ggww", "-g-w", "rrbb", "-r-b"]


@pytest.mark.parametrize("moved", [TURN, MIRROR, CUT], ids=["turned", "mirrored", "cut"])
def test_tiles_that_are_moved_each_are_refused_as_decoders_do_not_agree(moved: tuple[bytes, bytes]) -> None:
    with pytest.raises(UnsupportedInput, match="an AVIF made of tiles that are turned, mirrored or cut is not read"):
        resize(grid(of_tiles=moved), "a.avif", width=8)


def test_black_and_white_of_grey_tiles_are_as_they_were() -> None:
    picture = Image.open(io.BytesIO(resize(grid(grey=True), "a.avif", format="png").data)).convert("L")
    found = [picture.getpixel((x + 48, y + 48)) for y in (0, SIDE) for x in (0, SIDE)]
    wanted = [Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) for colour in COLOURS]
    assert all(
        isinstance(a, int) and isinstance(b, int) and abs(a - b) <= 2 for a, b in zip(found, wanted, strict=True)
    )
    assert picture.getpixel((8, 8)) == 0
