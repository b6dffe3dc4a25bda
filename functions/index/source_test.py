import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .source import MAX_STEPS, Source, TooManyPartsError, UnreadableError


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


requests = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12)


@given(data=st.binary(max_size=50), size=st.integers(1, 12), wanted=requests)
def test_pieces_are_the_same_going_forward_however_the_bytes_arrive(
    data: bytes, size: int, wanted: list[tuple[int, int]]
) -> None:
    with Source(cut(data, size)) as source:
        for position, length in sorted(wanted):
            assert source.at(position, length) == data[position : position + length]
            assert source.reaches(position) == (len(data) >= position)


@given(data=st.binary(max_size=50), size=st.integers(1, 12), wanted=requests)
def test_what_is_kept_can_be_asked_for_in_any_order(data: bytes, size: int, wanted: list[tuple[int, int]]) -> None:
    with Source(cut(data, size), keeps=True) as source:
        for position, length in wanted:
            assert source.at(position, length) == data[position : position + length]


@given(data=st.binary(max_size=60).map(lambda data: data.replace(b"\1", b"ab")), size=st.integers(1, 12))
def test_a_pattern_is_found_over_the_edges_of_chunks(data: bytes, size: int) -> None:
    with Source(cut(data, size)) as source:
        assert source.find(re.compile(b"ab"), 0, 2) == data.find(b"ab")


def test_what_was_passed_and_not_kept_cannot_be_read() -> None:
    with Source(cut(bytes(100), 10)) as source:
        source.at(50, 10)
        with pytest.raises(UnreadableError, match="lies before byte 50"):
            source.at(0, 10)


def test_nothing_large_is_held_while_going_forward() -> None:
    with Source(cut(bytes(1_000_000), 1000)) as source:
        source.at(500_000, 10)
        assert source.held_bytes <= 1010


def test_steps_have_a_limit() -> None:
    with Source([]) as source, pytest.raises(TooManyPartsError, match=f"more than {MAX_STEPS} parts"):  # noqa: PT012
        while True:
            source.step()
