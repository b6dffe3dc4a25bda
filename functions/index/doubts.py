"""What the first rows of a table have that a person would stop at: each is a note, and no row is left out for it."""

import re
from collections.abc import Iterator, Sequence

from .cells import EMPTY, TEXT, kind_of
from .printed import has_rule

_SETTING = r"(?:export +)?[A-Za-z_][\w.-]*(?: *=|: )"
_LABEL = r"[A-Za-z_][\w.-]*:(?!//)(?=.)"
_LOOKED_AT_ROWS = 5
_SECONDS = r"\d\d:\d\d:\d\d"
_THOUSANDTHS = r"\d{3}[\]) \t]+\S"
_TOTALS = frozenset((
    "total", "totals", "grand total", "subtotal", "sum", "sums", "summe", "gesamt", "gesamtsumme", "insgesamt", "somme",
    "total général", "totaux", "totale", "totali", "total general", "suma", "totaal", "toplam", "genel toplam", "итого",
    "всего", "合計", "小計", "总计", "總計", "합계",
))  # fmt: skip
_LONGEST_TOTAL = 20
_LINE_ENDS = "[\x1e\u0085\u2028\u2029]|\\\\n."
_LONG_DELIMITERS = frozenset("^~|:;*#@!$%&§¬¦¶")
_CUT_ENTITY = (
    r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp|euro|szlig"
    r"|[A-Za-z](?:uml|acute|grave|circ|tilde|cedil))$"
)
_SENTENCE_ENDS = ".!?…。"
_OTHER_QUOTES = ("''", "``", "‘’", "“”", "„“", "«»", "»«")


def doubts(
    rows: Sequence[Sequence[str]], text: str, delimiter: str, *, has_header: bool, is_even: bool = False
) -> Iterator[str]:
    """Sentences for the notes. `rows` are the first ones of a table, `text` is what they were read from.

    `delimiter` is "" where none is seen. `is_even` says that all of these rows are equally wide.
    """
    first, last = rows[0], rows[-1]
    if has_header and len(rows) > 2:
        if _is_drawn(rows[1]) or _are_units(rows):
            yield "The row below the header may hold units, types or a drawn line: it is counted as a row."
        if first in rows[1:]:
            yield "The header comes again below: there it is counted as a row."
        if _is_total(last):
            yield "The last row that was looked at may be a total: it is counted as a row."
    if len(first) > 1 and [""] * len(first) in rows:
        yield "Rows in which all cells are empty stand among the others: they are counted."
    if "#" in text and not first[0].startswith("#") and any(row[0].startswith("#") for row in rows[1:]):
        yield "Rows that begin with # stand among the others: they may be comments, and are counted."
    if splits_times(rows):
        yield "The delimiter stands inside times like 10:00:00,123: this may be a log, and no table."
    cell = first[0]
    if ("=" in cell or ":" in cell) and len(rows) > 1 and _are_settings(rows):
        yield "Each row begins with a name and a sign like = or a colon: this may be a list of settings, and no table."
    if delimiter and len(rows) > 1:
        if not cell and delimiter == "|" and len(first) > 2 and not any(row[0] or row[-1] for row in rows):
            yield "Each row begins and ends with '|', as in a printed table: the first and the last column are empty."
        elif _is_longer(rows, delimiter):
            yield f"The delimiter may be longer than {delimiter!r}: each cell has a sign that is the same everywhere."
    if delimiter == ";" and "&" in text and any(re.search(_CUT_ENTITY, cell) for row in rows for cell in row[:-1]):
        yield "The delimiter also ends signs of HTML like &amp;: cells may be cut there."
    if len(rows) == 1 and len(first) > 1 and len(re.findall(_LINE_ENDS, text)) > 1:
        yield "Only one row is seen, and its cells have what may be meant to end lines: U+0085, U+2028, U+001E or \\n."
    if last[-1][-1:] in _SENTENCE_ENDS and _are_sentences(rows):
        yield "Each row ends like a sentence: this may be a text with commas, and no table."
    if len(cell) > 2 and not cell.isalnum() and cell[0] + cell[-1] in _OTHER_QUOTES:
        yield 'Cells stand in quotes other than ": these are a part of the cells, and part nothing.'
    if not is_even and has_rule(text):
        yield "A line is drawn further below, as in a printed table: lines there may be no rows."
    if (
        delimiter
        and ("\n\n" in text or ("\r" in text and "\r\n\r\n" in text))
        and _has_second_table(rows, text, delimiter)
    ):
        yield "Names stand below an empty line: another table may begin there. Its lines are counted as rows."


