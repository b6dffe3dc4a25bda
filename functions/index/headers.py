"""Whether the first row of a table names its columns, judged beside the rows below it.

Each column gives a vote. A text over numbers is a name; a number over numbers is a value. A number may be a name too:
years, dates and steps (2019, 2020, 2021 or 10, 20, 30) that the rows below do not have.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from .cells import EMPTY, TEXT, is_progression, kind_of, number

FIRST_ROWS = 3
MAX_ROWS = 20  # below the first that are looked at
MAX_CELLS = 20_000
# What heads a column nearly everywhere; it matters only where numbers stand beside it.
_HEADINGS = frozenset((
    "id", "key", "index", "no", "nr", "name", "title", "code", "type", "kind", "category", "class", "label",
    "group", "date", "day", "month", "year", "time", "country", "state", "region", "city", "place", "address",
    "street", "zip", "email", "mail", "phone", "user", "customer", "product", "item", "sku", "price", "amount",
    "quantity", "value", "currency", "status", "description", "comment", "note",
))  # fmt: skip
_MOST = 0.8  # of a column's cells have to be of one kind
_YEARS = range(1700, 2101)
_USUAL_PERCENTILES = frozenset((50, 75, 90, 95, 99))  # one of them is there where others are
_PERCENTILES = frozenset((0, 0.1, 1, 2.5, 5, *range(10, 100, 5), 97.5, 98, 99, 99.5, 99.9, 99.95, 99.99, 100))


class Judgement(NamedTuple):
    """Whether the first row is a header, and whether the rows below it say so too."""

    has_header: bool
    is_sure: bool


def judge_header(rows: Sequence[Sequence[str]]) -> Judgement:
    """Tell whether the first row holds names. Few rows are looked at when they say it for sure."""
    judgement = _judge(rows[: 1 + FIRST_ROWS])
    return judgement if judgement.is_sure or len(rows) <= 1 + FIRST_ROWS else _judge(rows)


def _judge(rows: Sequence[Sequence[str]]) -> Judgement:
    first = [cell.strip() for cell in rows[0]]
    width = len(first)
    # A row that is the same as the first is a header once more: files that were put together have such rows.
    body = [
        row
        for row in rows[1 : 1 + max(min(MAX_ROWS, MAX_CELLS // width), 1)]
        if row[0].strip() != first[0] or [cell.strip() for cell in row] != first
    ]
    kinds = [kind_of(cell) for cell in first]
    if not any(first):
        return Judgement(has_header=False, is_sure=True)
    columns = ([row[n] for row in body if n < len(row)] for n in range(width))
    if all(kind in (TEXT, EMPTY) for kind in kinds):
        held = []
        for kind, column in zip(kinds, columns, strict=True):
            if kind == TEXT and _kind_below(column) not in (TEXT, EMPTY):
                return Judgement(has_header=True, is_sure=True)
            held.append(column)
        return Judgement(_are_names(first, held, body), is_sure=False)
    names = values = guessed = 0
    for cell, kind, column in zip(first, kinds, columns, strict=True):
        under = _kind_below(column)
        names += under not in (kind, EMPTY) and kind != EMPTY and (kind == TEXT or under != TEXT)
        values += under == kind and kind not in (TEXT, EMPTY)
        # A day over words, and none among them; a word that heads columns everywhere.
        guessed += kind in ("date", "time", "percent") and under == TEXT and kind not in map(kind_of, column)
        guessed += kind == TEXT and cell.lower() in _HEADINGS and cell not in map(str.strip, column)
    if (guessed and not names) or _is_unnamed_index(first, body):
        return Judgement(has_header=True, is_sure=False)
    stepped = _steps(first, kinds, body)
    names, values = names + stepped, values - min(stepped, values)
    # Numbers that only look like names by their steps are a guess.
    is_sure = bool(values) if not names else (not values and names > stepped)
    return Judgement(names >= values and names > 0, is_sure)


def _is_unnamed_index(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first column counts the rows and has no name, as pandas and R write it: `,0` above `0,1.5`."""
    if first[0] or len(body) < 2:
        return False
    return [row[0].strip() for row in body[:2]] in (["0", "1"], ["1", "2"])


