"""Images by their headers: size, orientation, date, damage."""

import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from .samples import describe, exif, image, png


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_image_is_described_from_its_header(kind: str) -> None:
    document = describe(image(kind, exif=exif(orientation=6).tobytes()), "rose")
    assert document["image"] == {
        "format": kind.lower(),
        "width": 40,
        "height": 30,
        "orientation": 6,
        "date": "2023-04-05T06:07:08+02:00",
    }
    assert document["warnings"] == []


def test_tiff_is_described_as_it_is_stored() -> None:
    tags = Image.Exif()
    tags[0x0112], tags[0x0132] = 6, "2023:04:05 06:07:08"
    assert describe(image("TIFF", exif=tags))["image"] == {
        "format": "tiff",
        "width": 40,
        "height": 30,
        "orientation": 6,
        "date": "2023-04-05T06:07:08",
    }


@pytest.mark.parametrize(
    ("date", "offset", "expected"),
    [
        ("2023:04:05 06:07:08", None, "2023-04-05T06:07:08"),
        ("2023:04:05 06:07:08", "Zulu", "2023-04-05T06:07:08"),
        ("0000:00:00 00:00:00", None, None),
        ("    :  :     :  :  ", None, None),
        ("yesterday", "+02:00", None),
    ],
)
def test_exif_date(date: str, offset: str | None, expected: str | None) -> None:
    assert describe(image(exif=exif(date=date, offset=offset)))["image"]["date"] == expected


def test_image_without_exif_lies_as_it_is_stored() -> None:
    assert describe(image())["image"] == {
        "format": "jpeg",
        "width": 40,
        "height": 30,
        "orientation": 1,
        "date": None,
    }


def test_unknown_orientation_is_noted() -> None:
    document = describe(image(exif=exif(orientation=9)))
    assert document["image"]["orientation"] == 1
    assert document["warnings"] == ["EXIF orientation 9 does not exist: taken for 1"]


@pytest.mark.parametrize(
    ("kind", "save"),
    [("JPEG", {}), ("PNG", {}), ("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"exif": exif().tobytes()})],
)
def test_truncated_image_keeps_its_size_and_is_not_complete(kind: str, save: dict[str, Any]) -> None:
    whole = image(kind, (400, 300), **save)
    document = describe(whole[: len(whole) * 2 // 3])
    assert not document["complete"]
    assert "the image is truncated" in document["warnings"][-1]
    assert (document["image"]["width"], document["image"]["height"]) == (400, 300)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("length", [12, 25, 60])
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_image_cut_in_its_header_is_still_an_entry(kind: str, length: int) -> None:
    document = describe(image(kind)[:length])
    assert not document["complete"] or kind in ("GIF", "BMP", "TIFF")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_after_an_image_do_not_make_it_incomplete(kind: str) -> None:
    assert describe(image(kind) + b"appended later" * 10)["complete"]


def test_thumbnail_in_the_exif_is_not_taken_for_the_end() -> None:
    whole = image(size=(400, 300), exif=exif().tobytes() + image(size=(8, 8)))
    assert b"\xff\xd9" in whole[: len(whole) // 2]
    assert not describe(whole[: len(whole) // 2])["complete"]


def webp(width: int, height: int) -> bytes:
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk


@pytest.mark.parametrize("bomb", [png(100_000, 100_000), webp(100_000, 100_000)])
def test_pixel_bomb_is_measured_and_never_decoded(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        document = describe(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (document["image"]["width"], document["image"]["height"]) == (100_000, 100_000)
    assert peak < 4_000_000


@pytest.mark.long
@given(
    st.binary(max_size=200), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]), st.integers(8, 80)
)
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_damage_to_an_image_makes_it_fail(noise: bytes, kind: str, where: int) -> None:
    whole = image(kind)
    describe(whole[:where] + noise + whole[where + len(noise) :])


@given(st.binary(max_size=400), st.sampled_from(["a.csv", "a", "a.gz"]))
@settings(max_examples=300)
def test_no_bytes_make_it_fail(data: bytes, name: str) -> None:
    assert describe(data, name)["kind"] in {"csv", "text", "binary", "empty", "image"}
