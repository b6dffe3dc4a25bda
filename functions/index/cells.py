"""What a cell of a table holds, by how it is written: a number, a date, a time, an address, or a text."""

import re
from collections.abc import Sequence
from itertools import pairwise

MAX_CHARS = 64  # more than that is a text, whatever it is

_CURRENCY = r"[$€£¥₹]|[A-Z]{3} ?"
_NUMBER = re.compile(
    rf"[-+(]?(?:{_CURRENCY})?[-+]?(?:\d+|\d{{1,3}}(?:[,.' \u00a0\u202f]\d{{2,3}})+)(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
    rf" ?(?:%|‰|{_CURRENCY.replace('[A-Z]{3} ?', '[A-Z]{3}')})?\)?|[-+]?[.,]\d+(?:[eE][-+]?\d+)?|0[xX][0-9a-fA-F]+"
)
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?Z| ?[-+]\d{2}:?\d{2})?)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?: \d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp][Mm])?)?"
)
_TIME = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?")
_PHONE = re.compile(r"\+?\d[\d ()/.-]{5,}\d")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,10}://\S+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KINDS = (
    ("date", _DATE),
    ("time", _TIME),
    ("number", _NUMBER),
    ("phone", _PHONE),
    ("address", _ADDRESS),
    ("url", _URL),
    ("uuid", _UUID),
)
_NOTHING = frozenset(("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", ".", "?", "\\n", "#n/a", "unknown"))
_BOOLEANS = frozenset(("true", "false"))

TEXT = "text"
EMPTY = ""


def kind_of(cell: str) -> str:
    """`number`, `percent`, `date`, `time`, `phone`, `address`, `url`, `uuid`, `boolean`, `text`, or "" for nothing."""
    cell = cell.strip()
    if cell.lower() in _NOTHING:
        return EMPTY
    if cell.lower() in _BOOLEANS:
        return "boolean"
    if len(cell) > MAX_CHARS:
        return TEXT
    kind = next((kind for kind, pattern in _KINDS if pattern.fullmatch(cell)), TEXT)
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
