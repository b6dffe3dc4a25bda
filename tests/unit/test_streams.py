"""Bodies are opened late, read in any way and limited; chunks come from whatever a handler returns."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock import Body, InputTooLarge
from penstock.streams import as_chunks, close_quietly, read_chunks, spool


def test_body_is_opened_by_the_first_read_and_only_once() -> None:
    opened: list[int] = []

    def open_it() -> list[bytes]:
        opened.append(1)
        return [b"abc", b"", b"def"]

    body = Body(open_it)
    assert opened == []
    assert body.read(2) == b"ab"
    assert body.read() == b"cdef"
    assert body.read() == b""
    assert opened == [1]


def test_peek_consumes_nothing() -> None:
    body = Body(lambda: [b"ab", b"cd", b"ef"])
    assert body.peek(3) == b"abc"
    assert body.peek(1) == b"a"
    assert body.peek(100) == b"abcdef"
    assert b"".join(body) == b"abcdef"


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(-1, 30)))
def test_any_reads_give_the_same_bytes(chunks: list[bytes], sizes: list[int]) -> None:
    body, whole = Body(lambda: chunks), b"".join(chunks)
    got = b""
    for number, size in enumerate(sizes):
        if number % 2:
            assert whole[len(got) :].startswith(body.peek(max(size, 0)))
        part = body.read(size)
        assert size < 0 or len(part) == min(size, len(whole) - len(got))
        got += part
    assert got + b"".join(body) == whole
    assert body.bytes_read == len(whole)


def test_limit_is_exact() -> None:
    assert Body(lambda: [b"ab", b"c"], max_bytes=3).read() == b"abc"
    body = Body(lambda: [b"ab", b"cd"], max_bytes=3, name="big.csv")
    assert body.read(2) == b"ab"
    with pytest.raises(InputTooLarge, match=r"big\.csv: larger than 3 bytes; raise MAX_INPUT_BYTES"):
        body.read(1)


def test_failure_is_remembered_and_raised_again() -> None:
    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise ConnectionError("gone")

    body = Body(broken)
    assert body.read(2) == b"ab"
    for _ in range(2):
        with pytest.raises(ConnectionError, match="gone"):
            body.read()
    assert isinstance(body.failure, ConnectionError)


def test_failure_to_open_is_remembered_too() -> None:
    attempts: list[int] = []

    def fail() -> list[bytes]:
        attempts.append(1)
        raise ConnectionError

    body = Body(fail)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            body.peek(1)
    assert attempts == [1]


def test_closing_lets_go_of_the_source() -> None:
    closed: list[int] = []

    def source() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(1)

    with Body(source) as body:
        body.read(1)
    assert closed == [1]


def test_body_that_was_never_read_closes_without_opening() -> None:
    Body(lambda: pytest.fail("opened")).close()


def test_body_of_bytes_is_readable() -> None:
    body = Body.of(b"abc")
    assert body.readable()
    assert body.read() == b"abc"


@pytest.mark.parametrize(
    "body",
    [b"abc", bytearray(b"abc"), memoryview(b"abc"), io.BytesIO(b"abc"), [b"a", b"bc"], iter([b"ab", b"c"])],
    ids=lambda body: type(body).__name__,
)
def test_whatever_holds_bytes_gives_chunks(body: bytes) -> None:
    assert b"".join(as_chunks(body)) == b"abc"


def test_mapping_gives_one_line_of_json() -> None:
    (line,) = as_chunks({"b": "日本", "a": 1})
    assert line.endswith(b"\n")
    assert "日本".encode() in line
    assert json.loads(line) == {"a": 1, "b": "日本"}


def test_file_is_read_from_where_it_stands_in_pieces() -> None:
    file = io.BytesIO(b"abcdef")
    file.seek(1)
    assert list(read_chunks(file, 2)) == [b"bc", b"de", b"f"]


def test_spool_starts_in_memory_and_is_rewound() -> None:
    with spool([b"ab", b"cd"]) as small, spool([b"x" * 100] * 3, memory_bytes=10) as large:
        assert small.read() == b"abcd"
        assert len(large.read()) == 300


def test_failed_spool_closes_its_file() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100
        raise ConnectionError

    with pytest.raises(ConnectionError):
        spool(broken(), memory_bytes=10)


def test_closing_quietly_takes_anything() -> None:
    class Stubborn:
        def close(self) -> None:
            raise OSError

    for unwanted in (None, b"", Stubborn(), io.BytesIO()):
        close_quietly(unwanted)
