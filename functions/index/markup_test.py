"""What is no table although its name says so, and what is one although it looks like mark-up."""

import gzip

import pytest

from .samples import describe

TEXTS = {
    "json lines": '{"a":1,"b":2}\n{"a":3,"b":4}\n{"a":5,"b":6}\n',
    "json lines of lists": '["a",1]\n["b",2]\n["c",3]\n',
    "json": '{"a": 1, "b": [1, 2, 3], "c": {"d": 4}}',
    "json over lines": '{\n  "a": 1,\n  "b": 2\n}\n',
    "json, a list": '[{"a": 1}, {"a": 2}]',
    "json, a list over lines": '[\n  {"a": 1},\n  {"a": 2}\n]\n',
    "json, a list of numbers": "[1, 2,\n3, 4,\n5, 6]\n",
    "json, an empty object": "{}\n",
    "json, an empty list": "[]\n",
    "json with a tail": '{"a": 1, "b": 2}, \n{"a": 3, "b": 4}, \n',
    "json in single quotes": "{'a': 1, 'b': 2}\n{'a': 3, 'b': 4}\n",
    "json longer than what is looked at": '{"a": "' + "x, y; z" * 20_000 + '", "b": 1}\n',
    "json list longer than what is looked at": "[" + '"x, y", ' * 20_000 + '"z"]\n',
    "json in one line without an end": '{"rows": [' + "[1, 2]," * 20_000,
    "json of a thousand brackets": "[" * 100_000,
    "json after empty lines": '\n\n  {"a": 1, "b": 2}\n',
    "geojson": '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null}]}\n',
    "xml": '<?xml version="1.0"?>\n<rows><row a="1,2"/><row a="3,4"/></rows>\n',
    "xml without a declaration": "<Error><Code>AccessDenied, or not</Code>\n<Message>x, y</Message></Error>\n",
    "xml with a namespace": '<s:Envelope xmlns:s="http://example.com/"><s:Body>a, b</s:Body></s:Envelope>\n',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><path d="M 1,2 L 3,4"/></svg>\n',
    "html": "<!DOCTYPE html><html><body>Login, please</body></html>\n",
    "html in capitals": "<HTML>\n<BODY>a, b</BODY>\n</HTML>\n",
    "html, a table": "<table>\n<tr><td>1,5</td><td>2,5</td></tr>\n</table>\n",
    "html, a warning of PHP": "<br />\n<b>Warning</b>:  a, b in <b>/x.php</b> on line <b>3</b><br />\n",
    "html after a comment": "<!-- a, b -->\n<html>\n",
    "php": "<?php echo 'a, b';\n",
    "rtf": "{\\rtf1\\ansi a, b\\par c, d}\n",
    "postscript": "%!PS-Adobe-3.0\n0 0 moveto, a\n",
    "a pointer of Git LFS": "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n",
    "yaml": "---\na: 1, 2\nb: x, y\n",
    "yaml with a version": "%YAML 1.2\n---\na: 1, 2\n",
    "front matter": "---\ntitle: a, b\n---\n\nText, more text\n",
    "toml": "[tool]\nx = [1, 2]\ny = [3, 4]\n",
    "ini": "[server]\nports=1,2\nnames=a,b\n",
    "sql": "INSERT INTO t VALUES (1,2);\nINSERT INTO t VALUES (3,4);\n",
    "a dump": "create table t (x int, y int);\n",
    "a dump of MySQL": "-- MySQL dump 10.13\n\nDROP TABLE IF EXISTS `a`;\nINSERT INTO `a` VALUES (1,'x'),(2,'y');\n",
    "a dump of MySQL by versions": "/*!40101 SET NAMES utf8 */;\nINSERT INTO `a` VALUES (1,2);\n",
    "a dump of PostgreSQL": "--\n-- PostgreSQL database dump\n--\n\nSET lock_timeout = 0;\nCOPY a (b) FROM stdin;\n",
    "a dump of SQLite": 'PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nINSERT INTO "a" VALUES(1,2);\nCOMMIT;\n',
    "a dump that names a database": "USE shop;\nINSERT INTO t VALUES (1,2);\n",
    "a transaction": "BEGIN;\nINSERT INTO t VALUES (1,2);\nCOMMIT;\n",
    "a query": "SELECT a, b FROM t\nWHERE c IN (1, 2)\n",
    "the head of an answer": "HTTP/1.1 404 Not Found\nVia: a, b\n\nx, y\n",
    "arff": "@relation weather\n@attribute a numeric\n@data\n1,2\n3,4\n",
    "a certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "a program": "#!/bin/sh\necho a, b\n",
    "json for a script": 'callback({"a":1,"b":2});\n',
    "json for a script of an object": 'window.jQuery1([{"a":1,"b":2}]);\n',
    "vcard": "BEGIN:VCARD\nN:Lee;Ann;;;\nEND:VCARD\n",
    "calendar": "BEGIN:VCALENDAR\nDTSTART;TZID=Europe/Rome:2026\n",
    "json behind a guard": ')]}\',\n{"a":1,"b":2}\n',
    "json behind a guard without a comma": ')]}\'\n[["a",1],["b",2]]\n',
    "json behind a loop": 'while(1);[{"a":1,"b":2},{"a":3,"b":4}]\n',
    "json behind an endless loop": 'for (;;);{"a":1,"b":2}\n',
    "json behind a comment": '// made by x, y\n{"a": 1, "b": 2}\n',
    "json behind comments": '/* made by x,\n y */\n// a, b\n\n[{"a": 1, "b": 2}]\n',
    "json behind a comment of a number sign": '# made by x, y\n{\n  "a": 1,\n  "b": 2\n}\n',
    "a query over lines": "select a, b\nfrom t;\n",
    "a query of parts": "WITH x AS (SELECT 1, 2)\nSELECT a, b FROM x;\n",
    "changes": "UPDATE t SET a=1, b=2 WHERE c=3;\nDELETE FROM t WHERE a IN (1,2);\n",
    "removals": "delete from t where a in (1,2);\ndelete from t where a in (3,4);\n",
    "an export of Oracle": "REM INSERTING into T\nSET DEFINE OFF;\nInsert into T (A,B) values (1,2);\n",
    "rows of a statement": "(1,'a'),\n(2,'b'),\n(3,'c');\n",
    "rows of a program": "(1, 'a', 2)\n(2, 'b', 3)\n(3, 'c', 4)\n",
    "vcard in small letters": "begin:vcard\nn:Lee;Ann;;;\nend:vcard\n",
    "a record of a hospital": "MSH|^~\\&|A|B|C\rPID|1||5\r",
    "subtitles": "WEBVTT\n\n00:01.000 --> 00:02.000\nHi, you\n",
    "a list of songs": "#EXTM3U\n#EXTINF:5,A - B\na.mp3\n#EXTINF:6,C - D\nb.mp3\n",
    "a table of LaTeX": "\\begin{tabular}{ll}\nid & name \\\\\n1 & Ann, x \\\\\n",
    "json behind a separator": '\x1e{"a":1,"b":2}\n\x1e{"a":3,"b":4}\n',
    "a page of Java": '<%@ page language="java" %>\n<% int a, b; %>\n',
    "a page of ASP": "<% Dim a, b %>\n<p>x, y</p>\n",
    "yaml, a list": "- name: a\n  tags: [x, y]\n- name: b\n  tags: [z, w]\n",
    "yaml, a list of one key": "- a: 1, 2\n- a: 3, 4\n",
    "yaml, a list in braces": "- {a: 1, b: 2}\n- {a: 3, b: 4}\n",
    "yaml behind a comment": "# by x, y\n---\na: [1, 2]\nb: [3, 4]\n",
    "yaml, a list behind a comment": "# by x, y\n\n- name: a, b\n  n: 1\n",
    "ini behind a comment": "; by x, y\n[s]\na=1,2\nb=3,4\n",
    "ini behind comments": "# by x, y\n# and z\n\n[s]\na=1,2\nb=3,4\n",
    "ini with a comment below its section": "[s]\n; by x, y\na=1,2\nb=3,4\n",
    "ini with keys above its section": "a=1,2\nb=3,4\n\n[s]\nc=5,6\n",
    "toml with keys above its table": '# by x, y\ntitle = "a, b"\nlist = [1, 2]\n\n[owner]\nname = "x, y"\n',
    "a call of a procedure": "CALL p(1,2);\nCALL p(3,4);\n",
    "values of a statement": "VALUES (1,2),(3,4);\n",
    "a plan of a query": "EXPLAIN SELECT a, b FROM c;\n",
    "the head of a request": "GET /a?b=1,2 HTTP/1.1\r\nHost: x\r\nAccept: a, b\r\n\r\n",
    "a form": '--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\nid,n\r\n1,2\r\n--x--\r\n',
    "chunks with signatures": f"12;chunk-signature={'ab' * 32}\r\nid,name\r\n1,a\r\n2,b\r\n",
    "ldif": "dn: cn=a,dc=b,dc=c\ncn: a\n\ndn: cn=d,dc=b,dc=c\ncn: d\n",
    "ldif with a version": "version: 1\n\ndn: cn=a,dc=b,dc=c\ncn: a\n",
    "a value of PHP": 'a:2:{s:1:"a";i:1;s:1:"b";i:2;}\n',
    "hashes of Ruby": "{:a=>1, :b=>2}\n{:a=>3, :b=>4}\n",
    "objects of Java": "User{id=1, name='a'}\nUser{id=2, name='b'}\n",
    "objects of Python": "User(id=1, name='a')\nUser(id=2, name='b')\n",
    "a game of chess": '[Event "x, y"]\n[Site "a, b"]\n\n1. e4 e5\n',
    "subtitles with styles": "[Script Info]\nTitle: a, b\n\n[Events]\nFormat: A, B\n",
    "settings of Windows": 'Windows Registry Editor Version 5.00\n\n[HKEY_X]\n"a"="b,c"\n',
    "sylk": 'ID;PWXL;N;E\nP;PGeneral\nC;Y1;X1;K"a"\nE\n',
    "errors of Apache": "[Mon Jan 01 10:00:00.123 2024] [core:error] a, b\n[Mon Jan 01 10:00:01 2024] [x:error] c, d\n",
    "errors of nginx": "2024/01/01 10:00:00 [error] 7#7: *1 a, client: b\n2024/01/01 10:00:01 [warn] 7#7: c, d\n",
    "a trace of Java, of any error": "java.lang.Exception: a, b\n\tat x.Y.z(Y.java:1)\n\tat x.Y.w(Y.java:2)\n",
    "a trace of Java": "java.lang.IllegalStateException: a, b\n\tat x.Y.z(Y.java:1)\n\tat x.Y.w(Y.java:2)\n",
    "markdown": "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "markdown aligned": "| name | n |\n|:-----|--:|\n| Ann  | 2 |\n",
    "markdown without edges": "a | b\n--- | ---\n1 | 2\n",
}

