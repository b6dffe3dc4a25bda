"""Texts: encoding and lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .samples import describe


@pytest.mark.parametrize(
    ("data", "encoding", "lines"),
    [
        (b"one\ntwo\n", "ascii", 2),
        (b"one\ntwo", "ascii", 2),
        (b"one\r\ntwo\r\n", "ascii", 2),
        (b"one\rtwo\r", "ascii", 2),
        (b"\n\n\n", "ascii", 3),
        ("Grüße\n日本語\n".encode(), "utf-8", 2),
        ("Grüße\n".encode("utf-8-sig"), "utf-8-sig", 1),
        ("Grüße\n".encode("utf-16"), "utf-16", 1),
        ("one\ntwo\n".encode("utf-16-be"), "utf-16-be", 2),
        ("Grüße\n".encode("latin-1"), "windows-1252", 1),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 2, 1000])
def test_text_encoding_and_lines(data: bytes, encoding: str, lines: int, chunk_bytes: int) -> None:
    document = describe(data, chunk_bytes=chunk_bytes)
    assert (document["text"]["encoding"], document["text"]["lines"]) == (encoding, lines)
    assert document["text"]["beginning"] == data.decode(encoding)


@pytest.mark.parametrize("chunk_bytes", [1000, 1001, 150_000])
def test_one_damaged_byte_does_not_spoil_the_letters(chunk_bytes: int) -> None:
    document = describe("é\n".encode() * 50_000 + b"\xff\n", chunk_bytes=chunk_bytes)
    assert document["text"]["encoding"] == "utf-8"
    assert document["text"]["beginning"].startswith("é\né\n")
    assert document["warnings"] == ["byte 150000 is not UTF-8: such bytes are shown as U+FFFD"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("place", [30, 200])
def test_a_letter_cut_in_a_field_leaves_utf8_what_it_is(mark: bytes, place: int) -> None:
    data = mark + b"name,city\n" + "Jürgen,Köln\nZoë,Århus\n".encode() * 20
    cut_letter = data.index(b"\xc3", place)
    document = describe(data[: cut_letter + 1] + data[cut_letter + 2 :], "t.csv")
    assert document["csv"]["encoding"] == ("utf-8-sig" if mark else "utf-8")
    assert document["csv"]["columns"] == ["name", "city"]
    assert document["warnings"] == [f"byte {cut_letter} is not UTF-8: such bytes are shown as U+FFFD"]


def test_text_that_stops_being_utf8_says_where() -> None:
    data = b"plain\n" * 20_000 + "Jürgen und Käthe, Köln\n".encode("cp1252") * 20
    document = describe(data, chunk_bytes=1000)
    assert document["text"]["encoding"] == "windows-1252"
    assert document["warnings"] == ["begins as UTF-8, but byte 120001 is not: read as windows-1252"]


def test_text_that_ends_inside_a_character_says_so() -> None:
    assert describe("日本".encode()[:-1] * 1)["warnings"] == ["ends inside a UTF-8 character"]


@given(st.text(alphabet="a\r\n", max_size=30), st.integers(1, 5))
def test_lines_are_counted_as_python_splits_them(text: str, chunk_bytes: int) -> None:
    document = describe(text.encode() or b"a", chunk_bytes=chunk_bytes)
    assert document["text"]["lines"] == len((text or "a").splitlines())
