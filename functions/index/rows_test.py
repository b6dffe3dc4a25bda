"""The row counter against Python's own csv module."""

import csv
import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from .rows import MAX_FIELD_BYTES, RowCounter
from .samples import cut, describe


def stdlib_rows(text: str) -> tuple[int, int]:
    """How many rows Python's csv module finds, empty lines left out, and how many differ from the first in width."""
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if row]
    return len(rows), sum(len(row) != len(rows[0]) for row in rows)


def counted(text: str, block_bytes: int, width: int, max_field_bytes: int = MAX_FIELD_BYTES) -> RowCounter:
    counter = RowCounter(",", width, max_field_bytes=max_field_bytes)
    for block in cut(text.encode(), block_bytes):
        counter.feed(block)
    counter.finish()
    return counter


cells = st.text(alphabet='ab ,"\r\n', max_size=6)


@given(st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=20), st.integers(1, 40))
def test_written_csv_is_counted_as_the_csv_module_reads_it(table: list[list[str]], block_bytes: int) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(table)
    text = file.getvalue()
    rows, ragged = stdlib_rows(text)
    width = len(next(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)))
    counts = counted(text, block_bytes, width).counts
    assert (counts.rows, counts.ragged, counts.unclosed) == (rows, ragged, 0)


@settings(max_examples=500)
@given(st.text(alphabet='a ,"\r\n', max_size=60), st.integers(1, 20))
@example('"""a","\n"\n', 3)
@example('a, "b\n",c\n', 4)
@example('"a"b",c\n', 1)
def test_any_csv_is_counted_as_the_csv_module_reads_it(text: str, block_bytes: int) -> None:
    rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
    width = next((len(row) for row in rows if row), 1)
    counts = counted(text, block_bytes, width).counts
    if counts.unclosed == 0:  # where the csv module takes the rest for one field, and this does not
        assert (counts.rows, counts.ragged) == (
            sum(map(bool, rows)),
            sum(bool(row) and len(row) != width for row in rows),
        )


@given(st.text(alphabet='a ,"\n', max_size=60))
def test_unclosed_quote_is_reported_whenever_the_csv_module_runs_into_the_end(text: str) -> None:
    try:
        list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=False))
        strict_error = ""
        list(csv.reader(io.StringIO(text.rstrip("\n"), newline=""), skipinitialspace=True, strict=True))
    except csv.Error as error:
        strict_error = str(error)
    if strict_error == "unexpected end of data":
        assert counted(text.rstrip("\n"), 100, 1).counts.unclosed > 0


@given(st.text(alphabet='a ,"\n', max_size=80), st.integers(1, 20), st.integers(4, 12))
def test_long_rows_are_forgotten_without_losing_count(text: str, block_bytes: int, limit: int) -> None:
    text = text.replace('"', "x")
    whole = counted(text, 1000, 2).counts
    assert counted(text, block_bytes, 2, max_field_bytes=limit).counts == whole


def test_lines_that_begin_with_quotes_inside_a_cell_are_not_torn() -> None:
    """Also where the cell is open at the end of a block, and where the last row has no line end."""
    text = b'id,text\n1,"a\n""b"" c\nd"\n2,"e\n""f"" g\nh"'
    assert describe(text, "t.csv")["warnings"] == []
    long = b"id,text\n" + b'1,"a\n""b"" c\nd"\n' * 40_000
    assert describe(long, "t.csv")["warnings"] == []
    assert describe(long, "t.csv")["csv"]["rows"] == 40_000
