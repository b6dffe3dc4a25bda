"""Source code under the name of a table: its commas and semicolons part no cells.

Comments are passed over, and the first line below them is looked at. In a table that line is a header or a row. So code
in the cells of a table is not taken for a program.
"""

import re

_LOOKED_AT_CHARS = 16 * 1024  # licences may stand above
_COMMENTS = (
    r"(?s)"
    r"(?:[ \t]*(?:\r\n?|\n)|#(?! ?(?:include|define|if|ifdef|ifndef|undef|pragma)\b)(?:[ #=*-][^\r\n]*)?(?:\r\n?|\n)"
    r"|(?://|--|%|'|;)[^\r\n]*(?:\r\n?|\n)|/\*.*?\*/"
    r'|"""(?:[^,\r\n]|[ \t]*\r?\n).*?"""'
    r"|\'\'\'.*?\'\'\')+"
)
_END = r"[ \t]*(?:\r|\n|$)"
_FIRST = (
    # Python
    r"__\w+__ ?= ?|"
    r"from [\w.]+ import [\w(*]"
    rf"|import [\w.]+(?: as \w+)?(?:, ?[\w.]+(?: as \w+)?)*;?{_END}"
    rf"|(?:async )?def \w+\([^\r\n]*:{_END}|class \w+(?:\([^\r\n]*\))?:{_END}"
    # JavaScript, TypeScript
    r"|['\"]use strict['\"]|module\.exports ?=|import ?[{*]|import [^\r\n]+ from ['\"]"
    r"|window\.\w+ ?=|!function|export (?:default [\w{(\[]|[*{])"
    r"|(?:export )?(?:default )?(?:async )?function\*? ?\w*\([^\r\n]*\)[^\r\n]*\{"
    rf"|(?:export )?(?:const|let|var) [\w$ ,{{}}\[\]:]+=[^\r\n]*[;({{\[>]{_END}"
    # C, C++, C#, Java, Kotlin, Go, Rust
    r"|# ?include ?[<\"]|#(?:define|ifndef|ifdef|undef|pragma) \w|#if[ (]"
    r"|#!?\[\w|pub (?:type|use|struct|mod|enum|const|trait) |mod \w+;"
    rf"|using [\w. =]+;{_END}|import (?:static )?[\w.*]+;{_END}|use [\w:]+(?:::\{{[^}}\r\n]*\}})?;{_END}"
    rf"|namespace [\w.:\\]+\s*[;{{]|package [\w.]+;?{_END}"
    r"|(?:static |inline |const |unsigned |extern )*(?:int|void|char|float|double|bool|long|size_t) "
    r"\*?\w+\([^;\r\n]*\)\s*[{;]"
    r"|(?:(?:public|private|protected|internal|abstract|final|sealed|data|static) )+[\w<>\[\] ]*\w+ ?(?:\([^;\r\n]*\)|"
    r"(?:extends|implements) [^;\r\n]+)?\s*\{"
    r"|func (?:\([^)\r\n]*\) )?\w+\(|(?:pub )?fn \w+(?:<[^>\r\n]*>)?\(|impl\b[^,;\r\n]*\{"
    # SQL beyond what begins a dump
    r"|(?i:CREATE (?:OR REPLACE |UNIQUE |TEMP(?:ORARY)? )?"
    r"(?:PROCEDURE|FUNCTION|TRIGGER|VIEW|PACKAGE|TYPE|MATERIALIZED)\s"
    r"|DECLARE\s+@?\w+\s+\w+|EXEC(?:UTE)? [\w.]+(?: @\w|;)|GRANT [\w, ]+ ON |LOAD DATA\s)|\\echo "
    # shells, R, MATLAB, PowerShell, Visual Basic, Perl, Ruby
    rf"|set -[a-z]+{_END}|(?:for|while|if) [^,\r\n]*; ?(?:do|then){_END}|(?:library|require)\(\w+\)|[\w.]+ ?<- ?\S"
    rf"|function [^\r\n]*=[^\r\n]*\(|param ?\(\s*[\[$]"
    rf"|(?:Public |Private )?(?:Sub|Function) \w+\([^\r\n]*\)(?: As \w+)?{_END}"
    r"|Option Explicit|use (?:strict|warnings);|require ['\"]"
    # Lua, Haskell, Protocol Buffers, and what opens a bracket at the end of the line above lines that are moved in
    r"|local (?:function )?[\w, ]+[=(]|module [\w.]+[^\r\n]* where\b|syntax = \"|template ?<|type \w+ = [^\r\n]*;"
    rf"|if __name__ == |@[\w.]+(?:\([^\r\n]*\))?[ \t]*\r?\n(?:async )?(?:def|class|fun|public) "
    rf"|[\w.$]+\([^\r\n]*\);{_END}"
    r"|[\w@.#$*<(][^;\t|\r\n]*[({][ \t]*\r?\n[ \t]+\S"
    # CSS, make, Docker
    r"|[.#@\w][\w.#:, >()-]* ?\{[ \t]*[\r\n]+[ \t]+[\w-]+ ?:[^\r\n]*;"
    rf"|[\w.%/-]+:[^,;\t\r\n]*[\r\n]+\t[^\t\r\n]+{_END}"
    r"|FROM \S+(?: AS \S+)?\s+(?:RUN|CMD|COPY|ADD|ENV|WORKDIR|ENTRYPOINT|ARG|LABEL|USER|EXPOSE) "
)
# One more line as programs have it.
_MORE = (
    r"[\r\n][ \t]*(?:[^\r\n]*[;{}:]\s*?(?=[\r\n]|$)|[\w.$ =@]*\([^\r\n]*\)[ \t]*(?=[\r\n]|$)"
    r"|(?:import|from|return|end|done|fi|RUN|CMD|COPY|def|class)\b)"
)


def is_program(start: str) -> bool:
    """Whether a text begins as source code does, and goes on like that."""
    if len(start) > _LOOKED_AT_CHARS:
        start = start[:_LOOKED_AT_CHARS]
    if start.startswith(("/", "-", "%", "#", "'", ";", '"""')):
        before = re.match(_COMMENTS, start)
        start = start[before.end() :] if before is not None else start
    first = re.match(_FIRST, start)
    return first is not None and (
        "\n" in first[0].strip() or re.compile(_MORE).search(start, first.start() + 1) is not None
    )
