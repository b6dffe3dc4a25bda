"""What the beginning of an object shows."""

import gzip
from collections.abc import Iterator

import pytest
from penstock.local.console.preview import BEGINNING_BYTES, preview_of


def test_a_table_has_columns_and_rows() -> None:
    found = preview_of("a.csv", [b"id;name\r\n1;", "Ann é".encode() + b"\r\n\r\n2;x\r\n"])
    assert (found["kind"], found["columns"], found["rows"]) == ("table", ["id", "name"], [["1", "Ann é"], ["2", "x"]])


def test_a_packed_table_is_unpacked() -> None:
    found = preview_of("a.csv.gz", [gzip.compress(b"a,b\n1,2\n" * 100_000)])
    assert (found["kind"], found["packed"], found["columns"]) == ("table", "gzip", ["a", "b"])


def test_no_more_is_unpacked_than_is_shown() -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    assert len(preview_of("a.txt.gz", [bomb])["text"]) == 4000


def test_the_rest_is_not_read() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"text " * BEGINNING_BYTES
        raise AssertionError("the rest was read")

    assert preview_of("a.txt", chunks())["kind"] == "text"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff\xe0rest", "picture"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "picture"),
        (b"\0\0\0\x1cftypavif", "picture"),
        (b"<svg onload=alert(1)>", "text"),
        (b"\x1f\x8bdamaged", "empty"),
        (b"\x80\x81\x82\x00", "binary"),
        (bytes(range(128, 256)) * 10, "binary"),
        ("日本語".encode() * 30_000, "text"),
    ],
)
def test_kinds_are_told_by_bytes_and_not_by_names(data: bytes, kind: str) -> None:
    assert preview_of("picture.jpg", [data])["kind"] == kind


def test_cells_rows_and_columns_are_bounded() -> None:
    row = ",".join(["x" * 1000] * 60) + "\n"
    found = preview_of("wide.csv", [row.encode() * 1])
    assert len(found["columns"]) == 40
    assert max(len(cell) for cell in found["columns"]) == 200
