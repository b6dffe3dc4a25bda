"""Source code under the name of a table: a text with a note. Code in the cells of a table stays in its cells."""

import pytest

from .samples import describe

NOTE = "The content looks like source code: no rows are read from it."

PROGRAMS = {
    "python": "import os, sys\n\ndef f(a, b):\n    return a, b\n\nprint(f(1, 2))\n",
    "python from": "from a import b, c\nfrom d import e, f\nx, y = 1, 2\n",
    "python docstring": '"""Doc, string."""\n\nimport os\n\n\nclass A:\n    def f(self, a, b):\n        pass\n',
    "python licence": "#\n# A, b\n##### c, d #####\n"
    + "# e, f\n" * 1000
    + "__all__ = ['a', 'b']\nimport a, b\nf(1, 2)\n",
    "python long docstring": '"""\n    A, b.\n\n    c, d\n"""\nimport a, b\nf(1, 2)\n',
    "python comment": "# by x, y\nimport csv, io\n\nfor a, b in f(1, 2):\n    print(a, b)\n",
    "javascript": 'const a = require("a");\nconst {b, c} = require("d");\n\nfunction f(a, b) {\n  return [a, b];\n}\n',
    "javascript modules": 'import a, { b } from "c";\nexport default { a, b };\n',
    "javascript variables": "var a = 1, b = 2;\nvar c = 3, d = 4;\n",
    "javascript names": "import {a, b,\n  c, d} from './e.js';\nf(a, b);\n",
    "c condition": "#if defined(A) && defined(B)\nint f(int a, int b);\n#endif\n",
    "rust attributes": "#![allow(a, b)]\nuse c::{d, e};\nfn f() {\n}\n",
    "rust types": "pub type A = B<C, D>;\npub type E = B<F, G>;\n",
    "postgresql": "-- a, b\n\\echo Use c, d\nALTER TABLE a ADD b, c;\n",
    "javascript strict": '"use strict";\nf(a, b);\ng(c, d);\n',
    "c": '#include <stdio.h>\n\nint main(int argc, char **argv) {\n    printf("%d, %d\\n", 1, 2);\n    return 0;\n}\n',
    "c function": "/* x, y */\nstatic int f(int a, int b)\n{\n    return a + b;\n}\n",
    "c header": "#ifndef A\n#define A 1, 2\nint f(int a, int b);\n#endif\n",
    "java": "package a.b;\n\nimport java.util.*;\n\nclass A {\n    void f(int a, int b) {\n    }\n}\n",
    "java class": "public class A extends B {\n    void f(int a, int b) { g(a, b); }\n}\n",
    "c sharp": "using System;\nusing System.Linq;\nclass A { void F(int a, int b) { } }\n",
    "go": 'package main\n\nimport "fmt"\n\nfunc f(a, b int) (int, int) {\n\treturn a, b\n}\n',
    "rust": "use std::{a, b};\n\nfn main() {\n    f(1, 2);\n}\n",
    "sql function": "CREATE OR REPLACE FUNCTION f(a int, b int)\nRETURNS int AS $$\nBEGIN\n  RETURN a, b;\nEND;\n",
    "sql variables": "DECLARE @a int, @b int;\nSET @a = 1;\nEXEC p @a, @b;\n",
    "sql loader": 'LOAD DATA\nINFILE *\nFIELDS TERMINATED BY ","\n(id, name)\nBEGINDATA\n1,Ann\n2,Bob\n',
    "shell": 'set -e\nfor a in b c; do\n  echo "$a, x"\ndone\n',
    "shell loop": 'for a in b c; do\n  echo "$a, x", "$a, y"\ndone\n',
    "r": 'library(x)\ndf <- read.csv("a.csv", sep = ",")\nplot(df$a, df$b)\n',
    "matlab": "function [a, b] = f(c, d)\n  a = c;\n  b = d;\nend\n",
    "powershell": "param($a, $b)\nGet-Item a, b\n$x = @(1, 2)\n",
    "basic": 'Sub A(b, c)\n  Dim d, e\n  MsgBox ("x, y")\nEnd Sub\n',
    "perl": "use strict;\nmy ($a, $b) = (1, 2);\n",
    "css": "body, html {\n  margin: 0;\n  font: 1px a, b;\n}\n",
    "make": "all: a b\n\tgcc -o a, b;\n\tgcc -o c, d;\n",
    "kotlin": "fun main(a: Int, b: Int) {\n  f(a, b)\n}\n",
    "lua": "local a, b = 1, 2\nfunction f(a, b)\n  return a, b\nend\n",
    "typescript": "type A = { a: string, b: number };\nconst x: A = f(1, 2);\n",
    "python main": 'if __name__ == "__main__":\n    f(1, 2)\n    g(3, 4)\n',
    "python decorator": '@app.route("/a", methods=["GET"])\ndef f(a, b):\n    return a, b\n',
    "c enumeration": "enum a {\n  B,\n  C,\n};\n",
    "c structure": "typedef struct {\n  int a, b;\n  int c, d;\n} x;\n",
    "c++ template": "template <typename T, typename U>\nclass A {\n  T a; U b;\n};\n",
    "javascript calls": "console.log(a, b);\nf(c, d);\ng(e, f);\n",
    "javascript arrow": "(() => {\n  f(a, b);\n  g(c, d);\n})();\n",
    "jquery": "$(function () {\n  f(a, b);\n});\n",
    "haskell": "module A (b, c) where\nimport D (e, f)\nb = (1, 2)\n",
    "protocol": 'syntax = "proto3";\nmessage A { int32 a = 1; }\n',
    "graphql": "query A($a: Int, $b: Int) {\n  c(a: $a, b: $b)\n}\n",
    "terraform": 'resource "a" "b" {\n  c = ["x", "y"]\n}\n',
    "graphviz": "digraph a {\n  b -> c;\n  d -> e;\n}\n",
    "nginx": "server {\n  listen 80;\n  server_name a, b;\n}\n",
    "docker": 'FROM python:3\nRUN a, b\nCMD ["a", "b"]\n',
}

