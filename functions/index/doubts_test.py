"""What a person would stop at in the first rows is a note; the rows stay."""

import pytest

from .samples import describe

UNITS = "The row below the header may hold units, types or a drawn line: it is counted as a row."
AGAIN = "The header comes again below: there it is counted as a row."
COMMENTS = "Rows that begin with # stand among the others: they may be comments, and are counted."
SETTINGS = "Each row begins with a name and a sign like = or a colon: this may be a list of settings, and no table."
LOG = "The delimiter stands inside times like 10:00:00,123: this may be a log, and no table."
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
