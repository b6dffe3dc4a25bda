"""How a table is written: what stands before it, its delimiter, whether its first row names the columns.

Not the first row alone is asked: the delimiter is the one by which most rows have the same width, and the table begins
at the first row that is as wide as those below it.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .cells import EMPTY, TEXT, kind_of
from .headers import Judgement, judge_header
from .markup import is_markup

DELIMITERS = ",;\t|"
SNIFFED_ROWS = 50
MAX_TITLE_ROWS = 20
_SUFFIXES = (".csv", ".tsv", ".tab")
# Excel's own first line: it names the delimiter, and is no row.
_SEP = re.compile(r'"?sep=([\t!#-/:-@\[-`{-~])"?[ \t,;|]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_COMMENTS = ("#", "//", "%", "--")
_LEAST_SHARE = 0.5  # of the rows of a table have to be equally wide; else what was found is a text with commas


@dataclass(frozen=True)
class Dialect:
    """The delimiter, whether the first row names the columns, the first rows themselves, and what was assumed.

    `skipped_lines` stand before the table.
    """

    delimiter: str
    has_header: bool
    rows: list[list[str]]
    skipped_lines: int = 0
    assumed: tuple[str, ...] = ()


class _Row(NamedTuple):
    cells: list[str]
    first_line: int  # counted from 0 in what was read


class _Table(NamedTuple):
    delimiter: str
    rows: list[_Row]
    start: int  # which of the rows is the first of the table
    share: float  # of the rows from there on that are as wide as that one

    @property
    def width(self) -> int:
        return len(self.rows[self.start].cells)

    @property
    def rank(self) -> tuple[float, int, int]:
        return self.share, min(len(self.rows) - self.start, SNIFFED_ROWS), self.width


def sniff(text: str, name: str, *, is_whole: bool) -> Dialect | None:
    """Recognise CSV by its beginning, or return None.

    Three rows with the same number of fields, at least two and named ones, are CSV; a name that says so makes
    do with less, and so does a first line that names the delimiter. JSON and mark-up have regular commas too,
    and are not.
    """
    says_csv = name.lower().endswith(_SUFFIXES)
    if (declared := _SEP.match(text)) is not None:
        return _declared(text, declared, is_whole=is_whole)
    if is_markup(text) or (not says_csv and text.lstrip()[:1] in ("{", "[", "<", "#", "")):
        return None
    comments, rest = _without_comments(text) if says_csv else (0, text)
    # Without it there is one field a row, however it reads; three of four delimiters cost nothing that way.
    found = [
        table
        for delimiter in DELIMITERS
        if delimiter in rest and (table := _table(_parse(rest, delimiter, is_whole=is_whole), delimiter)) is not None
    ]
    if not says_csv:
        found = [table for table in found if _is_plain(table)]
    best = max(found, key=lambda table: table.rank, default=None)
    if best is None:
        return _one_column(rest, comments, is_whole=is_whole) if says_csv else None
    return _described(best, comments, [table for table in found if table is not best])


def _declared(text: str, declared: re.Match[str], *, is_whole: bool) -> Dialect | None:
    delimiter = declared[1]
    rows = _parse(text[declared.end() :], delimiter, is_whole=is_whole)
    if not rows:
        return None
    judgement = judge_header([row.cells for row in rows])
    assumed = () if judgement.is_sure else (_said(has_header=judgement.has_header),)
    return Dialect(delimiter, judgement.has_header, [row.cells for row in rows], 1, assumed)


def _described(table: _Table, comments: int, others: Sequence[_Table]) -> Dialect:
    rows = [row.cells for row in table.rows[table.start :]]
    # Empty lines are in no row anyway.
    skipped = comments + (table.rows[table.start].first_line if table.start else 0)
    judgement = judge_header(rows)
    assumed = []
    if skipped:
        assumed.append(_said_of_lines(skipped))
    if table.share < 1 or any(other.rank[:2] == table.rank[:2] for other in others):
        assumed.append(f"The delimiter is taken for {table.delimiter!r}: not all rows tell it.")
    if not judgement.is_sure:
        assumed.append(_said(has_header=judgement.has_header))
    return Dialect(table.delimiter, judgement.has_header, rows, skipped, tuple(assumed))


def _said(*, has_header: bool) -> str:
    if has_header:
        return "The first row is taken for a header: the rows below do not say for sure."
    return "The first row is taken for values, and no header: the rows below do not say for sure."


def _said_of_lines(count: int) -> str:
    lines = "first line is" if count == 1 else f"first {count} lines are"
    return f"The {lines} taken for a title or a comment, and no row."


def _one_column(text: str, comments: int, *, is_whole: bool) -> Dialect | None:
    rows = [row.cells for row in _parse(text, ",", is_whole=is_whole)]
    if not rows:
        return None
    judgement = judge_header(rows)
    assumed = ["No delimiter is seen: all is taken for one column."]
    if comments:
        assumed.insert(0, _said_of_lines(comments))
    if not judgement.is_sure:
        assumed.append(_said(has_header=judgement.has_header))
    return Dialect(",", judgement.has_header, rows, comments, tuple(assumed))


def _parse(text: str, delimiter: str, *, is_whole: bool) -> list[_Row]:
    """The first rows, without empty ones, and without the last when it may be cut."""
    lines = io.StringIO(text, newline="")
    # skipinitialspace: `email, name` is a header that people write.
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    rows: list[_Row] = []
    before = 0
    try:
        for cells in reader:
            if cells:
                rows.append(_Row(cells, before))
            before = reader.line_num
            if len(rows) > SNIFFED_ROWS + MAX_TITLE_ROWS:
                break
        else:
            if not is_whole and len(rows) > 1:
                rows.pop()
    except csv.Error:  # a field longer than the csv module takes; the rows before it still tell
        pass
    return rows


def _without_comments(text: str) -> tuple[int, str]:
    """How many lines at the beginning are comments, and what follows them.

    The last of them may be the header, `#chrom,start,end`: it is, when it is as wide as the line below it and that one
    is no header.
    """
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
    rest = text[start + len(last) :]
    return (count - 1, text[start:]) if _is_header_of(last, rest) else (count, rest)


def _is_header_of(line: str, below: str) -> bool:
    for delimiter in DELIMITERS:
        if delimiter not in line:
            continue
        table = [row.cells for row in _parse(below, delimiter, is_whole=True)[:SNIFFED_ROWS]]
        [cells] = [row.cells for row in _parse(line, delimiter, is_whole=True)][:1] or [[]]
        if table and len(cells) == len(table[0]) > 1:
            own = judge_header(table)
            return not own.has_header or (not own.is_sure and judge_header([cells, *table]).is_sure)
    return False


def _table(rows: list[_Row], delimiter: str) -> _Table | None:
    """Where the table begins among the rows, or None without two columns."""
    widths = [len(row.cells) for row in rows]
    counts = Counter(width for width in widths if width > 1)
    if not counts:
        return None
    # The most frequent width; of equally frequent ones the wider, for titles are short.
    width = max(counts, key=lambda width: (counts[width], width))
    start = _start(rows, widths, width)
    body = rows[start : start + SNIFFED_ROWS]
    share = sum(len(row.cells) == len(body[0].cells) for row in body) / len(body)
    if share < _LEAST_SHARE and start:
        start, body = 0, rows[:SNIFFED_ROWS]
        share = sum(len(row.cells) == len(body[0].cells) for row in body) / len(body)
    return _Table(delimiter, rows[: start + SNIFFED_ROWS], start, share) if len(body[0].cells) > 1 else None


def _start(rows: Sequence[_Row], widths: Sequence[int], width: int) -> int:
    """The first row that is as wide as those below it, and no title that a spreadsheet filled up with delimiters."""
    first = widths.index(width)
    if first > MAX_TITLE_ROWS:
        return 0
    # A row of nearly the right width is a header with a name too few or too many, and no title.
    if any(width < 2 * wide for wide in widths[:first] if wide > 1) and not _names(rows, first):
        return 0
    filled = [sum(bool(cell.strip()) for cell in row.cells) for row in rows[: MAX_TITLE_ROWS + 1]]
    # `Statement;;` and `;;` are titles too, when a row with a name in every cell follows.
    most = 1 if width < 4 else 2
    start = first
    while start < len(filled) and width > 2 and filled[start] <= most:
        start += 1
    is_full = start < len(filled) and widths[start] == width and filled[start] >= width - 1
    if start > first and is_full and judge_header([row.cells for row in rows[start:]]).has_header:
        return start
    # `Report, 2026` above two columns is as wide as they are.
    is_title = not _are_texts(rows[first].cells) and not _names(rows, first) and _names(rows, first + 1)
    return first + 1 if is_title else first


def _are_texts(cells: Sequence[str]) -> bool:
    return all(kind_of(cell) in (TEXT, EMPTY) for cell in cells)


def _names(rows: Sequence[_Row], first: int) -> bool:
    cells = [row.cells for row in rows[first : first + SNIFFED_ROWS]]
    return len(cells) > 1 and judge_header(cells) == Judgement(has_header=True, is_sure=True)


def _is_plain(table: _Table) -> bool:
    """Three rows of one width under names, from the first on: what a table without a telling name has to be."""
    first = table.rows[0].cells
    return table.start == 0 and table.share == 1 and len(table.rows) >= 3 and "" not in first
