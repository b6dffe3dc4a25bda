"""What the first rows of a table have that a person would stop at: each is a note, and no row is left out for it."""

import re
from collections.abc import Iterator, Sequence

from .cells import EMPTY, TEXT, kind_of

_SETTING = re.compile(r"(?:export +)?[A-Za-z_][\w.-]*(?: *=|: )")
_LOOKED_AT_ROWS = 5
_SECONDS = re.compile(r"\d\d:\d\d:\d\d")
_THOUSANDTHS = re.compile(r"\d{3}[\]) \t]+\S")


def doubts(rows: Sequence[Sequence[str]], text: str, *, has_header: bool) -> Iterator[str]:
    """Sentences for the notes. `rows` are the first ones of a table, `text` is what they were read from."""
    first = rows[0]
    if has_header and len(rows) > 2:
        if _is_drawn(rows[1]) or _are_units(rows):
            yield "The row below the header may hold units, types or a drawn line: it is counted as a row."
        if first in rows[1:]:
            yield "The header comes again below: there it is counted as a row."
    if "#" in text and not first[0].startswith("#") and any(row[0].startswith("#") for row in rows[1:]):
        yield "Rows that begin with # stand among the others: they may be comments, and are counted."
    if splits_times(rows):
        yield "The delimiter stands inside times like 10:00:00,123: this may be a log, and no table."
    cell = first[0]
    if ("=" in cell or ":" in cell) and len(rows) > 1 and all(_SETTING.match(row[0]) for row in rows[:_LOOKED_AT_ROWS]):
        yield "Each row begins with a name and a sign like = or a colon: this may be a list of settings, and no table."


def splits_times(rows: Sequence[Sequence[str]]) -> bool:
    """Whether each row begins with a time whose thousandths stand in the second cell, as Python's logging writes it."""
    if rows[0][0][-3:-2] != ":":
        return False
    return all(
        len(row) > 1 and _SECONDS.fullmatch(row[0][-8:]) is not None and _THOUSANDTHS.match(row[1]) is not None
        for row in rows[:_LOOKED_AT_ROWS]
    )


def _is_drawn(row: Sequence[str]) -> bool:
    return row[0][:1] in ("-", "=") and all(len(cell) > 1 and not cell.strip("-= ") for cell in row)


def _are_units(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the second row has words only, one of them above numbers, dates or the like."""
    words = []
    for n, cell in enumerate(rows[1]):
        kind = kind_of(cell)
        if kind == TEXT:
            words.append(n)
        elif kind != EMPTY:
            return False
    others = rows[2 : 2 + _LOOKED_AT_ROWS]
    # In most tables of words the first of the other rows says already that no column fits.
    return any(all(n < len(row) and kind_of(row[n]) not in (TEXT, EMPTY) for row in others) for n in words)
