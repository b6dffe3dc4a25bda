"""Formats of other fields under the name of a table: each is a text, and none of its lines is a row."""

import pytest

from .samples import describe

ACCESS = '127.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /a,b HTTP/1.1" 200 612 "-" "M/5.0 (KHTML, like Gecko)"\n'

FORMATS = {
    "log of a web server": ACCESS * 4,
    "syslog": "Jan  2 03:04:05 host sshd[1]: Accepted, port 22\nJan  2 03:04:06 host sshd[1]: Closed, port 22\n",
    "syslog with priority": "<34>Jan  2 03:04:05 host su: failed, for x\n<34>Jan  2 03:04:06 host su: failed, for y\n",
    "chat of a phone": "[02/01/26, 03:04:05] Ann: Hi, there\n[02/01/26, 03:04:06] Bob: Hello, you\n",
    "chat of another phone": "1/2/26, 03:04 - Ann: Hi, there\n1/2/26, 03:05 - Bob: Hello, you\n",
    "subtitles": "1\n00:00:01,000 --> 00:00:02,000\nHello, you\n\n2\n00:00:03,000 --> 00:00:04,000\nBye, you\n",
    "lines of a song": "[00:12.00]Line, one\n[00:15.30]Line, two\n[00:17.30] Line, three\n",
    "fasta": ">seq1 Homo sapiens, chromosome 1\nACGTACGT\nACGT\n>seq2 Mus, chromosome 2\nACGT\n",
    "fasta of proteins": ">p1 kinase, human\nMKVLAAGIVGLCAK*\n>p2 kinase, mouse\nMKVLAAGIVGLCAK\n",
    "fastq": "@SEQ1 x,y\nACGT\n+\n!!,,\n@SEQ2 x,y\nACGT\n+\n!!,,\n",
    "edifact": "UNA:+.? '\nUNB+UNOC:3+A,B+5678+260102:0304+1'\nUNH+1+ORDERS:D,96A:UN'\n",
    "edifact without UNA": "UNB+UNOC:3+A,B+5678+260102:0304+1'\nUNH+1+ORDERS:D,96A:UN'\n",
    "x12": "ISA*00*          *00*          *ZZ*A,B*ZZ*C,D*260102*0304*U*00401*000000001*0*P*>~\nGS*PO*A,B~\n",
    "batch of hl7": "FHS|^~\\&|A|B\rBHS|^~\\&|A|B\rMSH|^~\\&|A|B\r",
    "mt940": ":20:STARTUMS\n:25:10010010/1234\n:60F:C260101EUR1234,56\n:61:2601020102DR12,34N062NONREF\n",
    "ofx": "OFXHEADER:100\nDATA:OFXSGML\n\n<OFX>\n<A>1,2\n",
    "qif": "!Type:Bank\nD01/02/2026\nT-1,000.00\nPAnn\n^\nD01/03/2026\nT-2,000.00\n^\n",
    "ris": "TY  - JOUR\nAU  - Lee, A\nAU  - Ray, B\nER  - \n",
    "bibtex": "@article{lee,\n  title={X, y},\n  year={2026},\n}\n",
    "gedcom": "0 HEAD\n1 SOUR X, y\n1 DATE 1, JAN\n",
    "metrics": '# HELP a b, c\n# TYPE a counter\na{x="1",y="2"} 5\na{x="1",y="3"} 6\n',
    "metrics without help": '# TYPE a counter\na{x="1",y="2"} 5\na{x="1",y="3"} 6\n',
    "patch": "--- a/t.csv\n+++ b/t.csv\n@@ -1,3 +1,3 @@\n id,name\n-1,Ann\n+1,Anna\n",
    "patch of git": "diff --git a/t b/t\nindex 1,2\n",
    "commits": "commit 1234567890abcdef\nAuthor: Ann <a@example.com>\n\n    Fix a, b\n",
    "traceback": 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nValueError: a, b\n',
    "translations": 'msgid ""\nmsgstr ""\n\nmsgid "a, b"\nmsgstr "c, d"\n',
    "mail": "Received: from a (b, c)\n\tby d (e, f)\nSubject: Hi, you\n\nDear Bob,\n",
    "mails": "From a@example.com Fri Jan  2 03:04:05 2026\nTo: b@example.com, c@example.com\n\nDear Bob,\n",
    "mail by its sender": "From: Ann <a@example.com>\nTo: Bob, Cyd\nSubject: Hi, you\n\nDear Bob,\n",
    "mail by its signature": "DKIM-Signature: v=1;\r\n\tc=d, e\r\nFrom: a@example.com\r\n\r\nHi, you\r\n",
    "dump of bytes": "00000000  69 64 2c 6e 61 6d 65 0a  31 2c 41 6e 6e 0a  |id,name.1,Ann.|\n00000010\n",
    "address with data": "data:text/csv;base64,aWQsbmFtZQoxLEFubgo=\n",
    "latex": "\\section{A, b}\nText, text.\nMore, text.\n",
}

TABLES = {
    "times in brackets": ("[00:12.00],5\n[00:13.00],6\n[00:14.00],7\n", 3),
    "times and a space": ("[00:12.00] , a\n[00:13.00] , b\n[00:14.00] , c\n", 2),
    "a comment about types": ("# TYPE of the data, in short\nid,name\n1,Ann\n2,Bob\n", 2),
    "names with an angle": (">50,n\na,1\nb,2\n", 2),
    "numbers with noughts": ("00000000,n\n00000001,5\n00000002,6\n", 2),
    "days": ("Jan 2 2026,5\nJan 3 2026,6\n", 2),
    "accounts of the net": ("@ann,5\n@bob,6\n", 2),
    "a received date": ("Received,From\n2026-01-01,Ann\n2026-01-02,Bob\n", 2),
    "a span as the title": ("From: 2026-01-01\nTo: 2026-01-31\n\nDate,Text\n2026-01-01,a\n2026-01-02,b\n", 2),
    "addresses of mail": ("From: a@example.com,1\nTo: b@example.com,2\n", 2),
    "addresses": ("127.0.0.1 x,5\n127.0.0.2 y,6\n", 2),
}


@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS)
def test_no_line_of_another_format_is_a_row(text: str) -> None:
    assert [describe(text.encode(), name)["kind"] for name in ("t.csv", "t")] == ["text", "text"]


@pytest.mark.parametrize(("text", "rows"), TABLES.values(), ids=TABLES)
def test_what_only_looks_like_one_is_a_table(text: str, rows: int) -> None:
    assert describe(text.encode(), "t.csv")["csv"]["rows"] == rows
