"""Headers that decoders refuse, and every orientation in every format."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .samples import describe, exif, image
from .samples.pictures import WHOLE, frames, tiff


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("is_big", [False, True], ids=["tiff", "bigtiff"])
@pytest.mark.parametrize(
    ("bits", "sample_format"), [(8, 1), (16, 1), (32, 1), (16, 2), (32, 2), (16, 3), (32, 3), (64, 3), (64, 6)]
)
def test_a_tiff_of_any_samples_has_a_size(bits: int, sample_format: int, order: str, *, is_big: bool) -> None:
    pixels = bytes(40 * 20 * bits // 8)
    data = tiff(pixels, width=40, height=20, bits=bits, sample_format=sample_format, order=order, is_big=is_big)
    document = describe(data)
    assert document["complete"]
    assert document["image"] == {"format": "tiff", "width": 40, "height": 20, "orientation": 6, "date": None}
    assert not describe(data[:-1])["complete"]


@pytest.mark.parametrize("kind", [b"pHYs", b"gAMA", b"tEXt", b"iCCP", b"eXIf", b"prVt"])
def test_a_wrong_checksum_in_a_png_is_noted_and_hides_no_size(kind: bytes) -> None:
    whole = image("PNG")
    data = whole[:33] + struct.pack(">I", 9) + kind + bytes(9) + b"\1\2\3\4" + whole[33:]
    document = describe(data)
    assert (document["image"]["width"], document["image"]["height"]) == (40, 30)
    assert document["complete"]
    assert f"PNG: the checksum of chunk {kind.decode()} is wrong" in document["warnings"]


def segments(marker: int, size: int, count: int) -> bytes:
    return (b"\xff" + bytes([marker]) + struct.pack(">H", size + 2) + b"c" * size) * count


@pytest.mark.parametrize("marker", [0xFE, 0xE0, 0xE1, 0xE2, 0xED, 0xEF])
@pytest.mark.parametrize("count", [1, 20])
def test_a_jpeg_that_begins_with_a_long_comment_is_an_image(marker: int, count: int) -> None:
    whole = image(exif=exif().tobytes())
    document = describe(whole[:2] + segments(marker, 65_000, count) + whole[2:])
    assert document["type"] == "image/jpeg"
    assert document["image"] == {
        "format": "jpeg", "width": 40, "height": 30, "orientation": 6, "date": "2023-04-05T06:07:08+02:00",
    }  # fmt: skip
    assert document["complete"]


def test_a_gif_that_begins_with_a_long_comment_is_an_image() -> None:
    whole = image("GIF")
    start = 13 + (3 << (whole[10] & 7) + 1)
    comment = b"!\xfe" + (b"\xff" + b"c" * 255) * 200 + b"\0"
    head = whole[:6] + b"  " + b"  " + whole[10:start].replace(b"\0", b" ")
    document = describe(head + comment + whole[start:])
    assert (document["kind"], document["image"]["width"], document["complete"]) == ("image", 0x2020, True)


@pytest.mark.parametrize("words", ["GIF89a is a format, so is BMP\n", "BMW,1\nBMX,2\n", "RIFF, raff\n"])
def test_words_like_a_signature_are_a_text(words: str) -> None:
    assert describe((words * 40).encode(), "t.txt")["kind"] in ("text", "csv")


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (frames("TIFF"), "The file has 3 pages: the first is described."),
        (frames("GIF"), "The picture has 3 frames: the size is that of the whole, the first stands for all."),
        (frames("WEBP"), "The picture has 3 frames: the size is that of the whole, the first stands for all."),
        (frames("PNG"), "The picture has 3 frames: the size is that of the whole, the first stands for all."),
        (WHOLE["ico"], "The file has 3 pictures: the largest is described."),
    ],
)
def test_what_stands_for_many_is_told(data: bytes, note: str) -> None:
    assert describe(data)["notes"] == [note]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_every_orientation_is_read_from_every_format(orientation: int, kind: str) -> None:
    document = describe(image(kind, exif=exif(orientation).tobytes()))
    assert document["image"]["orientation"] == orientation
    assert document["warnings"] == []


@pytest.mark.parametrize("chunk_bytes", [7, 4096])
@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_pieces_of_any_size_give_the_same_image(data: bytes, chunk_bytes: int) -> None:
    padded = data + bytes(70_000)
    assert describe(padded, chunk_bytes=chunk_bytes) == describe(padded)


@given(
    place=st.integers(8, 400),
    damage=st.binary(min_size=1, max_size=8),
    name=st.sampled_from(sorted(WHOLE)),
)
@settings(max_examples=300, deadline=None)
def test_no_damage_to_any_header_makes_it_fail(place: int, damage: bytes, name: str) -> None:
    whole = WHOLE[name]
    describe(whole[:place] + damage + whole[place + len(damage) :])


@pytest.mark.parametrize("text", [b"see our WEBPVP8 page\n", b"version WEBPVP8\n", b"RIFFxxxxWEBPVP8 text\n"])
def test_letters_of_webp_in_a_text_are_no_image(text: bytes) -> None:
    assert describe(text, "webp.txt")["kind"] == "text"
    assert describe(b"\0\1\2\3" + text, "a")["type"] == "application/octet-stream"
