"""Full text for PostgreSQL, made here: the same words on every server, with any locale and any dictionaries.

PostgreSQL's own parser divides by the locale of the database, and takes accents off only with an extension. So a
`tsvector` is written in its text form, and so is a `tsquery`
(https://www.postgresql.org/docs/current/datatype-textsearch.html). Words have letters and digits alone, so no quoting
is needed inside the quotes.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORD_CHARS: Final = 500  # a lexeme has fewer than 2,048 bytes, a character at most 4
_MAX_POSITION: Final = 16383
_MAX_POSITIONS: Final = 255  # of one word


def fold(text: str) -> str:
    """The text without case and accents.

    >>> fold("Müller STRASSE")
    'muller strasse'
    """
    if text.isascii():
        return text.lower()
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)).casefold()


def vector(text: str) -> str:
    """The words of a text as a `tsvector`, each with its positions.

    >>> vector("images/Rose.jpg rose")
    "'images':1 'rose':2,4 'jpg':3"
    """
    places: dict[str, list[str]] = {}
    for position, word in enumerate(_WORD.findall(fold(text)), start=1):
        found = places.setdefault(word[:_MAX_WORD_CHARS], [])
        if position <= _MAX_POSITION and len(found) < _MAX_POSITIONS:
            found.append(str(position))
    return " ".join(f"'{word}':{','.join(found)}" if found else f"'{word}'" for word, found in places.items())


def query(words: Sequence[str]) -> str:
    """A `tsquery` that finds every one of these folded words; a trailing `*` finds what starts with the word.

    >>> query(["rose", "birthd*"])
    "'rose' & 'birthd':*"
    """
    return " & ".join(f"'{word.rstrip('*')[:_MAX_WORD_CHARS]}'{':*' if word.endswith('*') else ''}" for word in words)