TABLES = {
    "dashes for nothing": ("a|b\n-|-\n1|2\n", ["a", "b"]),
    "a rule in a cell": ("a|b\n---|x\n1|2\n", ["a", "b"]),
    "names in brackets, then a key": ("[id],[x]\na=1,2\n", ["[id]", "[x]"]),
    "a comment of dashes": ("-- by x, y\na;b\n1;2\n", ["a", "b"]),
    "a comment of slashes": ("// by x, y\n[a],[b]\n1,2\n", ["[a]", "[b]"]),
    "a comment and places": ("# by x, y\n{id},{name}\n1,a\n", ["{id}", "{name}"]),
    "loops as names": ("while,for\n1,2\n3,4\n", ["while", "for"]),
    "calls as names": ("count(*),sum(x)\n1,2\n3,4\n", ["count(*)", "sum(x)"]),
    "commands as names": ("set,use,begin\n1,2,3\n4,5,6\n", ["set", "use", "begin"]),
    "a query's words as names": ("Select option,From date\n1,2\n3,4\n", ["Select option", "From date"]),
    "a command among words": ("insert into,city\n1,Rome\n2,Oslo\n", ["insert into", "city"]),
    "a title underlined": ("# Sales\n---\nid,name\n1,a\n2,b\n", ["id", "name"]),
    "a section, then a time": ("[time],x\n10:00,1\n", ["[time]", "x"]),
    "settings without a section": ("a=1,b=2\na=3,b=4\n", ["a=1", "b=2"]),
    "verbs as names": ("GET,POST,PUT\n1,2,3\n", ["GET", "POST", "PUT"]),
    "values with a unit": ("Values (mm),Date\n1,2024-01-01\n2,2024-01-02\n", ["Values (mm)", "Date"]),
    "calls with a unit": ("Call (s),Date\n1,2024-01-01\n2,2024-01-02\n", ["Call (s)", "Date"]),
    "a price behind an id": ("ID;P;N\n1;2;3\n4;5;6\n", ["ID", "P", "N"]),
    "a dash and a name": ("- name,age\nAnn,3\nBob,4\n", ["- name", "age"]),
    "an error's name": ("java.lang.Error,count\n1,2\n3,4\n", ["java.lang.Error", "count"]),
    "less than a share": ("<% of all,n\n1,2\n3,4\n", ["<% of all", "n"]),
    "times with slashes": ("2024/01/01 10:00:00,1\n2024/01/01 10:00:01,2\n", ["column 1", "column 2"]),
    "three dashes and more": ("---,x\n1,2\n3,4\n", ["---", "x"]),
    "signs of a stock exchange": ("<TICKER>,<PER>,<DATE>\nA,D,20200101\n", ["<TICKER>", "<PER>", "<DATE>"]),
    "signs in quotes": ('"<a>";"<b>"\n1;2\n', ["<a>", "<b>"]),
    "less than": ("<5,>5\n1,2\n", ["<5", ">5"]),
    "brackets of a database": ("[id],[name]\n1,a\n", ["[id]", "[name]"]),
    "brackets and numbers": ("[1],[x]\n2,3\n4,5\n", ["[1]", "[x]"]),
    "places": ("{id},{name}\n1,a\n", ["{id}", "{name}"]),
    "an order to choose": (
        "Select what you took from the list,n\nx,1\ny,2\n",
        ["Select what you took from the list", "n"],
    ),
    "amounts below zero": ("(5),(6)\n(7),(8)\n", ["column 1", "column 2"]),
    "json in a cell": ('id,data\n1,"{""a"": 1, ""b"": 2}"\n', ["id", "data"]),
    "json in the first cell": ('data,id\n"{""a"": 1}",1\n', ["data", "id"]),
    "html in a cell": ("id,html\n1,<b>x</b>\n", ["id", "html"]),
}


@pytest.mark.long
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["export.csv", "EXPORT.TSV"])
@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_json_and_markup_are_texts_under_any_name(text: str, name: str, codec: str) -> None:
    document = describe(text.encode(codec), name)
    assert (document["kind"], document["type"]) == ("text", "text/plain")


def test_json_inside_gzip_is_a_text_too() -> None:
    document = describe(gzip.compress(TEXTS["json lines"].encode()), "export.csv.gz")
    assert (document["kind"], document["compression"]["type"]) == ("text", "text/plain")


@pytest.mark.parametrize(("text", "columns"), TABLES.values(), ids=TABLES)
def test_a_table_that_begins_like_markup_stays_a_table(text: str, columns: list[str]) -> None:
    document = describe(text.encode(), "export.csv")
    assert document["kind"] == "csv"
    assert document["csv"]["columns"] == columns
