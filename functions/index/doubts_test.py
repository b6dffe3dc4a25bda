"""What a person would stop at in the first rows is a note; the rows stay."""

import pytest

from .samples import describe

UNITS = "The row below the header may hold units, types or a drawn line: it is counted as a row."
AGAIN = "The header comes again below: there it is counted as a row."
COMMENTS = "Rows that begin with # stand among the others: they may be comments, and are counted."
SETTINGS = "Each row begins with a name and a sign like = or a colon: this may be a list of settings, and no table."
LOG = "The delimiter stands inside times like 10:00:00,123: this may be a log, and no table."
TOTAL = "The last row that was looked at may be a total: it is counted as a row."
EMPTY_ROWS = "Rows in which all cells are empty stand among the others: they are counted."
BARS = "Each row begins and ends with '|', as in a printed table: the first and the last column are empty."
LONGER = "The delimiter may be longer than '|': each cell has a sign that is the same everywhere."
ENTITIES = "The delimiter also ends signs of HTML like &amp;: cells may be cut there."
LINE_ENDS = "Only one row is seen, and its cells have what may be meant to end lines: U+0085, U+2028, U+001E or \\n."
SENTENCES = "Each row ends like a sentence: this may be a text with commas, and no table."
QUOTES = 'Cells stand in quotes other than ": these are a part of the cells, and part nothing.'
DRAWN = "A line is drawn further below, as in a printed table: lines there may be no rows."
SECOND = "Names stand below an empty line: another table may begin there. Its lines are counted as rows."
ALL = {TOTAL, EMPTY_ROWS, BARS, LONGER, ENTITIES, LINE_ENDS, SENTENCES, QUOTES, DRAWN, SECOND}
BOX = "+----+------+\n| id | name |\n+----+------+\n| 1  | Ann  |\n+----+------+\n"
LINES = "2026-01-01 10:00:00,123 INFO a\n2026-01-01 10:00:01,456 INFO b\n2026-01-01 10:00:02,789 WARNING c\n"


@pytest.mark.parametrize(
    ("text", "note", "rows"),
    [
        ("time,speed\ns,m/s\n0,1\n1,2\n", UNITS, 3),
        ("time,speed\n[s],[m/s]\n0,1\n1,2\n", UNITS, 3),
        ("when,temperature,humidity\n,degC,%\n2026-01-01 00:00,5.5,80\n2026-01-01 01:00,5.7,81\n", UNITS, 3),
        ("id,name\nint,string\n1,a\n2,b\n", UNITS, 3),
        ("id,name\n--,----\n1,Ann\n2,Bob\n", UNITS, 3),
        ("sep=;\nid;name\nint;text\n1;a\n", UNITS, 2),
        ("id\nint\n1\n2\n", UNITS, 3),
        ("id,name\n1,a\nid,name\n2,b\n", AGAIN, 3),
        ("id,name\n1,a\n# left,out\n2,b\n", COMMENTS, 3),
        ("id,name\n1,a\n2,b\n# made by x\n", COMMENTS, 3),
        ("export A=1,2\nexport B=3,4\n", SETTINGS, 2),
        ("# made by x\na.b=1, 2\na.c=3, 4\n", SETTINGS, 2),
        ("a=1,2\nb=3,4\nc=5,6\n", SETTINGS, 3),
        ("Subject: Hi, you\nTo: x@example.com, y@example.com\n", SETTINGS, 1),
        ("name: Ann\ncity: Rome\n", SETTINGS, 1),
    ],
)
def test_a_person_is_told_where_to_look(text: str, note: str, rows: int) -> None:
    document = describe(text.encode(), "t.csv")
    assert note in document["notes"]
    assert document["csv"]["rows"] == rows


