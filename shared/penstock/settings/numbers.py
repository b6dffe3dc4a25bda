"""Numbers as settings, options and flags write them: ASCII digits, and nothing around or between them.

Python's own `int` and `float` also take digits of other scripts, `1_0`, white space around a number, and `nan`. Other
programs that read the same text do not, so one setting would mean two things.
"""

import re
from typing import Final

_WHOLE: Final = r"[+-]?[0-9]{1,4000}"
_DECIMAL: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


def whole_number(text: str) -> int:
    """A whole number; raises `ValueError`.

    >>> whole_number("-4")
    -4
    """
    if not re.fullmatch(_WHOLE, text):
        raise ValueError("expected a whole number")
    return int(text)


def decimal_number(text: str) -> float:
    """A number that may have a fraction and an exponent; raises `ValueError`.

    >>> decimal_number("2.5e3")
    2500.0
    """
    if not re.fullmatch(_DECIMAL, text):
        raise ValueError("expected a number")
    return float(text)
