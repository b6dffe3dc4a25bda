"""How a table is written: what stands before it, its delimiter, whether its first row names the columns.

Not the first row alone is asked: the delimiter is the one by which most rows have the same width, and the table begins
at the first row that is as wide as those below it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .cells import EMPTY, TEXT, kind_of
from .doubts import doubts, splits_times
from .escapes import doubled, has_escaped_quotes, tears_quotes
from .headers import Judgement, are_years, judge_header
from .lines import DELIMITERS, SNIFFED_ROWS, Rows, lines_before, parse, without_comments
from .markup import is_markup
from .open_quotes import marked

_RARE_DELIMITERS = "^~\x01\x1f"  # looked for where none of the usual ones is seen, under a name that says CSV
MAX_TITLE_ROWS = 20
_TAB_SUFFIXES = (".tsv", ".tab")
TABLE_SUFFIXES = (".csv", *_TAB_SUFFIXES)
# Excel's own first line: it names the delimiter, and is not a row.
_SEP = r'(?i)"?sep=([\t!#-/:-@\[-`{-~])"?[ \t,;|]*(?:\r\n|\r|\n|$)'
_FIELDS = r"(?im)^#[ \t]?(?:fields|columns)\b"
_LEAST_SHARE = 0.5  # of the rows of a table have to be equally wide; else what was found is a text with commas


class Dialect(NamedTuple):
    """The delimiter, whether the first row names the columns, the first rows themselves, and what was assumed.

    `skipped_lines` stand before the table. `escapes` says that a backslash escapes a quote; in `rows` it is doubled.
    """

    delimiter: str
    has_header: bool
    rows: list[list[str]]
    skipped_lines: int = 0
    assumed: tuple[str, ...] = ()
    escapes: bool = False


class _Table(NamedTuple):
    delimiter: str
    rows: Rows
    start: int  # which of the rows is the first of the table
    share: float  # of the rows from there on that are as wide as that one

    @property
    def rank(self) -> tuple[float, int, int]:
        return self.share, len(self.rows) - self.start, len(self.rows[self.start])


def sniff(text: str, name: str, *, is_whole: bool) -> Dialect | None:
    """Recognise CSV by its beginning, or return None.

    Three rows with the same number of fields, at least two and named ones, are CSV; a name that says so makes
    do with less, and so does a first line that names the delimiter. JSON and mark-up have regular commas too,
    and are not.
    """
    if "\ufeff" in text:  # files that were put together have a mark in front of each
        text = text.replace("\n\ufeff", "\n")
    marked_up = is_markup(text)  # once: it may read all of the JSON
    if marked_up or not has_escaped_quotes(text):
        return _sniff(text, name, is_whole=is_whole, marked_up=marked_up)
    text = doubled(text)
    found = _sniff(text, name, is_whole=is_whole, marked_up=is_markup(text))
    return None if found is None else found._replace(escapes=True)


def has_few_rows(dialect: Dialect | None, text: str, name: str) -> bool:
    """Whether a quote may have hidden rows: it has to be seen whether it is closed further down."""
    if '"' not in text:
        return False
    if dialect is not None:
        return len(dialect.rows) + dialect.skipped_lines < SNIFFED_ROWS
    if name.lower().endswith(TABLE_SUFFIXES):
        return True
    start = text.lstrip()
    first = start[: start.find("\n") + 1]
    return start[:1] not in ("{", "[", "<") and any(
        delimiter in first and marked(text, delimiter, is_whole=True)[1] for delimiter in DELIMITERS
    )


def _sniff(text: str, name: str, *, is_whole: bool, marked_up: bool) -> Dialect | None:
    says_csv = name.lower().endswith(TABLE_SUFFIXES)
    if (declared := re.match(_SEP, text)) is not None:
        return _declared(text, declared, is_whole=is_whole)
    if marked_up or (not says_csv and text.lstrip()[:1] in ("{", "[", "<", "#", "")):
        return None
    comments, rest = without_comments(text) if says_csv else (0, text)
    found = _tables(rest, DELIMITERS, is_whole=is_whole)
    if not says_csv:
        found = [table for table in found if _is_plain(table)]
    elif not found:
        found = _tables(rest, _RARE_DELIMITERS, is_whole=is_whole)
    best = found[0] if len(found) == 1 else max(found, key=lambda table: table.rank, default=None)
    if best is not None and len(found) > 1 and _is_torn(best, rest, is_whole=is_whole):
        found = [table for table in found if not _is_torn(table, rest, is_whole=is_whole)] or found
        best = max(found, key=lambda table: table.rank)
    if best is not None and best.delimiter == "," and len(found) > 1:
        says_tab = name.lower().endswith(_TAB_SUFFIXES)
        by_tab = next((other for other in found if _has_commas_in_words(other, best, rest, says_tab=says_tab)), best)
        if by_tab is not best and _is_torn(by_tab, rest, is_whole=is_whole):
            by_tab = best
        best = next((other for other in found if _has_decimal_commas(other, best)), by_tab)
    if best is None:
        return _one_column(rest, comments, is_whole=is_whole) if says_csv else None
    others = [table for table in found if table is not best] if len(found) > 1 else ()
    found_table = _described(best, rest, comments, others)
    if comments and not found_table.has_header and re.compile(_FIELDS).search(text, 0, len(text) - len(rest)):
        told = "A comment above the table begins like #Fields: it may name the columns, which are numbered here."
        return found_table._replace(assumed=(*found_table.assumed, told))
    return found_table


def _tables(text: str, delimiters: str, *, is_whole: bool) -> list[_Table]:
    """The tables that these delimiters make of the text."""
    # Without it there is one field a row, however it reads; three of four delimiters cost nothing that way.
    return [
        table
        for delimiter in delimiters
        if delimiter in text and (table := _table(parse(text, delimiter, is_whole=is_whole), delimiter)) is not None
    ]


def _is_torn(table: _Table, text: str, *, is_whole: bool) -> bool:
    """Whether the delimiter tears quotes apart: then a quote is left in a cell."""
    return '"' in "".join(map("".join, table.rows)) and tears_quotes(text, table.delimiter, is_whole=is_whole)


def _has_commas_in_words(table: _Table, by_comma: _Table, text: str, *, says_tab: bool) -> bool:
    """Whether tabs part the cells as well as commas do, and the name or a space after each comma speaks for tabs."""
    if table.delimiter != "\t" or table.rank[:2] != by_comma.rank[:2]:
        return False
    return says_tab or text.count(",") == text.count(", ")


def _has_decimal_commas(table: _Table, by_comma: _Table) -> bool:
    """Whether every comma is inside a number when another delimiter parts the cells: `1,5;2,5` are two numbers."""
    if table.delimiter == "," or table.rank[:2] < by_comma.rank[:2]:
        return False
    cells = [cell for row in table.rows[table.start :] for cell in row if "," in cell]
    return bool(cells) and all(kind_of(cell) in ("number", "percent") for cell in cells)


def _declared(text: str, declared: re.Match[str], *, is_whole: bool) -> Dialect | None:
    delimiter = declared[1]
    rest = text[declared.end() :]
    rows = parse(rest, delimiter, is_whole=is_whole)
    if not rows:
        return None
    table = _table(rows, delimiter)
    if table is not None and table.start:  # a title below it
        found = _described(table, rest, 0, ())
        return found._replace(skipped_lines=found.skipped_lines + 1)
    judgement = judge_header(rows)
    assumed = [] if judgement.is_sure else [_said(has_header=judgement.has_header)]
    assumed += doubts(rows, rest, delimiter, has_header=judgement.has_header)
    return Dialect(delimiter, judgement.has_header, rows, 1, tuple(assumed))


def _described(table: _Table, text: str, comments: int, others: Sequence[_Table]) -> Dialect:
    rows = table.rows[table.start :]
    skipped = comments + lines_before(text, table.delimiter, table.start)
    judgement = judge_header(rows)
    assumed = []
    if skipped:
        assumed.append(_said_of_lines(skipped))
    if table.share < 1 or (others and any(other.rank[:2] == table.rank[:2] for other in others)):
        assumed.append(
            f"The delimiter is taken for {table.delimiter!r}: some rows do not have it, or another one fits too."
        )
    if not judgement.is_sure:
        assumed.append(_said(has_header=judgement.has_header))
    if table.start and not judgement.has_header and _may_be_names(table.rows[table.start - 1], len(rows[0])):
        assumed.append(
            "The last line above the table may be its header, with another delimiter, or above split numbers."
        )
    is_even = table.share == 1
    assumed += doubts(rows, text, table.delimiter, has_header=judgement.has_header, is_even=is_even)
    return Dialect(table.delimiter, judgement.has_header, rows, skipped, tuple(assumed))


def _may_be_names(row: Sequence[str], width: int) -> bool:
    """Whether a row above a table has as many names (`a;b` above `1,2`), or half as many (`x,y` above `1,5,2,5`)."""
    if len(row) == 1:
        return any(row[0].count(other) + 1 == width for other in DELIMITERS)
    return 2 * len(row) == width and _are_texts(row)


def _said(*, has_header: bool) -> str:
    if has_header:
        return "The first row is taken for a header: the rows below do not say for sure."
    return "The first row is taken for values, not for a header: the rows below do not say for sure."


def _said_of_lines(count: int) -> str:
    lines = "first line is" if count == 1 else f"first {count} lines are"
    return f"The {lines} taken for a title or a comment, not for a row."


def _one_column(text: str, comments: int, *, is_whole: bool) -> Dialect | None:
    rows = parse(text, ",", is_whole=is_whole)
    if not any(map(_filled, rows)):
        return None
    judgement = judge_header(rows)
    assumed = ["No delimiter is seen: all is taken for one column."]
    if comments:
        assumed.insert(0, _said_of_lines(comments))
    if not judgement.is_sure:
        assumed.append(_said(has_header=judgement.has_header))
    assumed += doubts(rows, text, "", has_header=judgement.has_header)
    return Dialect(",", judgement.has_header, rows, comments, tuple(assumed))


def _table(rows: Rows, delimiter: str) -> _Table | None:
    """Where the table begins among the rows, or None without two columns."""
    widths = list(map(len, rows))
    if widths and widths.count(widths[0]) == len(widths):  # as most are
        return _Table(delimiter, rows, _start(rows, widths, widths[0]), 1.0) if widths[0] > 1 else None
    counts = Counter(widths)
    del counts[1]
    if not counts:
        return None
    # The most frequent width; of equally frequent ones the wider, for titles are short.
    width = max(counts, key=lambda width: (counts[width], width))
    if counts[widths[0]] == counts[width] and _names(rows[: widths.index(width)], 0):  # a whole table comes first
        width = widths[0]
    start = _start(rows, widths, width)
    share = _share(widths[start:])
    if share < _LEAST_SHARE and start:
        start, share = 0, _share(widths)
    return _Table(delimiter, rows, start, share) if widths[start] > 1 else None


def _share(widths: Sequence[int]) -> float:
    return widths.count(widths[0]) / len(widths)


def _start(rows: Rows, widths: Sequence[int], width: int) -> int:
    """The first row that is as wide as those below it, and no title that a spreadsheet filled up with delimiters."""
    first = widths.index(width)
    if first > MAX_TITLE_ROWS:
        return 0
    # A row of nearly the right width is a header with a name too few or too many, and no title.
    # Years are names that the rows below them do not prove.
    if any(width < 2 * wide for wide in widths[:first] if wide > 1) and not (
        _names(rows, first) or (_are_years_in(rows[first]) and judge_header(rows[first:]).has_header)
    ):
        return 0
    if (below := _below_settings(rows, first)) and widths[below] == width:
        return below
    # `Statement;;` and `;;` are titles too, when a row with a name in every cell follows.
    most = 1 if width < 4 else 2
    start = first
    while start < min(len(rows) - 1, MAX_TITLE_ROWS) and width > 2 and _filled(rows[start]) <= most:
        start += 1
    is_full = start > first and widths[start] == width and _filled(rows[start]) >= width - 1
    if is_full and judge_header(rows[start:]).has_header:
        return start
    if first == 0 and all(map(str.isalpha, rows[0])):  # names of one word each, which no title has
        return 0
    # `Report, 2026` above two columns is as wide as they are. Two years are the names of columns.
    if (
        len(rows) < first + 2
        or _are_texts(rows[first])
        or not _are_texts(rows[first + 1])
        or _are_years_in(rows[first])
    ):
        return first
    return first + 1 if _names(rows, first + 1) and not _names(rows, first) else first


def _below_settings(rows: Rows, first: int) -> int:
    """Where sure names stand below settings that are as wide as the table, `Station:,Rome`, or 0.

    A colon ends the first cell of each, or a row without any value follows, none of them has a value in all cells, and
    the table has more rows than they are.
    """
    last = min(len(rows) - 1, MAX_TITLE_ROWS)
    start = first
    while start < last and rows[start][0].endswith(":"):
        start += 1
    if start == first:
        width = len(rows[first])
        nothing = [""] * width
        if nothing not in rows[first:last]:
            return 0
        start = rows.index(nothing, first)
        if len(rows) - start <= start - first or any(_filled(row) == width for row in rows[first:start]):
            return 0
        start += 1
    return start if _names(rows, start) else 0


def _filled(cells: Sequence[str]) -> int:
    return sum(map(bool, map(str.strip, cells)))


def _are_texts(cells: Sequence[str]) -> bool:
    return all(kind_of(cell) in (TEXT, EMPTY) for cell in cells)


def _are_years_in(cells: Sequence[str]) -> bool:
    """Whether two numbers or more stand here, and all are years."""
    numbers = [cell.strip() for cell in cells if kind_of(cell) == "number"]
    return len(numbers) > 1 and are_years(numbers)


def _names(rows: Rows, first: int) -> bool:
    return len(rows) > first + 1 and judge_header(rows[first:]) == Judgement(has_header=True, is_sure=True)


def _is_plain(table: _Table) -> bool:
    """Three rows of one width under names, from the first on: what a table without a telling name has to be."""
    first = table.rows[0]
    is_plain = table.start == 0 and table.share == 1 and len(table.rows) >= 3 and "" not in first
    return is_plain and not splits_times(table.rows)
