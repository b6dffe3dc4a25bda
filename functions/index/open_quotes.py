"""A quote that opens a cell and is never closed: it is an ordinary character, and the rows after it are rows.

`RowCounter` counts like that. Here the same is done for the first rows, which the csv module reads.
"""

import re
from collections import deque
from functools import cache

# Fewer characters than `rows.MAX_FIELD_BYTES` has bytes, in every encoding.
MAX_FIELD_CHARS = 256 * 1024
# What no text has (Unicode 23.7, noncharacters): one stands for the quote, and the csv module leaves it alone.
_MARKS = tuple(map(chr, range(0xFDD0, 0xFDF0)))


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    """A quoted field at the start of a cell, with a group for the quote that closes it."""
    return re.compile(rf'(?:(?<=[{re.escape(delimiter)}\r\n])|\A) *+"(?:[^"]++|"")*+("?)')


def marked(text: str, delimiter: str, *, is_whole: bool) -> tuple[str, str]:
    """The text with a mark in place of the quote that stays open, and the mark: "" when there is none.

    Where the text goes on, a quote counts as open only if as much follows it as a field may have.
    """
    if '"' not in text or not (is_whole or len(text) > MAX_FIELD_CHARS):
        return text, ""
    last = next(iter(deque(_field(delimiter).finditer(text), maxlen=1)), None)
    if last is None or last[1] or not (is_whole or len(text) - last.start() > MAX_FIELD_CHARS):
        return text, ""
    # There is one at most: what follows it has only pairs of quotes, and these open nothing.
    place = text.index('"', last.start())
    mark = next((mark for mark in _MARKS if mark not in text), "")
    return (text[:place] + mark + text[place + 1 :], mark) if mark else (text, "")