TABLES = {
    "code in cells": (
        'id,body\n1,"import os, sys\nimport io\ndef f(a):\n  return a;\n"\n2,"x;\n"\n',
        ["id", "body"],
        2,
    ),
    "two words": ("import duty,country\n5,FR (x)\n6,DE (y)\n", ["import duty", "country"], 2),
    "a class": ("final class,grade\n5,A;\n6,B;\n", ["final class", "grade"], 2),
    "data records": ("data record,n\na,1;\nb,2;\n", ["data record", "n"], 2),
    "first names": ("fn name,ln\nAnn,5)\nBob,6)\n", ["fn name", "ln"], 2),
    "units": ("param (unit),n\na (b),1\nc (d),2\n", ["param (unit)", "n"], 2),
    "managers": ("Exec Name,n\nAnn (x),5\nBob (y),6\n", ["Exec Name", "n"], 2),
    "names of columns": ("long name(m),b\n5,x;\n6,y;\n", ["long name(m)", "b"], 2),
    "semicolons": ("using a;b\n1;2\n3;4\n", ["using a", "b"], 2),
    "a title and tabs": ("Report: x\n\ta\tb\n1\t2\t3\n4\t5\t6\n", ["", "a", "b"], 2),
    "a header behind a mark": ("#id,n\n1,a;\n2,b;\n", ["#id", "n"], 2),
    "a comment and a name": ("#\n# by x, y\n#\nid,n\n1,2)\n3,4)\n", ["id", "n"], 2),
    "a comment that defines": ("# define the columns\nid,n\n1,2)\n3,4)\n", ["id", "n"], 2),
    "an open bracket": ("name (,n\n1,2\n3,4\n", ["name (", "n"], 2),
    "a local name": ("local name,n\na,1\nb,2\n", ["local name", "n"], 2),
    "a type": ("type a,n\nx,1;\ny,2;\n", ["type a", "n"], 2),
    "accounts": ("@id,n\n1,2)\n3,4)\n", ["@id", "n"], 2),
    "functions": ("f(x),g(x)\n1,2\n3,4\n", ["f(x)", "g(x)"], 2),
    "namespaces": ("namespace pod,n\na,1}\nb,2}\n", ["namespace pod", "n"], 2),
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_source_code_is_a_text_with_a_note(text: str, line_end: str) -> None:
    document = describe(text.replace("\n", line_end).encode(), "t.csv")
    assert (document["kind"], document["notes"]) == ("text", [NOTE])


def test_under_its_own_name_nothing_needs_to_be_said() -> None:
    document = describe(PROGRAMS["python"].encode(), "t.py")
    assert (document["kind"], document["notes"]) == ("text", [])


@pytest.mark.parametrize(("text", "columns", "rows"), TABLES.values(), ids=TABLES)
def test_what_only_begins_like_code_is_a_table(text: str, columns: list[str], rows: int) -> None:
    table = describe(text.encode(), "t.csv")["csv"]
    assert (table["columns"], table["rows"]) == (columns, rows)
