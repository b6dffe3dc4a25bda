"""Texts that are not tables although they have commas or bars: JSON, XML, HTML, YAML and more, by how they begin."""

import json
import re

from .printed import is_printed_table
from .programs import is_program

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+)"""
_OBJECT = rf"\{{\s*(?:{_KEY}\s*:|\}}|$)"
_SCALAR = r'(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)'
_ARRAY = rf"\[\s*(?:[\[{{]|{_SCALAR}\s*(?:[,\]]|$)|\]|$)"
_TAG = r"<(?:[?!]|%[@=!-]|%\s[^\r\n]*%>|/?[A-Za-z_][\w:.-]*(?:\s|/?>|$))"
# `<TICKER>,<DATE>,<OPEN>`: programs for stock exchanges write their headers like that.
_TAGS_IN_CELLS = r'"?<[^<>\r\n]*>"?(?:[,;\t|] *"?<[^<>\r\n]*>"?)+[ \t]*(?:\r|\n|$)'
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
    "MSH|^~\\&|",  # HL7, and its batches
    "FHS|^~\\&|",
    "BHS|^~\\&|",
    "\\begin{",
    "\\documentclass",
    "UNA:+",  # EDIFACT
    "UNB+UNO",
    "ISA*00*",  # X12
    "{1:F01",  # SWIFT
    ":20:",
    "OFXHEADER:",
    "!Type:",  # QIF
    "!Account",
    "TY  - ",  # RIS
    "diff --git ",
    "Traceback (most recent call last):",
    'msgid "',  # gettext
    "Return-Path: ",  # mail
    "Received: from ",
    "Delivered-To: ",
    "MIME-Version: ",
    "Message-ID: ",
    "{:",  # hashes of Ruby, maps of EDN
    "[Script Info]",  # ASS, SSA
    "Windows Registry Editor Version ",
    "REGEDIT4",
    "ID;PWXL;",  # SYLK
    "ID;PCALCOOO",
    "ssh-rsa AAAA",
    "ssh-ed25519 AAAA",
)
_OTHERS_BY_FIRST = {first: tuple(one for one in _OTHERS if one[0] == first) for first in {one[0] for one in _OTHERS}}
_RULE = r"[ \t]*(?:-{3,}|:-+:?|-+:)[ \t]*"
# What dumps of databases begin with. Those without a bracket are known by the semicolon that ends their line.
_STATEMENT = (
    r"(?:(?i:(?:INSERT\s+INTO|REPLACE\s+INTO|CREATE\s+TABLE|DROP\s+TABLE|ALTER\s+TABLE|LOCK\s+TABLES|COPY)\s+[^,;\t|\r\n]+[(;]"
    r"|(?:BEGIN|BEGIN\s+TRANSACTION|START\s+TRANSACTION|COMMIT"
    r"|(?:SET|USE|PRAGMA|CREATE|DROP|ALTER)\s+[^;\r\n]+);[ \t]*(?:\r|\n|$))"
    r"|(?:EXPLAIN\s+(?:ANALYZE\s+)?)?SELECT\s[^;]{1,2000}?\sFROM\s|select\s[^;]{1,2000}?\sfrom\s|/\*!\d"
    r"|(?i:UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s+\S|MERGE\s+INTO\s+\S|WITH\s+\w+\s+AS\s*\(|REM INSERTING into "
    r"|CALL\s+[\w.`\"]+\s*\([^\r\n]*\);|VALUES\s*\([^(),\r\n]*,[^()\r\n]*\)\s*[,;]))"
)
# INI, TOML: a section and a key, with comments between them, and keys above them.
_SECTION = (
    r"(?:[\w.-]+[ \t]*=[^\r\n]*[\r\n]\s*+){0,50}\[[^\]\r\n]+\][ \t]*[\r\n]\s*"
    r"(?:[;#][^\r\n]*[\r\n]\s*+){0,50}[\w.\"-]+[ \t]*="
)
_YAML_LIST = r"- (?:\{|[\w\"'.-]+:(?: [^\r\n]*)?\r?\n(?: +[\w\"'.-]+ *:|- [\w\"'.-]+:))"
# Below comments a line of dashes may belong to a title, so a key or a list has to follow it there.
_BELOW_COMMENTS = rf"---[ \t]*\r?\n(?:[\w\"'][^,;\t|\r\n]*:[ \r\n]|- )|{_SECTION}|{_YAML_LIST}"
_LINES_OF_COMMENTS = r"(?:[ \t]*(?:[#;][^\r\n]*)?(?:\r\n?|\n))+"
_SHAPES = (
    r"---[ \t]*(?:\r|\n|$)"  # YAML, and the front matter of a page
    rf"|{_SECTION}|{_YAML_LIST}"
    rf"|{_STATEMENT}"
    r"|HTTP/\d(?:\.\d)? \d{3}\b"  # the head of an answer, kept with its body
    r"|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \S+ HTTP/\d"
    r"|--[^\s,;|]+\r?\nContent-(?:Disposition|Type): "  # what a form sends
    r"|[0-9a-fA-F]+;chunk-signature=[0-9a-f]{64}\r\n"  # what a client of S3 sends, kept as it came
    r"|(?i:@relation[ \t]+\S)"  # ARFF, which has a table further down
    r"|[A-Za-z_$][\w.$]*\([\[{]"  # JSON for a script to call
    r"|\([^(),\r\n]+,[^()\r\n]*\)[,;]?[ \t]*(?:\r|\n|$)"  # rows as SQL and Python write them
    r"|(?i:BEGIN:V(?:CARD|CALENDAR))"
    r"|(?:version: 1\s+)?dn:(?:: \S| [\w-]+=)"  # LDIF
    r"|a:\d+:\{[is]:"  # serialize() of PHP
    r"|[A-Za-z_$][\w.$]*[{(]\w+=[^,;\t|\r\n]*, \w+="  # objects as Java and Python print them
    r"|\[[A-Z]\w* \"[^\"\r\n]*\"\][ \t]*\r?\n\["  # games of chess (PGN)
)
_DAY = r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# A mail whose first line is not one of those above: a sender's address stands among its header fields (RFC 5322).
_MAIL = (
    r"(?=(?:From|To|Cc|Date|Subject|Sender|Reply-To|Content-Type|DKIM-Signature|ARC-\w|X-\w)[\w-]*: )"
    r"(?:[A-Z][\w-]*:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){0,50}?"
    r"From: [^,;\t|\r\n]*@[^,;\t|\r\n]*\r?\n(?:[ \t\r\n]|[A-Z][\w-]*:)"
)
# What takes a pattern: logs of web servers, syslog, chats, subtitles, sequences of letters, patches, dumps of bytes.
_LOGS_AND_OTHERS = (
    rf"\S+ \S+ \S+ \[\d\d/{_MONTH}/\d{{4}}:"
    rf"|(?:<\d{{1,3}}>)?{_MONTH} [ \d]\d \d\d:\d\d:\d\d \S+ [^\s,;|]+: "
    rf"|\[{_DAY},? \d{{1,2}}:\d\d[^\]\r\n]*\] [^,;\r\n]+: |{_DAY}, \d{{1,2}}:\d\d[^-,;\r\n]*- [^,;\r\n]+: "
    r"|\d+[ \t]*\r?\n\d\d:\d\d:\d\d,\d{3} --> |\[\d\d:\d\d\.\d\d\d?\](?! *[,;\t|])"
    r"|>[^\r\n]+\r?\n(?:[ACGTUNacgtun-]{3,}|[A-Z*-]{10,})\r?\n|@[^\r\n]+\r?\n[ACGTUNacgtun]+\r?\n\+"
    rf"|\[\w{{3}} {_MONTH} \d\d \d\d:\d\d:\d\d(?:\.\d+)? \d{{4}}\] "  # errors of Apache, then of nginx
    r"|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: "
    r"|(?:Exception in thread \"|[\w$]+(?:\.[\w$]+)*\.[\w$]*(?:Exception|Error)\b)[^\r\n]*\r?\n\s+at [\w.$]+"
    rf"|{_MAIL}"
    r"|@[A-Za-z]+\{[^,\s]*,|0 HEAD\r?\n1 |From \S+@\S+ "
    r"|--- \S[^\r\n]*\r?\n\+\+\+ \S|commit [0-9a-f]{7,64}\r?\n(?:Merge|Author): "
    r"|# HELP \S+ [^\r\n]+\n# TYPE |# TYPE \S+ (?:counter|gauge|histogram|summary|untyped|info)\r?\n"
    r"|0{6,8}:?(?: +[0-9a-f]{2,8}){4}|data:[\w.+/-]+;base64,|\\[A-Za-z]+\*?\{"
)
_SQL_COMMENTS = r"(?s)(?:[ \t]*(?:--[^\r\n]*)?(?:\r\n?|\n)|/\*[^!].*?\*/)+"
_RULES = rf"[ \t]*(?:\|{_RULE}(?:\|{_RULE})*\|?|{_RULE}(?:\|{_RULE})+\|?)[ \t]*"  # below the first row
# What servers put before JSON so that no script can load it.
_GUARDS = r"(?:\)\]\}'|while ?\((?:1|true)\);|for ?\(;;\);),?[ \t\r\n]*"
_COMMENTS = r"(?s)(?:[ \t]*(?:(?://|#)[^\r\n]*)?(?:\r\n?|\n)|[ \t]*/\*.*?\*/)+[ \t]*"
_LOOKED_AT_CHARS = 64 * 1024


def is_markup(text: str) -> bool:
    """Whether a text is JSON, JSON lines, XML, HTML, RTF, PostScript, YAML, SQL, a vCard, a key or another of these."""
    start = text[:_LOOKED_AT_CHARS].lstrip("\ufeff \t\r\n\v\f\x1e")
    first = start[:1]
    if first == "<":
        return bool(re.match(_TAG, start) or re.match(_LOGS_AND_OTHERS, start)) and not re.match(_TAGS_IN_CELLS, start)
    if first in _OTHERS_BY_FIRST and start.startswith(_OTHERS_BY_FIRST[first]):
        return True
    if first in ("{", "[") and _is_json(start):
        return True
    if re.match(_SHAPES, start) or re.match(_LOGS_AND_OTHERS, start) or _is_markdown(start) or is_printed_table(text):
        return True
    if is_program(start):
        return True
    if start.startswith(("--", "/*")):
        comments = re.match(_SQL_COMMENTS, start)
        if comments is not None and re.compile(_STATEMENT).match(start, comments.end()) is not None:
            return True
    if first in ("#", ";"):
        comments = re.match(_LINES_OF_COMMENTS, start)
        if comments is not None and re.compile(_BELOW_COMMENTS).match(start, comments.end()) is not None:
            return True
    if start.startswith((")", "while", "for", "//", "/*", "#")):
        before = re.match(_GUARDS, start) or re.match(_COMMENTS, start)
        start = start[before.end() :] if before is not None else start
    return start.startswith(("{", "[")) and _is_json(start)


def _is_markdown(start: str) -> bool:
    """Whether a table of Markdown begins: bars, and a rule of dashes in the second line."""
    end = start.find("\n")
    if start.find("|", 0, end) < 0:
        return False
    second = start[end + 1 : end + 1 + _LOOKED_AT_CHARS].partition("\n")[0]
    return re.fullmatch(_RULES, second.rstrip("\r")) is not None


def _is_json(start: str) -> bool:
    """Whether a JSON value is there, alone on its line or not ended where the text was cut."""
    try:
        _, end = json.JSONDecoder().raw_decode(start)
    except RecursionError:
        return True  # nothing but JSON begins with a thousand brackets
    except ValueError:
        return bool(re.match(_OBJECT, start) or (re.match(_ARRAY, start) and not _ends_like_a_cell(start)))
    rest = start[end:].lstrip(" \t")
    # `[id],[name]` is a header as SQL Server writes it, and `[1],[2]` is a row.
    return rest[:1] in ("", "\r", "\n", "{", "[") or start[0] == "{"


def _ends_like_a_cell(start: str) -> bool:
    """Whether the bracket closes before a delimiter, as it does around a name."""
    return bool(re.match(r"\[[^\[\]\r\n]*\][ \t]*[,;\t|]", start))
