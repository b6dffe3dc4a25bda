"""Quotes that are never closed: the rows after them are seen, in files of any length."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .open_quotes import marked
from .rows import RowCounter
from .samples import describe

MANY = "7,8\n" * 400_000


@pytest.mark.long
@pytest.mark.parametrize("rest", ["", "7,8\n" * 100, "7,8\n" * 30_000, MANY], ids=["none", "few", "64 KiB", "1.6 MB"])
@pytest.mark.parametrize(
    ("beginning", "columns", "first_rows"),
    [
        ('a,b\n1,"2\n3,4\n5,6\n', "a/b", [["1", '"2'], ["3", "4"], ["5", "6"]]),
        ('a,b\n1,2\n3, "4\n5,6\n', "a/b", [["1", "2"], ["3", '"4'], ["5", "6"]]),
        ('a,b\n"1,2\n3,4\n5,6\n', "a/b", [['"1', "2"], ["3", "4"], ["5", "6"]]),
        ('"a,b\n1,2\n3,4\n5,6\n', '"a/b', [["1", "2"], ["3", "4"], ["5", "6"]]),
        ('a,b\n1,"x, y"\n3,"4\n5,6\n', "a/b", [["1", "x, y"], ["3", '"4'], ["5", "6"]]),
        ('a,b\n1,"2""\n3,4\n5,6\n', "a/b", [["1", '"2""'], ["3", "4"], ["5", "6"]]),
        ('List of "all"\n\na,b\n1,"2\n3,4\n5,6\n', "a/b", [["1", '"2'], ["3", "4"], ["5", "6"]]),
        ('sep=,\na,b\n1,"2\n3,4\n5,6\n', "a/b", [["1", '"2'], ["3", "4"], ["5", "6"]]),
    ],
)
def test_rows_after_an_open_quote_are_rows(
    beginning: str, columns: str, first_rows: list[list[str]], rest: str
) -> None:
    document = describe((beginning + rest).encode(), "t.csv", sample_rows=3)
    table = document["csv"]
    assert "/".join(table["columns"]) == columns
    assert table["first_rows"] == first_rows
    assert table["rows"] == 3 + rest.count("\n")
    [warning] = document["warnings"]
    assert "is never closed: it is taken for an ordinary character" in warning


@pytest.mark.parametrize("rows", [5, 40_000, 400_000])
def test_an_open_quote_does_not_make_a_text_of_a_table_without_a_telling_name(rows: int) -> None:
    document = describe(b'a,b\n1,"2\n' + b"3,4\n" * rows, "object")
    assert (document["kind"], document["csv"]["rows"]) == ("csv", rows + 1)


@pytest.mark.parametrize("letters", [70_000, 500_000, 900_000])
def test_a_long_cell_that_is_closed_stays_a_cell(letters: int) -> None:
    text = 'a,b\n1,2\n3,"' + "long, \n" * (letters // 7) + '"\n5,6\n'
    document = describe(text.encode(), "t.csv")
    assert document["csv"]["rows"] == 3
    assert document["csv"]["first_rows"][0] == ["1", "2"]
    is_read = letters < 131_072  # characters that Python's csv module takes for one field
    assert len(document["csv"]["first_rows"]) == (3 if is_read else 1)
    told = "first_rows has 1 row: the next one is longer than what is looked at"
    assert document["warnings"] == ([] if is_read else [told])


@given(st.text(alphabet='a ,"\n', max_size=60))
def test_the_first_rows_are_those_that_are_counted(text: str) -> None:
    counter = RowCounter(",", 1)
    counter.feed(text.encode())
    counts = counter.finish()
    literal, mark = marked(text, ",", is_whole=True)
    rows = [row for row in csv.reader(io.StringIO(literal, newline=""), skipinitialspace=True) if row]
    assert len(rows) == counts.rows
    assert literal.count(mark) == counts.unclosed if mark else counts.unclosed == 0
    assert literal.replace(mark or '"', '"') == text


TORN = "letters behind a closing quote: a stray quote may hide rows in a cell"


@pytest.mark.parametrize("before", [0, 3, 100_000])
@pytest.mark.parametrize(
    "torn", ['1,"2\n3,4\n5,"6\n', '1,"2\n3,4\n5, "6\n', '"5" disk",x\n', '1,"a\nb" c\n', '1,"say "hi", x"\n']
)
def test_two_stray_quotes_that_make_one_cell_are_told(before: int, torn: str) -> None:
    document = describe(("a,b\n" + "7,8\n" * before + torn + "9,10\n" * 1000).encode(), "t.csv")
    assert f"row {before + 2} has {TORN}" in document["warnings"]


@pytest.mark.parametrize(
    "rows", ['1,"2\n3,4\n5"\n', '1,"2"\n', '1, "2, 3" \n', '1,"2"" 3"\n', '"1","2, ""3"", 4"\r\n', "5\",x, '6'\n"]
)
def test_quotes_that_end_their_cell_tell_nothing(rows: str) -> None:
    document = describe(("a,b\n" + rows * 1000).encode(), "t.csv")
    assert [warning for warning in document["warnings"] if "quote" in warning] == []
