"""Sentences of README.md that no other test holds."""

import struct

import pytest

from .samples import describe, exif, image
from .samples.pictures import WHOLE

JXL = b"\0\0\0\x0cJXL \r\n\x87\n"
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


def test_a_name_helps_in_doubt() -> None:
    few = b"name,city\nAnn,Rome\n"
    assert [describe(few, name)["kind"] for name in ("t", "t.csv", "t.tsv", "t.tab")] == ["text", "csv", "csv", "csv"]
    controls = b"a line\x01\x02\n" * 10
    assert [describe(controls, name)["kind"] for name in ("t", "t.txt", "t.csv")] == ["binary", "text", "csv"]


def test_there_are_at_most_20_warnings() -> None:
    chunk = b"\0\0\0\0%s\1\2\3\4"
    whole = image("PNG")
    odd = whole[:33] + b"".join(chunk % b"ab%cT" % (65 + number) for number in range(26)) + whole[33:]
    assert len(describe(odd)["warnings"]) == 20


def test_a_space_after_a_delimiter_is_skipped() -> None:
    table = describe(b"email, name\na@example.com, Ann\nb@example.com, Bob\n", "t.csv")["csv"]
    assert (table["columns"], table["first_rows"][0]) == (["email", "name"], ["a@example.com", "Ann"])


def test_without_a_telling_name_three_rows_of_two_named_columns_are_csv() -> None:
    for text, kind in (
        (b"a,b\n1,2\n3,4\n", "csv"),
        (b"a,b\n1,2\n", "text"),
        (b"a,b\n1,2\n3\n", "text"),
        (b"a,\n1,2\n3,4\n", "text"),
        (b"a\n1\n3\n", "text"),
    ):
        assert describe(text, "t")["kind"] == kind


def test_columns_that_spaces_divide_are_one_column_with_a_note() -> None:
    document = describe(b"name  age\nAnn   35\nBob   40\n", "t.csv")
    assert document["csv"]["columns"] == ["name  age"]
    assert "No delimiter is seen: all is taken for one column." in document["notes"]


def test_yaml_that_begins_with_a_key_is_not_told_from_a_table() -> None:
    assert describe(b"a: 1, 2\nb: 3, 4\n", "t.csv")["kind"] == "csv"


def test_of_two_delimiters_that_are_equal_the_one_of_more_columns_counts() -> None:
    assert describe(b"a;b,c;d\n1;2,3;4\n5;6,7;8\n", "t.csv")["csv"]["delimiter"] == ";"


def test_columns_without_a_header_are_numbered() -> None:
    assert describe(b"1,2\n3,5\n", "t.csv")["csv"]["columns"] == ["column 1", "column 2"]


@pytest.mark.parametrize("text", ["a,b\n" + "1,2\n" * 60 + "1;2;3\n" * 60])
def test_the_first_50_rows_are_judged(text: str) -> None:
    document = describe(text.encode(), "t.csv")
    assert document["csv"]["delimiter"] == ","
    assert "60 rows have more or fewer than 2 fields, the first is row 62" in document["warnings"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damage_inside_the_pixels_is_not_seen(kind: str) -> None:
    whole = image(kind, (400, 300))
    middle = len(whole) // 2
    document = describe(whole[:middle] + bytes(40) + whole[middle + 40 :])
    assert document["complete"]
    assert document["warnings"] == []


def test_orientation_in_exif_does_not_count_where_the_file_has_its_own() -> None:
    tags = exif(orientation=6)  # Pillow makes `irot` of it and takes it out, so another tag becomes the one in EXIF
    tags[0x0106] = 3
    data = image("AVIF", exif=tags.tobytes())
    other, orientation = (struct.pack(">2HI", tag, 3, 1) for tag in (0x0106, 0x0112))
    assert data.count(other) == 1
    assert orientation not in data
    assert describe(data.replace(other, orientation))["image"]["orientation"] == 6


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(JXL, "image/jxl"), (b"\xff\x0a\xfa", "image/jxl"), (JP2, "image/jp2"), (b"\xff\x4f\xff\x51\0", "image/j2c")],
)
def test_jpeg_xl_and_jpeg_2000_have_a_type_and_no_size(data: bytes, media_type: str) -> None:
    document = describe(data + bytes(50), "a")
    assert (document["kind"], document["type"]) == ("binary", media_type)


def test_every_format_that_is_named_is_an_image() -> None:
    assert {describe(data)["kind"] for data in WHOLE.values()} == {"image"}
    found = {describe(data)["image"]["format"] for data in WHOLE.values()}
    assert found >= {"jpeg", "png", "gif", "webp", "tiff", "bmp", "avif", "heic", "ico", "psd"}
