"""Headers that decoders refuse, and every orientation in every format."""

import io
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

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


def test_a_jpeg_ls_has_a_size_and_ends_at_its_marker() -> None:
    frame = b"\xff\xf7\0\x0b\x08" + struct.pack(">HH", 30, 40) + b"\1\1\x11\0"
    scan = b"\xff\xda\0\x08\1\1\0\0\0\0" + b"\xff\x3f\x12\xff\x7f\xff\x01" * 20
    whole = b"\xff\xd8" + frame + scan + b"\xff\xd9"
    document = describe(whole)
    assert document["image"] == {"format": "jpeg", "width": 40, "height": 30, "orientation": 1, "date": None}
    assert (document["complete"], document["warnings"]) == (True, [])
    assert not describe(whole[:-2])["complete"]


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
        (frames("AVIF"), "The picture has 3 frames: the size is that of the whole, the first stands for all."),
        (frames("MPO"), "The file has 3 pictures: the first is described."),
    ],
    # Not the bytes: an encoder of several threads makes others in each process of pytest-xdist.
    ids=["TIFF", "GIF", "WEBP", "PNG", "ico", "AVIF", "MPO"],
)
def test_what_stands_for_many_is_told(data: bytes, note: str) -> None:
    assert describe(data)["notes"] == [note]


# Those of resize: the build of an image runs the tests of its function alone.
HEIC = Path(__file__).with_name("heic_samples")


def test_of_several_pictures_in_a_heic_the_main_one_is_told() -> None:
    document = describe((HEIC / "two.heic").read_bytes())
    assert document["notes"] == ["The file has 2 pictures: the main one is described."]


@pytest.mark.parametrize("name", ["plain", "alpha", "alpha_turned", "grid", "turned", "p3", "grey10"])
def test_alpha_and_tiles_are_not_pictures_of_their_own(name: str) -> None:
    document = describe((HEIC / f"{name}.heic").read_bytes())
    assert (document["notes"], document["complete"]) == ([], True)


def hidden(data: bytes) -> bytes:
    """The entry of the picture that is not the main one says that it is hidden."""
    main = data[data.index(b"pitm") + 8 : data.index(b"pitm") + 10]
    places = [found.start() for found in re.finditer(b"infe", data)]
    [place] = [
        place for place in places if data[place + 12 : place + 16] == b"hvc1" and data[place + 8 : place + 10] != main
    ]
    return data[: place + 7] + bytes([data[place + 7] | 1]) + data[place + 8 :]


def test_a_hidden_picture_is_not_counted() -> None:
    assert describe(hidden((HEIC / "two.heic").read_bytes()))["notes"] == []


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def aperture(*sides: int) -> bytes:
    """Numerators and denominators of width, height and the two offsets of the middle."""
    return box(b"clap", struct.pack(">8I", *sides, 0, 1, 0, 1))


def with_property(data: bytes, made: bytes) -> bytes:
    """A HEIC whose picture has one property more, behind the others."""
    ipco, ipma = data.index(b"ipco"), data.index(b"ipma")
    count = data[ipma + 14]  # of the first item's
    end_of_ipco = ipco - 4 + int.from_bytes(data[ipco - 4 : ipco], "big")
    number, at = 0, ipco + 4
    while at < end_of_ipco:
        number, at = number + 1, at + int.from_bytes(data[at : at + 4], "big")
    behind = ipma + 15 + count
    new = data[:end_of_ipco] + made + data[end_of_ipco : ipma + 14] + bytes([count + 1]) + data[ipma + 15 : behind]
    new += bytes([number + 1]) + data[behind:]
    grown = len(made) + 1
    for kind, more in ((b"meta", grown), (b"iprp", grown), (b"ipco", len(made)), (b"ipma", 1)):
        place = new.index(kind) - 4
        new = new[:place] + struct.pack(">I", int.from_bytes(new[place : place + 4], "big") + more) + new[place + 4 :]
    return new


@pytest.mark.parametrize(
    ("name", "sides", "size"),
    [
        ("plain", (40, 1, 30, 1), (40, 30)),
        ("plain", (81, 2, 61, 2), (41, 31)),
        ("plain", (64, 1, 48, 1), (64, 48)),
        ("plain", (65, 1, 48, 1), (64, 48)),
        ("plain", (0, 1, 48, 1), (64, 48)),
        ("plain", (40, 0, 30, 1), (64, 48)),
        # `clap` stands behind `irot` here, so its sides are those of the turned picture.
        ("turned", (30, 1, 40, 1), (40, 30)),
    ],
)
def test_the_size_of_a_heic_is_what_its_clean_aperture_leaves(
    name: str, sides: tuple[int, int, int, int], size: tuple[int, int]
) -> None:
    data = (HEIC / f"{name}.heic").read_bytes()
    image = describe(with_property(data, aperture(*sides)))["image"]
    assert (image["width"], image["height"]) == size
    assert image["orientation"] == describe(data)["image"]["orientation"]


def test_an_aperture_that_is_cut_short_counts_for_nothing() -> None:
    data = with_property((HEIC / "plain.heic").read_bytes(), box(b"clap", bytes(8)))
    assert describe(data)["image"]["width"] == 64


def test_a_sequence_without_a_picture_beside_it_has_the_size_of_its_track() -> None:
    whole = frames("AVIF")
    place = whole.index(b"meta")
    document = describe(whole[:place] + b"free" + whole[place + 4 :])
    assert (document["image"]["width"], document["image"]["height"], document["complete"]) == (40, 30, True)
    assert "The picture has 3 frames" in document["notes"][0]


@pytest.mark.parametrize("missing", [1, 300])
def test_a_jpeg_whose_second_picture_is_cut_is_not_complete(missing: int) -> None:
    file = io.BytesIO()
    first, second = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "blue")
    first.save(file, "MPO", save_all=True, append_images=[second])
    whole = file.getvalue()
    assert describe(whole)["complete"]
    document = describe(whole[:-missing])
    assert (document["complete"], document["image"]["width"]) == (False, 40)
    assert document["warnings"] == ["JPEG: the end is missing: the second picture is truncated, or not there"]


def test_other_segments_before_the_list_of_pictures_hide_nothing() -> None:
    whole = frames("MPO")
    data = whole[:2] + b"\xff\xe2\0\x10ICC_PROFILE\0\1\1" + whole[2:]
    assert describe(data)["notes"] == ["The file has 3 pictures: the first is described."]


def test_a_preview_that_repeats_the_first_picture_is_not_counted() -> None:
    whole = frames("MPO")
    entries = whole.index(b"MPF\0") + 4 + 50
    assert whole[entries : entries + 4] == b"\0\0\3\0"  # Baseline MP Primary Image
    previews = bytearray(whole)
    for at in (entries + 16, entries + 32):
        previews[at : at + 4] = struct.pack("<I", 0x00010001)
    assert describe(bytes(previews))["notes"] == []


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


@pytest.mark.long
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
