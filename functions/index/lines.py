"""The first rows as a delimiter parts them, and the lines before them that are comments."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from .cells import EMPTY, kind_of
from .headers import Judgement, judge_header
from .open_quotes import marked

if TYPE_CHECKING:
    import _csv

DELIMITERS = ",;\t|"
SNIFFED_ROWS = 50
_COMMENTS = ("#", "//", "%", "--")
_MARKED_CELL = r"(?:#|//|%|--)[\w,;\t|]"
_LEAST_MARKED_ROWS = 2
_SURE_HEADER = Judgement(has_header=True, is_sure=True)

Rows = list[list[str]]


def _reader(text: str, delimiter: str) -> "_csv.Reader":
    # skipinitialspace: `email, name` is a header that people write.
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def parse(text: str, delimiter: str, *, is_whole: bool) -> Rows:
    """The first rows, without empty ones, and without the last when it may be cut."""
    rows, is_read = _read(text, delimiter)
    if '"' in text and len(rows) <= SNIFFED_ROWS and not (is_read and _is_closed(text, rows)):
        literal, mark = marked(text, delimiter, is_whole=is_whole)
        if mark:
            rows, is_read = _read(literal, delimiter)
            rows = [[cell.replace(mark, '"') for cell in row] for row in rows]
    if is_read and not is_whole and 1 < len(rows) <= SNIFFED_ROWS:
        rows.pop()
    return rows[:SNIFFED_ROWS]


def _is_closed(text: str, rows: Rows) -> bool:
    """Whether the last cell surely ends before the text does: an open quote takes all, the last line end too."""
    return not rows or text[-1] not in ('"', rows[-1][-1][-1:])


def _read(text: str, delimiter: str) -> tuple[Rows, bool]:
    """One row more than are judged, and whether the csv module took them all."""
    rows: Rows = []
    try:
        # What `extend` took before an error stays.
        rows.extend(islice(filter(None, _reader(text, delimiter)), SNIFFED_ROWS + 1))
    except csv.Error:  # a field longer than the csv module takes; the rows before it still tell
        return rows, False
    return rows, True


def lines_before(text: str, delimiter: str, count: int) -> int:
    """How many lines there are before the row that comes after `count` rows."""
    if not count:
        return 0
    reader = _reader(marked(text, delimiter, is_whole=True)[0], delimiter)
    lines = 0
    for row in reader:
        if row:
            count -= 1
            if count < 0:
                break
        lines = reader.line_num
    return lines


def without_comments(text: str) -> tuple[int, str]:
    """How many lines at the beginning are comments, and what follows them.

    The last of them may be the header, `#chrom,start,end`: it is, when it is as wide as the line below it and that one
    is not a header.
    """
    if not text[:1].isspace() and not text.startswith(_COMMENTS):
        return 0, text
    lines = io.StringIO(text, newline="")
    count, start, last = 0, 0, ""
    for line in lines:
        if line.strip() and not line.startswith(_COMMENTS):
            break
        count, start, last = count + 1, start + len(last), line
    else:
        return 0, text
    if not text[: start + len(last)].strip():
        return 0, text
    end = start + len(last)
    if (rows := _rows_with_marks(text, end)) is not None:
        return rows
    rest = text[end:]
    return (count - 1, text[start:]) if _is_header_of(last, rest) else (count, rest)


def _is_header_of(line: str, below: str) -> bool:
    for delimiter in DELIMITERS:
        if delimiter not in line:
            continue
        table = parse(below, delimiter, is_whole=True)
        names = parse(line, delimiter, is_whole=True)[:1]
        if names and table and len(names[0]) == len(table[0]) > 1:
            own = judge_header(table)
            return not own.has_header or (not own.is_sure and judge_header(names + table).is_sure)
    return False


def _rows_with_marks(text: str, end: int) -> tuple[int, str] | None:
    """Rows that only look like comments, `#1,Ann` or `--quiet,Be quiet`: how many lines precede them, and the rest.

    They are at least two, the last ones before `end`. Each is as wide as the row below them, its other cells are of the
    same kinds, and no space follows its mark. A header may stand over them.
    """
    for delimiter in DELIMITERS:
        if text.count(delimiter, 0, end) < _LEAST_MARKED_ROWS:
            continue
        below = parse(text[end:], delimiter, is_whole=True)
        if not below or len(below[0]) == 1 or judge_header(below) == _SURE_HEADER:
            continue
        lines = list(io.StringIO(text[:end], newline=""))
        count, start, rows = len(lines), end, 0
        for line in reversed(lines):
            row = parse(line, delimiter, is_whole=True)[:1]
            if not row or len(row[0]) != len(below[0]) or re.match(_MARKED_CELL, line) is None:
                break
            is_row = _are_alike(row[0], below[0])
            if not is_row and (rows < _LEAST_MARKED_ROWS or judge_header(row + below) != _SURE_HEADER):
                break
            count, start, rows = count - 1, start - len(line), rows + is_row
            if not is_row:
                break
            below.insert(0, row[0])
        if rows >= _LEAST_MARKED_ROWS:
            return count, text[start:]
    return None


def _are_alike(row: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the cells of two rows, but for the first, are of the same kinds; an empty one is like any."""
    pairs = zip(map(kind_of, row[1:]), map(kind_of, other[1:]), strict=False)
    return all(kind == beside or EMPTY in (kind, beside) for kind, beside in pairs)