@pytest.mark.parametrize(
    "text",
    [
        "name,age\nAnn,n/a\nBob,40\n",
        "name,city\nAnn,Rome\nBob,Oslo\n",
        "name,note\nAnn,old\nBob,12 or so\nCyd,13\n",
        "#tag,n\n#a,1\n#b,2\n",
        "10:00,5\n11:00,6\n",
        "x: y,n\n1,2\n",
        "a,b\n-,-\n1,2\n",
        "id,n\n1,2\n",
    ],
)
def test_an_ordinary_table_has_none_of_these_notes(text: str) -> None:
    notes = describe(text.encode(), "t.csv")["notes"]
    assert not {UNITS, AGAIN, COMMENTS, SETTINGS, LOG} & set(notes)


@pytest.mark.parametrize("name", ["app.log", "log", "log.txt"])
def test_a_log_with_commas_in_its_times_is_a_text(name: str) -> None:
    assert describe(LINES.encode(), name)["kind"] == "text"


def test_spaces_alone_are_no_table() -> None:
    for text in (b"   \n", b" \n  \n", b"\n\n"):
        assert describe(text, "t.csv")["kind"] == "text"


def test_a_first_row_that_is_longer_than_what_is_looked_at_is_told() -> None:
    row = ",".join(f"column{number}" for number in range(20_000)) + "\n"
    document = describe((row + row.replace("column", "")).encode(), "t.csv")
    assert document["csv"]["rows"] == 2
    told = "the first row is longer than what is looked at: not all of its columns are seen"
    assert told in document["warnings"]


@pytest.mark.parametrize(
    ("text", "note", "rows"),
    [
        ("item,n\nA,1\nB,2\nTotal,3\n", TOTAL, 3),
        ("Row Labels,Sum\nA,1\nB,2\nGrand Total,3\n", TOTAL, 3),
        ("Datum;Text;Betrag\n01.01.2026;a;1,00\n02.01.2026;b;2,00\n;Summe:;3,00\n", TOTAL, 3),
        ("品,数\nA,1\nB,2\n合計,3\n", TOTAL, 3),
        ("a,b\n1,2\n3,4\n,\n,\n", EMPTY_ROWS, 4),
        ("| a | b |\n| 1 | 2 |\n| 3 | 4 |\n", BARS, 2),
        ("|Doc |Amount |\n|100 |  1,00 |\n|101 |  2,00-|\n", BARS, 2),
        ("1|~|Ann|~|x\n2|~|Bob|~|y\n3|~|Cyd|~|z\n", LONGER, 3),
        ("id||name||city\n1||Ann||Rome\n2||Bob||Oslo\n", LONGER, 2),
        ("id^|^name\n1^|^Ann\n2^|^Bob\n", LONGER, 2),
        ("name;city\nM&uuml;ller;K&ouml;ln\nJ&uuml;rgen;M&uuml;nchen\n", ENTITIES, 1),
        ("name;note\nAnn;a &amp; b\nBob;c\n", ENTITIES, 2),
        ("id,name\u00851,Ann\u00852,Bob\u0085", LINE_ENDS, 0),
        ("id,name\u20281,Ann\u20282,Bob\u2028", LINE_ENDS, 0),
        ("id,name\\n1,Ann\\n2,Bob\\n3,Cyd", LINE_ENDS, 0),
        ("It was, he said, a day.\nThe sun, high, was hot.\nThe sea, calm, was blue.\n", SENTENCES, 2),
        ("'id','n'\n'1','5'\n'2','6'\n", QUOTES, 2),
        ("“id”,“n”\n“1”,“5”\n“2”,“6”\n", QUOTES, 2),
        ("".join(f"line {n}\n" for n in range(40)) + BOX, DRAWN, 44),
        ("id,name\n" + "".join(f"{n},A{n}\n" for n in range(30)) + BOX, DRAWN, 35),
        ("id,name\n1,Ann\n2,Bob\n\ncity,pop\nRome,5\nOslo,6\n", SECOND, 5),
        ("id,name\r\n1,Ann\r\n\r\ncity,pop,area\r\nRome,5,1\r\n", SECOND, 3),
        ("time:10:00\thost:a\ntime:10:01\thost:b\ntime:10:02\thost:c\n", SETTINGS, 2),
        ("temp:21.5,hum:40\ntemp:21.6,hum:41\ntemp:21.7,hum:41\n", SETTINGS, 2),
        ("Freq,S21\nHz,dB\nlong,x\n1,-3\n2,-4\n3,-4\n", UNITS, 5),
    ],
)
def test_a_person_is_told_what_may_be_no_row(text: str, note: str, rows: int) -> None:
    document = describe(text.encode(), "t.csv")
    assert note in document["notes"]
    assert document["csv"]["rows"] == rows


