"""Texts that are not tables although they have commas: JSON, XML, HTML and a few more, by how they begin."""

import json
import re

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+)"""
_OBJECT = re.compile(rf"\{{\s*(?:{_KEY}\s*:|\}}|$)")
_SCALAR = r'(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)'
_ARRAY = re.compile(rf"\[\s*(?:[\[{{]|{_SCALAR}\s*(?:[,\]]|$)|\]|$)")
_TAG = re.compile(r"<(?:[?!]|/?[A-Za-z_][\w:.-]*(?:\s|/?>|$))")
# `<TICKER>,<DATE>,<OPEN>`: programs for stock exchanges write their headers like that.
_TAGS_IN_CELLS = re.compile(r'"?<[^<>\r\n]*>"?(?:[,;\t|] *"?<[^<>\r\n]*>"?)+[ \t]*(?:\r|\n|$)')
_OTHERS = ("{\\rtf", "%PDF-", "%!PS", "version https://git-lfs.github.com/spec/")
_LOOKED_AT_CHARS = 64 * 1024


def is_markup(text: str) -> bool:
    """Whether a text is JSON, JSON lines, XML, HTML, RTF, PostScript or a Git LFS pointer."""
    start = text[:_LOOKED_AT_CHARS].lstrip("\ufeff \t\r\n\v\f")
    if start.startswith("<"):
        return bool(_TAG.match(start)) and not _TAGS_IN_CELLS.match(start)
    if start.startswith(("{", "[")) and not start.startswith("{\\rtf"):
        return _is_json(start)
    return start.startswith(_OTHERS)


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
