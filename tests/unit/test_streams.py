"""Bodies are opened late, read in any way and limited; chunks come from all that a handler may return."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from penstock import Body, InputTooLarge
from penstock.streams import as_chunks, close_quietly, read_chunks, spool
from PIL import Image


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


def test_peek_between_two_chunks_of_an_iteration_loses_nothing() -> None:
    body, got = Body(lambda: [b"ab", b"cd", b"ef"]), b""
    for chunk in body:
        got += chunk
        body.peek(3)
    assert got == b"abcdef"


def test_next_gives_what_iteration_gives() -> None:
    body = Body(lambda: [b"ab\ncd", b"", b"ef"])
    assert [next(body), *body] == [b"ab\ncd", b"ef"]
    with pytest.raises(StopIteration):
        next(body)


# A body is a file


@given(
    st.lists(st.binary(max_size=20)),
    st.lists(st.tuples(st.sampled_from(["read", "read1", "readinto", "readline"]), st.integers(-1, 9))),
)
def test_every_way_to_read_gives_the_next_bytes(chunks: list[bytes], reads: list[tuple[str, int]]) -> None:
    body, expected = Body(lambda: chunks), io.BytesIO(b"".join(chunks))
    for way, size in reads:
        here, size = expected.tell(), max(size, 0) if way == "readinto" else size
        if way == "readinto":
            buffer = bytearray(size)
            part = bytes(buffer[: body.readinto(buffer)])
        else:
            part = getattr(body, way)(size)
        if way in ("read", "readline"):
            assert part == getattr(expected, way)(size)
        else:
            left = expected.read()
            assert left.startswith(part)
            assert part or not left or size == 0, f"{way} may give fewer bytes than asked, but none only at the end"
            expected.seek(here + len(part))
    assert body.read() == expected.read()


def test_lines_are_whole_wherever_the_chunks_are_cut() -> None:
    text = b"one\ntwo\n\nlast"
    for size in range(1, len(text) + 1):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        assert Body(partial(iter, chunks)).readlines() == [b"one\n", b"two\n", b"\n", b"last"]
        assert Body(partial(iter, chunks)).readlines(5) == [b"one\n", b"two\n"]


def test_closed_body_is_a_closed_file() -> None:
    body = Body(lambda: [b"ab", b"cd"], name="s3://upload/a.txt")
    body.read(1)
    assert not body.closed
    body.close()
    body.close()
    assert body.closed
    for read in (body.read, body.readline, body.read1, lambda: body.peek(1), lambda: list(body), body.readall):
        with pytest.raises(ValueError, match=r"s3://upload/a\.txt: read after it was closed"):
            read()
    assert body.failure is None, "the handler's own mistake is not a failure of the source"


def test_source_is_let_go_with_the_last_reference() -> None:
    closed: list[int] = []

    def source() -> Iterator[bytes]:
        try:
            yield b"a,b\n"
            yield b"1,2\n"
        finally:
            closed.append(1)

    text = io.TextIOWrapper(Body(source))
    assert text.readline() == "a,b\n"
    del text
    assert closed == [1]


def test_body_says_what_a_file_says_of_itself() -> None:
    body = Body.of(b"abc")
    assert isinstance(body, io.RawIOBase)
    assert (body.readable(), body.writable(), body.seekable(), body.isatty()) == (True, False, False, False)
    for unsupported in (body.seek, body.fileno, body.truncate, body.tell):
        with pytest.raises(io.UnsupportedOperation):
            unsupported(*[0] if unsupported == body.seek else [])
    with pytest.raises(io.UnsupportedOperation, match=r"input: an input reads forward only; .* spool\(event\.body\)"):
        body.seek(0, 2)


TABLE = b"name,n\n" + b"".join(b"\xe7\x8c\xab %d,%d\n" % (n, n) for n in range(5000))


def cut(data: bytes, size: int = 1000) -> Body:
    return Body(lambda: [data[at : at + size] for at in range(0, len(data), size)])


def tar() -> bytes:
    file, member = io.BytesIO(), tarfile.TarInfo("table.csv")
    member.size = len(TABLE)
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(member, io.BytesIO(TABLE))
    return file.getvalue()


# pandas and pyarrow are imported where they are used: they take two seconds, and every worker reads this file.


def frame() -> Any:
    """`TABLE` as pandas holds it."""
    import pandas as pd

    return pd.DataFrame({"name": [f"猫 {n}" for n in range(5000)], "n": range(5000)})


def by_python_file(body: Body) -> bytes:
    import pyarrow as pa

    return bytes(pa.PythonFile(body, mode="r").read(len(TABLE)))


def by_input_stream(body: Body) -> bytes:
    import pyarrow as pa

    return bytes(pa.input_stream(body).read(len(TABLE)))


def untar(body: Body) -> bytes:
    with tarfile.open(fileobj=body, mode="r|") as archive:
        return b"".join(found.read() for member in archive if (found := archive.extractfile(member)))


def copied(body: Body) -> bytes:
    file = io.BytesIO()
    shutil.copyfileobj(body, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (gzip.compress(TABLE), lambda body: gzip.GzipFile(fileobj=body).read()),
        (bz2.compress(TABLE), lambda body: bz2.BZ2File(body).read()),
        (lzma.compress(TABLE), lambda body: lzma.decompress(body.read())),
        (zstandard.compress(TABLE), lambda body: zstandard.ZstdDecompressor().stream_reader(body).read()),
        (tar(), untar),
        (TABLE, lambda body: io.BufferedReader(body).read()),
        (TABLE, lambda body: io.TextIOWrapper(body, encoding="utf-8", newline="").read().encode()),
        (TABLE, by_python_file),
        (TABLE, by_input_stream),
        (TABLE, copied),
    ],
    ids=["gzip", "bz2", "lzma", "zstandard", "tar", "BufferedReader", "TextIOWrapper", "PythonFile", "arrow", "copy"],
)
def test_what_takes_a_file_takes_a_body(data: bytes, read: Callable[[Body], bytes]) -> None:
    body = cut(data)
    assert read(body) == TABLE
    assert body.failure is None


def test_csv_reads_rows_from_a_body() -> None:
    rows = csv.DictReader(io.TextIOWrapper(cut(TABLE), encoding="utf-8", newline=""))
    assert list(itertools.islice(rows, 2)) == [{"name": "猫 0", "n": "0"}, {"name": "猫 1", "n": "1"}]


def test_json_reads_a_body() -> None:
    assert json.load(cut(b'{"a": [1, 2, 3]}', 3)) == {"a": [1, 2, 3]}


@pytest.mark.parametrize("engine", ["c", "python", "pyarrow"])
def test_pandas_reads_a_table_from_a_body(engine: Any) -> None:
    import pandas as pd

    assert pd.read_csv(cut(TABLE), engine=engine).equals(frame())


def test_pandas_reads_a_packed_table_in_pieces() -> None:
    import pandas as pd

    pieces = list(pd.read_csv(cut(gzip.compress(TABLE)), compression="gzip", chunksize=2000))
    assert [len(piece) for piece in pieces] == [2000, 2000, 1000]
    assert pd.concat(pieces).equals(frame())


def test_pyarrow_reads_a_table_from_a_body_in_batches() -> None:
    import pyarrow as pa
    import pyarrow.csv

    body = cut(TABLE)
    with pa.csv.open_csv(body, read_options=pa.csv.ReadOptions(block_size=1000)) as reader:
        first = reader.read_next_batch()
        assert first.column_names == ["name", "n"]
        assert body.bytes_read < len(TABLE), "a stream is read as it is used"
        table = pa.Table.from_batches([first, *reader])
    assert table.to_pandas().equals(frame())


def test_failure_of_the_source_reaches_the_caller_of_a_library() -> None:
    import pandas as pd
    import pyarrow.csv

    def broken() -> Iterator[bytes]:
        yield TABLE[:50_000]
        raise ConnectionError("the store went away")

    for read in (pd.read_csv, pyarrow.csv.read_csv, lambda body: list(io.TextIOWrapper(body, encoding="utf-8"))):
        body = Body(broken)
        with pytest.raises(ConnectionError, match="the store went away"):
            read(body)
        assert isinstance(body.failure, ConnectionError)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
def test_pillow_opens_a_picture_from_a_body(kind: str) -> None:
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(file, kind)
    with Image.open(cut(file.getvalue())) as picture:
        picture.load()
        assert (picture.format, picture.size) == (kind, (256, 256))


def test_library_that_seeks_reads_a_spooled_body(tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("table.csv", TABLE)
    with spool(cut((tmp_path / "packed.zip").read_bytes())) as file, zipfile.ZipFile(file) as archive:
        assert archive.read("table.csv") == TABLE
    frame().to_parquet(tmp_path / "table.parquet")
    with spool(cut((tmp_path / "table.parquet").read_bytes())) as file:
        assert pd.read_parquet(file).equals(frame())
    np.save(tmp_path / "n.npy", frame()["n"].to_numpy())
    with spool(cut((tmp_path / "n.npy").read_bytes())) as file:
        assert np.load(file).sum() == frame()["n"].sum()


def test_result_may_be_the_body_itself_and_keeps_its_chunks() -> None:
    assert list(as_chunks(Body(lambda: [b"ab", b"cd"]))) == [b"ab", b"cd"]


@pytest.mark.parametrize(
    "body",
    [b"abc", bytearray(b"abc"), memoryview(b"abc"), io.BytesIO(b"abc"), [b"a", b"bc"], iter([b"ab", b"c"])],
    ids=lambda body: type(body).__name__,
)
def test_all_that_holds_bytes_gives_chunks(body: bytes) -> None:
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