def _kind_below(column: Sequence[str]) -> str:
    """What nearly all cells of a column are, `text` when they differ, and "" when there are none."""
    kinds = [kind for cell in column if (kind := kind_of(cell)) != EMPTY]
    if not kinds:
        return EMPTY
    if kinds.count(kinds[0]) == len(kinds):  # as most columns are
        return kinds[0]
    commonest = max(dict.fromkeys(kinds), key=kinds.count)
    return commonest if kinds.count(commonest) >= len(kinds) * _MOST else TEXT


def _steps(first: Sequence[str], kinds: Sequence[str], body: Sequence[Sequence[str]]) -> int:
    """How many numbers of the first row are years, percentiles or steps, where the rows below have no such thing."""
    places = [n for n, kind in enumerate(kinds) if kind in ("number", "percent")]
    cells = [first[n] for n in places]
    has_label = TEXT in kinds or EMPTY in kinds
    for least, is_like in ((1, are_years), (2, _are_percentiles), (3, _are_steps), (5, _are_rising)):
        if len(cells) < least or not is_like(cells):
            continue
        # Without any label, numbers are names where they are years, or where a data frame gave them: 0, 1, 2.
        if not has_label and cells[:2] != ["0", "1"] and (is_like is not are_years or len(cells) == 1):
            continue
        rows = ([row[n].strip() for n in places if n < len(row)] for row in body)
        return 0 if any(map(is_like, rows)) else len(cells)
    return 0


def are_years(cells: Sequence[str]) -> bool:
    """Years, up or down: 2019, 2020 or 2010, 2000, 1985."""
    if not all(len(cell) == 4 and cell.isdecimal() and int(cell) in _YEARS for cell in cells):
        return False
    return len(cells) == 1 or _are_rising(cells) or _are_rising(cells[::-1])


def _are_percentiles(cells: Sequence[str]) -> bool:
    """50, 90, 99 or 0.5, 0.9, 0.99, with or without a sign."""
    numbers = [number(cell) for cell in cells]
    shares = [round(value * 100, 6) for value in numbers if value is not None]
    return _are_rising(cells) and any(
        _PERCENTILES.issuperset(values) and not _USUAL_PERCENTILES.isdisjoint(values) for values in (numbers, shares)
    )


def _are_steps(cells: Sequence[str]) -> bool:
    """10, 20, 30."""
    return len(cells) > 1 and is_progression([number(cell) for cell in cells])


def _are_rising(cells: Sequence[str]) -> bool:
    """400, 401.5, 407: wavelengths, depths."""
    numbers = [value for cell in cells if (value := number(cell)) is not None]
    return len(numbers) == len(cells) > 1 and all(low < high for low, high in pairwise(numbers))


def _are_names(first: Sequence[str], columns: Sequence[Sequence[str]], body: Sequence[Sequence[str]]) -> bool:
    """Whether texts over texts are names: none is a value of its own column, and none is there twice."""
    named = [n for n, cell in enumerate(first) if cell]
    if any(first[n] in map(str.strip, columns[n]) for n in named):
        return False
    twice = [(a, b) for a, b in _equal_pairs(first) if first[a]]
    # A name twice is a join, unless the rows below repeat themselves in the same way.
    return not twice or (bool(body) and not any(_has_pair(row, twice) for row in body))


def _equal_pairs(first: Sequence[str]) -> list[tuple[int, int]]:
    """Where a cell comes again: one pair for each repetition, so as many steps as cells."""
    seen: dict[str, int] = {}
    pairs = []
    for n, cell in enumerate(first):
        if cell in seen:
            pairs.append((seen[cell], n))
        seen[cell] = n
    return pairs


def _has_pair(row: Sequence[str], pairs: Sequence[tuple[int, int]]) -> bool:
    return any(b < len(row) and row[a].strip() == row[b].strip() != "" for a, b in pairs)
