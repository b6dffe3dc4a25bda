"""The table of functions/index/README.md beside other readers is what the program that makes it finds."""

import pytest

from bench import index_peers

LINES = index_peers.lines(index_peers.README.read_text(encoding="utf-8"))


def test_the_table_is_found_whole() -> None:
    assert len(LINES) > 20
    assert all(line.duckdb and line.why for line in LINES)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.file[:30])
def test_a_line_says_what_pandas_and_the_function_read(line: index_peers.Line) -> None:
    assert (index_peers.here(line.data), index_peers.by_pandas(line.data)) == (line.here, line.pandas)
