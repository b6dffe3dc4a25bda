"""Tables as programs print them for people: lines drawn with dashes and bars, which are not rows.

mysql and Spark draw `+----+`, psql `----+----`, sqlite3 and sqlcmd `---- ----`, Org and reStructuredText the like.
"""

import re
from itertools import islice

_LOOKED_AT_CHARS = 4096
_MAX_LINES = 20  # titles and a prompt may stand above
_RULE = (
    r"\+[-=+]{2,}\+"  # mysql, Spark, reStructuredText
    r"|-+(?:\+-+)+"  # psql
    r"|\|-+(?:\+-+)*\|"  # Org
    r"|\|(?: *(?:-{3,}|:-+:?|-+:) *\|)+"  # Markdown
    r"|[\u2500-\u257f]{2,}"  # box drawing
)
_DRAWN = "\u2500\u2501\u2550"  # lines from left to right
_SPACED_RULE = r"-{2,}(?: +-{2,})+|={2,}(?: +={2,})+"  # sqlite3, sqlcmd, SQL*Plus; reStructuredText
_DRAWN_LINES = r"(?m)^[ \t]*(?:\+[-=+]{2,}\+|-{2,}(?:\+-{2,})+|\|-{2,}(?:\+-{2,})+\|)[ \t]*$"
_BETWEEN_BARS = r"\|.*\|"
# One line for each column: psql, mysql. Then AsciiDoc, MediaWiki, Jira.
_FIRST_LINE = (
    r"(?:-\[ RECORD \d+ \][-+]*|\*{5,} \d+\. row \*{5,}"
    r"|\|={3,}|\{\|[^|\r\n]*|\|\|[^|\r\n]+(?:\|\|[^|\r\n]+)+\|\|)[ \t]*(?:\r|\n|$)"
)
# A table of one column has no crossing in its line: ` id`, `----`, and a count below.
_ONE_COLUMN = r" [^\r\n]*\r?\n-{2,}\r?\n(?: [^\r\n]*\r?\n)*\(\d+ rows?\)"


def is_printed_table(text: str) -> bool:
    """Whether one of the first lines is drawn, outside of any quoted cell."""
    if text.startswith(("-[", "***", "|=", "{|", "||")) and re.match(_FIRST_LINE, text):
        return True
    start = text[:_LOOKED_AT_CHARS]
    # One character is found faster than two.
    has_line = ("-" in start and "--" in start) or ("=" in start and "==" in start)
    if not has_line and (start.isascii() or not any(map(start.__contains__, _DRAWN))):
        return False
    above, is_quoted = "", False
    for line in start.splitlines()[:_MAX_LINES]:
        drawn = line.strip()
        if not is_quoted and (re.fullmatch(_RULE, drawn) or (re.fullmatch(_SPACED_RULE, drawn) and _is_heading(above))):
            return True
        # SAP draws one line without crossings below the names, which stand between bars.
        if not is_quoted and drawn.startswith("---") and not drawn.strip("-") and re.fullmatch(_BETWEEN_BARS, above):
            return True
        is_quoted ^= line.count('"') % 2 == 1
        above = drawn
    return re.match(_ONE_COLUMN, start) is not None


def has_rule(text: str) -> bool:
    """Whether a line is drawn anywhere outside of quotes, with crossings: `+----+---+`, `----+---`."""
    if "-+-" not in text and "+--" not in text:
        return False
    return any(
        text.count('"', 0, found.start()) % 2 == 0 for found in islice(re.finditer(_DRAWN_LINES, text), _MAX_LINES)
    )


def _is_heading(line: str) -> bool:
    """Whether this may be what stands above the line; a comment of dashes may not."""
    return bool(line) and not line.startswith("-")
