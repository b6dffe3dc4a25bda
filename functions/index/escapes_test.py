"""Quotes that a backslash escapes, as MySQL, Spark and Hive write them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.testing import run

from .escapes import doubled_chunks, has_escaped_quotes
from .handler import handle

CELLS = st.text(st.sampled_from('a ",\\\n;'), max_size=6)


def told(text: str) -> tuple[int, list[list[str]], list[str]]:
    document = run(handle, text.encode(), name="t.csv").document
    assert document is not None
    return document["csv"]["rows"], document["csv"]["first_rows"], document["warnings"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('id,name\n1,"a \\"b\\", c"\n2,"d"\n', [["1", 'a "b", c'], ["2", "d"]]),
        ('id,name\n1,"a \\"b\\"\nc"\n2,"d"\n3,"e"\n', [["1", 'a "b"\nc'], ["2", "d"], ["3", "e"]]),
        ('id,json\n1,"{\\"a\\": 1, \\"b\\": \\"x,y\\"}"\n2,"{}"\n', [["1", '{"a": 1, "b": "x,y"}'], ["2", "{}"]]),
    ],
)
def test_escaped_quote_does_not_end_its_cell(text: str, rows: list[list[str]]) -> None:
    assert told(text) == (len(rows), rows, [])


def test_backslash_that_ends_a_cell_is_a_character() -> None:
    text = 'id,path\n1,"C:\\dir\\"\n2,"D:\\"\n'
    assert told(text) == (2, [["1", "C:\\dir\\"], ["2", "D:\\"]], [])


def test_doubled_quotes_of_json_with_escapes_stay() -> None:
    text = 'id,json\n1,"{""a"": ""\\""x\\""""}"\n2,"{}"\n'
    assert told(text)[0] == 2
    assert not has_escaped_quotes(text)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.integers(1, 9))
def test_escaped_in_any_pieces_is_read_as_it_was_written(rows: list[tuple[str, str]], size: int) -> None:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\", lineterminator="\n").writerows(rows)
    data = file.getvalue().encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    plain = b"".join(doubled_chunks(pieces)).decode()
    # A backslash that escapes itself stays double.
    read = [tuple(cell.replace("\\\\", "\\") for cell in row) for row in csv.reader(io.StringIO(plain, newline=""))]
    assert read == rows
