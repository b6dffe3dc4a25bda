"""Texts that are not tables although they have commas or bars: JSON, XML, HTML, YAML and more, by how they begin."""

import json
import re

from .printed import is_printed_table

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+)"""
_OBJECT = re.compile(rf"\{{\s*(?:{_KEY}\s*:|\}}|$)")
_SCALAR = r'(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)'
_ARRAY = re.compile(rf"\[\s*(?:[\[{{]|{_SCALAR}\s*(?:[,\]]|$)|\]|$)")
_TAG = re.compile(r"<(?:[?!]|/?[A-Za-z_][\w:.-]*(?:\s|/?>|$))")
# `<TICKER>,<DATE>,<OPEN>`: programs for stock exchanges write their headers like that.
_TAGS_IN_CELLS = re.compile(r'"?<[^<>\r\n]*>"?(?:[,;\t|] *"?<[^<>\r\n]*>"?)+[ \t]*(?:\r|\n|$)')
_OTHERS = (
    "{\\rtf",
    "%PDF-",
    "%!PS",
    "%YAML",
    "version https://git-lfs.github.com/spec/",
    "-----BEGIN ",
    "#!/",
    "#EXTM3U",
    "WEBVTT",
    "MSH|^~\\&|",  # HL7
    "\\begin{",
    "\\documentclass",
)
_RULE = r"[ \t]*(?:-{3,}|:-+:?|-+:)[ \t]*"
# What dumps of databases begin with. Those without a bracket are known by the semicolon that ends their line.
_STATEMENT = (
    r"(?:(?i:(?:INSERT\s+INTO|REPLACE\s+INTO|CREATE\s+TABLE|DROP\s+TABLE|ALTER\s+TABLE|LOCK\s+TABLES|COPY)\s+[^,;\t|\r\n]+[(;]"
    r"|(?:BEGIN|BEGIN\s+TRANSACTION|START\s+TRANSACTION|COMMIT"
    r"|(?:SET|USE|PRAGMA|CREATE|DROP|ALTER)\s+[^;\r\n]+);[ \t]*(?:\r|\n|$))"
    r"|SELECT\s[^;]{1,2000}?\sFROM\s|select\s[^;]{1,2000}?\sfrom\s|/\*!\d"
    r"|(?i:UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s+\S|MERGE\s+INTO\s+\S|WITH\s+\w+\s+AS\s*\(|REM INSERTING into ))"
)
_SHAPES = re.compile(
    r"---[ \t]*(?:\r|\n|$)"  # YAML, and the front matter of a page
    r"|\[[^\]\r\n]+\][ \t]*[\r\n]\s*[\w.\"-]+[ \t]*="  # INI, TOML: a section and a key
    rf"|{_STATEMENT}"
    r"|HTTP/\d(?:\.\d)? \d{3}\b"  # the head of an answer, kept with its body
    r"|(?i:@relation[ \t]+\S)"  # ARFF, which has a table further down
    r"|[A-Za-z_$][\w.$]*\([\[{]"  # JSON for a script to call
    r"|\([^(),\r\n]+,[^()\r\n]*\)[,;]?[ \t]*(?:\r|\n|$)"  # rows as SQL and Python write them
    r"|(?i:BEGIN:V(?:CARD|CALENDAR))"
)
_SQL_COMMENTS = re.compile(r"(?:[ \t]*(?:--[^\r\n]*)?(?:\r\n?|\n)|/\*[^!].*?\*/)+", re.DOTALL)
_SQL = re.compile(_STATEMENT)
_RULES = re.compile(rf"[ \t]*(?:\|{_RULE}(?:\|{_RULE})*\|?|{_RULE}(?:\|{_RULE})+\|?)[ \t]*")  # below the first row
# What servers put before JSON so that no script can load it.
_GUARDS = re.compile(r"(?:\)\]\}'|while ?\((?:1|true)\);|for ?\(;;\);),?[ \t\r\n]*")
_COMMENTS = re.compile(r"(?:[ \t]*(?:(?://|#)[^\r\n]*)?(?:\r\n?|\n)|[ \t]*/\*.*?\*/)+[ \t]*", re.DOTALL)
_LOOKED_AT_CHARS = 64 * 1024


def is_markup(text: str) -> bool:
    """Whether a text is JSON, JSON lines, XML, HTML, RTF, PostScript, YAML, SQL, a vCard, a key or another of these."""
    start = text[:_LOOKED_AT_CHARS].lstrip("\ufeff \t\r\n\v\f\x1e")
    if start.startswith("<"):
        return bool(_TAG.match(start)) and not _TAGS_IN_CELLS.match(start)
    if start.startswith(_OTHERS) or _SHAPES.match(start) or _is_markdown(start) or is_printed_table(text):
        return True
    if start.startswith(("--", "/*")):
        comments = _SQL_COMMENTS.match(start)
        if comments is not None and _SQL.match(start, comments.end()) is not None:
            return True
    if start.startswith((")", "while", "for", "//", "/*", "#")):
        before = _GUARDS.match(start) or _COMMENTS.match(start)
        start = start[before.end() :] if before is not None else start
    return start.startswith(("{", "[")) and _is_json(start)


def _is_markdown(start: str) -> bool:
    """Whether a table of Markdown begins: bars, and a rule of dashes in the second line."""
    first, _, rest = start.partition("\n")
    return "|" in first and _RULES.fullmatch(rest.partition("\n")[0].rstrip("\r")) is not None


def _is_json(start: str) -> bool:
    """Whether a JSON value is there, alone on its line or not ended where the text was cut."""
    try:
        _, end = json.JSONDecoder().raw_decode(start)
    except RecursionError:
        return True  # nothing but JSON begins with a thousand brackets
    except ValueError:
        return bool(_OBJECT.match(start) or (_ARRAY.match(start) and not _ends_like_a_cell(start)))
    rest = start[end:].lstrip(" \t")
    # `[id],[name]` is a header as SQL Server writes it, and `[1],[2]` is a row.
    return rest[:1] in ("", "\r", "\n", "{", "[") or start[0] == "{"


def _ends_like_a_cell(start: str) -> bool:
    """Whether the bracket closes before a delimiter, as it does around a name."""
    return bool(re.match(r"\[[^\[\]\r\n]*\][ \t]*[,;\t|]", start))