@pytest.mark.parametrize(
    "text",
    [
        "film,n\nA,1\nTotal Recall,2\n",
        "total,n\n1,2\n3,4\n",
        "a,b,c\n,,1\n2,,\n",
        "a|b|\n1|2|\n3|4|\n",
        "|a|b\n|1|2\n|3|4\n",
        "a|b|c\nx||y\nz|1|w\n",
        "a,b,c\n1,-,3\n4,5,6\n",
        "a;b\nR&D;1\nx;2\n",
        "id,text\n1,a\u2028b\n2,c\u2028d\n",
        "a,path\\name\n1,c:\\new\n",
        "name,note\nAnn,Good.\nBob,Bad.\n",
        "'tis,n\n1,2\n3,4\n",
        'id,text\n1,"a\n+----+\n"\n2,b\n',
        "a,b\n\n1,2\n\n3,4\n",
        "a,b\n1,2\n\na,b\n3,4\n",
        "name,city\nAnn,Rome\n\nSource: x\n",
        "mac,n\naa:bb:cc:dd:ee:ff,1\naa:bb:cc:dd:ee:fe,2\n",
        "urn:a:1,x\nurn:a:2,y\n",
        "fe80::1,x\nfe80::2,y\n",
    ],
)
def test_what_only_looks_odd_has_no_note(text: str) -> None:
    assert not {*ALL, UNITS, SETTINGS, LOG} & set(describe(text.encode(), "t.csv")["notes"])


@pytest.mark.parametrize("lines", [25, 60, 600])
def test_a_table_that_begins_far_below_is_told(lines: int) -> None:
    """Below more lines than a title has, the table is not looked for; what is said of the first rows is not of it."""
    letter = "".join(f"line {n} of a letter\n" for n in range(lines))
    document = describe((letter + "id,name\n" + "".join(f"{n},A{n}\n" for n in range(1000))).encode(), "t.csv")
    told = f"Most rows are not as wide as the first ones: the table may begin at row {lines + 1}."
    assert told in document["notes"]


def test_what_stands_far_below_is_counted_and_not_judged() -> None:
    rows = "".join(f"a{n},{n}\n" for n in range(20_000))
    document = describe(("item,n\n" + rows + "Total,5\n\ncity,pop\nRome,5\n").encode(), "t.csv")
    assert document["csv"]["rows"] == 20_003
    assert not {TOTAL, SECOND} & set(document["notes"])


ABOVE = "The last line above the table may be its header, with another delimiter, or above split numbers."
FIELDS = "A comment above the table begins like #Fields: it may name the columns, which are numbered here."


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a;b;c\n1,2,3\n4,5,6\n", ABOVE),
        ("a\tb\tc\n1,2,3\n4,5,6\n", ABOVE),
        ("x,y\n1,5,2,5\n3,5,4,5\n", ABOVE),
        ("#Version: 1.0\n#Fields: date time sc\n2026-01-02\t03:04:05\t1\n2026-01-02\t03:04:06\t2\n", FIELDS),
        ("#separator x\n#fields\tts\tid\n#types\ttime\tstring\n17.1\tC1\n17.2\tC2\n", FIELDS),
    ],
)
def test_names_that_are_not_taken_are_told(text: str, note: str) -> None:
    assert note in describe(text.encode(), "t.csv")["notes"]


@pytest.mark.parametrize("text", ["Report\n1,2\n3,4\n", "# fielded, x\n1,2\n3,4\n", "# fields below\na,b\n1,2\n"])
def test_no_names_are_told_where_none_are(text: str) -> None:
    assert not {ABOVE, FIELDS} & set(describe(text.encode(), "t.csv")["notes"])
