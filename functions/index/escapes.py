"""Quotes that a backslash escapes inside a quoted cell, as MySQL, Spark and Hive write them: `"a \\"b\\""`.

RFC 4180 has only the doubled quote. So the escaped one is turned into that, which has as many bytes.
Quotes also tell a wrong delimiter: it tears them apart.
"""

import re
from collections.abc import Iterable, Iterator

# An even number of backslashes before it escape each other. In `"C:\\dir\\","next"` the quote ends the cell, so what
# proves an escape is a quote after which a cell cannot end.
_PROOF = r'(?<!\\)(?:\\\\)*\\"(?![",;\t|^~\x01\x1f\r\n ]|$)'
_ESCAPED = r'(?<!\\)((?:\\\\)*)\\"'
_ESCAPED_BYTES = _ESCAPED.encode()


def has_escaped_quotes(text: str) -> bool:
    """Whether a backslash escapes a quote somewhere in the text."""
    return '\\"' in text and '"' in text.replace('\\"', "") and re.search(_PROOF, text) is not None


def doubled(text: str) -> str:
    """The text with doubled quotes in place of escaped ones."""
    return re.sub(_ESCAPED, r'\1""', text)


def doubled_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same for a stream in which ASCII is ASCII; a backslash at the end of a chunk waits for the next one."""
    waiting = b""
    for chunk in chunks:
        data = waiting + chunk
        end = len(data.rstrip(b"\\"))
        waiting = data[end:]
        yield re.sub(_ESCAPED_BYTES, rb'\1""', data[:end])
    yield waiting


def tears_quotes(text: str, delimiter: str, *, is_whole: bool) -> bool:
    """Whether this delimiter leaves a field with one quote of a pair: `1,"a` and `c"` of `1,"a;b;c"`."""
    end = rf"[{re.escape(delimiter)}\r\n]"
    # A text that is cut may end inside a field.
    closed = rf'(?:"(?={end}|\Z))' if is_whole else rf'(?:"(?={end}|\Z)|"?\Z)'
    outside = re.sub(rf'(?:(?<={end})|\A) *+"(?:[^"]++|"")*+{closed}', "", text)
    return '"' in outside and any(field.count('"') % 2 for field in re.split(end, outside))
