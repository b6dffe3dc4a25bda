import itertools
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .codecs import Codec, fixed_blocks, gzip_chunks, gzip_header, in_order


@given(
    parts=st.lists(st.binary(max_size=20), max_size=20),
    block_bytes=st.integers(1, 30),
)
def test_blocks_hold_the_same_bytes_and_all_but_the_last_are_full(parts: list[bytes], block_bytes: int) -> None:
    blocks = list(fixed_blocks(parts, block_bytes))
    assert b"".join(blocks) == b"".join(parts)
    assert all(len(block) == block_bytes for block in blocks[:-1])
    assert all(blocks)


@given(data=st.binary(max_size=3000), level=st.integers(0, 9), library=st.sampled_from(["igzip", "zlib-ng"]))
def test_any_bytes_at_any_level_survive(data: bytes, level: int, library: str) -> None:
    plan = [Codec(library, min(level, 3) if library == "igzip" else max(level, 1))]
    assert zlib.decompress(b"".join(gzip_chunks([data, data], plan)), wbits=31) == data * 2


@pytest.mark.parametrize("name", ["donors.csv", "Spenden März.csv", "a b;c", "x/y/donors.csv"])
def test_the_header_names_the_file_in_latin_1(name: str) -> None:
    header = gzip_header(name)
    assert header == b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + name.rpartition("/")[2].encode("latin-1") + b"\0"


@pytest.mark.parametrize("name", ["", "日本語.csv", "line\nbreak", "nul\0", "..", "folder/.", "\x85"])
def test_a_name_that_latin_1_or_a_file_system_cannot_carry_is_not_in_the_header(name: str) -> None:
    assert gzip_header(name) == b"\x1f\x8b\x08\x00\0\0\0\0\0\xff"


def test_work_in_threads_is_never_far_ahead_of_its_reader() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    squares = in_order(lambda number: number * number, items(), threads=2)
    assert [next(squares) for _ in range(4)] == [0, 1, 4, 9]
    assert len(taken) <= 4 + 2
    squares.close()