def splits_times(rows: Sequence[Sequence[str]]) -> bool:
    """Whether each row begins with a time whose thousandths stand in the second cell, as Python's logging writes it."""
    if rows[0][0][-3:-2] != ":":
        return False
    return all(
        len(row) > 1 and re.fullmatch(_SECONDS, row[0][-8:]) is not None and re.match(_THOUSANDTHS, row[1]) is not None
        for row in rows[:_LOOKED_AT_ROWS]
    )


def _is_drawn(row: Sequence[str]) -> bool:
    return row[0][:1] in ("-", "=") and all(len(cell) > 1 and not cell.strip("-= ") for cell in row)


def _are_units(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the second row has words only, one of them above numbers, dates or the like.

    Up to two more rows of words may follow it: some programs write long names and comments there.
    """
    words = []
    for n, cell in enumerate(rows[1]):
        kind = kind_of(cell)
        if kind == TEXT:
            words.append(n)
        elif kind != EMPTY:
            return False
    others = rows[2 : 4 + _LOOKED_AT_ROWS]
    # In most tables of words the last of these rows says already that no column fits.
    words = [n for n in words if n < len(others[-1]) and kind_of(others[-1][n]) not in (TEXT, EMPTY)]
    for n in words:
        kinds = [kind_of(row[n]) if n < len(row) else EMPTY for row in others]
        start = next(place for place, kind in enumerate(kinds) if kind not in (TEXT, EMPTY))
        is_enough = start == 0 or (start <= 2 and len(kinds) > start + 1)
        if is_enough and not {TEXT, EMPTY} & set(kinds[start:]):
            return True
    return False


def _is_total(row: Sequence[str]) -> bool:
    cell = next(filter(None, row), "")
    if len(cell) > _LONGEST_TOTAL or cell.isdecimal():
        return False
    return cell.strip(" :*").lower() in _TOTALS


def _are_settings(rows: Sequence[Sequence[str]]) -> bool:
    rows = rows[:_LOOKED_AT_ROWS]
    if all(re.match(_SETTING, row[0]) for row in rows):
        return True
    # `time:10:00`, `host:a`: each cell has its name
    if len(rows[0]) < 2 or not all(re.match(_LABEL, cell) for cell in rows[0]):
        return False
    labels = [cell[: cell.index(":") + 1] for cell in rows[0]]
    return all(len(row) == len(labels) and all(map(str.startswith, row, labels)) for row in rows)


def _is_longer(rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    """Whether a part of a longer delimiter is left in the cells: `1|~|Ann`, `1||Ann`, `1^|^Ann`."""
    first = rows[0]
    rows = rows[:_LOOKED_AT_ROWS]
    if len(first) > 2 and len(first) % 2 and len(first[1]) < 2 and not first[1].isalnum():
        between = first[1::2]
        if len(set(between)) == 1 and all(row[1::2] == between for row in rows):
            return first[1] != "" or delimiter in "|:;~^"
    sign = first[0][-1:]
    return sign in _LONG_DELIMITERS and all(row[0][-1:] == sign == row[-1][:1] for row in rows)


def _are_sentences(rows: Sequence[Sequence[str]]) -> bool:
    return len(rows) > 2 and all(row[-1][-1:] and row[-1][-1] in _SENTENCE_ENDS for row in rows)


def _has_second_table(rows: Sequence[Sequence[str]], text: str, delimiter: str) -> bool:
    """Whether other names than the first ones stand below the last empty line, with rows below them."""
    if '"' in text:
        return False
    lines = [line.strip("\r") for line in text.rstrip().split("\n")]
    if "" not in lines[:-1]:  # the last line is empty only where all are
        return False
    below = lines[len(lines) - lines[::-1].index("") :]
    names = [cell.strip() for cell in below[0].split(delimiter)]
    is_first = names == [cell.strip() for cell in rows[0]]
    return len(names) > 1 < len(below) and not is_first and all(kind_of(name) == TEXT for name in names)
