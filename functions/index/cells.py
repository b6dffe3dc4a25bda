"""What a cell of a table holds, by how it is written: a number, a date, a time, an address, or a text."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

MAX_CHARS = 64  # more than that is a text in any case

_SIGN = "[$€£¥₹]"
_CODE = "(?:USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|CZK|RUB|TRY|BRL|KRW)"
_MINUTES = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?"
# One pattern, and so one look at a cell: the group that matched is the kind. The first that fits counts.
_KIND = (
    rf"(?P<date>\d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?(?:[T ]{_MINUTES}(?: ?Z| ?[-+]\d{{2}}:?\d{{2}})?)?"
    rf"|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}(?: {_MINUTES})?)"
    rf"|(?P<time>{_MINUTES})"
    rf"|(?P<number>[-+(]?(?:{_SIGN}|{_CODE} )?[-+]?(?:\d+|\d{{1,3}}(?:[,.' \u00a0\u202f]\d{{2,3}})+)(?:[.,]\d+)?"
    rf"(?:[eE][-+]?\d+)?(?: ?[%‰€$£]| {_CODE})?\)?|[-+]?[.,]\d+(?:[eE][-+]?\d+)?|0[xX][0-9a-fA-F]+)"
    r"|(?P<phone>\+?\d[\d ()/.-]{5,}\d)"
    r"|(?P<address>[^@\s]+@[^@\s]+\.[^@\s]+)"
    r"|(?P<url>[a-z][a-z0-9+.-]{1,10}://\S+)"
    r"|(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
)
TEXT = "text"
EMPTY = ""

_NOTHING = ("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", ".", "?", "\\n", "#n/a", "unknown")
_WORDS = {
    **dict.fromkeys(_NOTHING, EMPTY),
    **dict.fromkeys(("true", "false"), "boolean"),
    **dict.fromkeys(("inf", "+inf", "-inf"), "number"),
}
_LONGEST_WORD = 8  # of these


@cache
def _kinds() -> re.Pattern[str]:
    return re.compile(_KIND)  # for the first table, and not on a start


def kind_of(cell: str) -> str:
    """`number`, `percent`, `date`, `time`, `phone`, `address`, `url`, `uuid`, `boolean`, `text`, or "" for nothing."""
    cell = cell.strip()
    if cell.isdecimal() and len(cell) <= MAX_CHARS:  # as most cells are that are no text
        return "number"
    if len(cell) < _LONGEST_WORD:
        word = _WORDS.get(cell.lower())
        if word is not None:
            return word
    if len(cell) > MAX_CHARS or cell.isalpha() or (found := _kinds().fullmatch(cell)) is None:
        return TEXT
    kind = str(found.lastgroup)
    return "percent" if kind == "number" and cell.endswith("%") else kind


def number(cell: str) -> float | None:
    """A plain number, for comparing; None for anything else."""
    try:
        return float(cell.strip().rstrip("%"))
    except ValueError:
        return None


def is_progression(values: Sequence[float | None]) -> bool:
    """Whether these are numbers that grow, or fall, by the same step."""
    steps = set()
    for before, after in pairwise(values):
        if before is None or after is None or before == after:
            return False
        steps.add(round(after - before, 9))
    return len(steps) == 1
