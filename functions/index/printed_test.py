"""Tables that a program printed for people: texts with a note, and never wrong rows."""

import pytest

from .samples import describe

MYSQL = "+----+------+\n| id | name |\n+----+------+\n|  1 | Ann  |\n+----+------+\n1 row in set (0.00 sec)\n"
PSQL = " id | name \n----+------\n  1 | Ann\n  2 | Bob\n(2 rows)\n\n"
NOTE = "The content is a table as programs print it, with drawn lines: its rows are not read."

PRINTED = {
    "mysql": MYSQL,
    "mysql with its prompt": "mysql> select * from t;\n" + MYSQL,
    "mysql, a line for each column": "********** 1. row **********\n  id: 1\nname: Ann, x\n",
    "psql": PSQL,
    "psql with a title": " List of relations\n Schema | Name\n--------+------\n public | t\n(1 row)\n",
    "psql, one column": " id \n----\n  1\n  2\n(2 rows)\n",
    "psql, a line for each column": "-[ RECORD 1 ]\nid   | 1\nname | Ann\n-[ RECORD 2 ]\nid   | 2\nname | Bob\n",
    "psql in unicode": " id │ name \n────┼──────\n  1 │ Ann\n(1 row)\n",
    "sqlite3 in a box": "┌────┬──────┐\n│ id │ name │\n├────┼──────┤\n│ 1  │ Ann  │\n└────┴──────┘\n",
    "sqlite3 in columns": "id  name\n--  ----\n1   Ann, x\n2   Bob, y\n",
    "sqlcmd": "id          name\n----------- ----\n          1 Ann\n\n(1 rows affected)\n",
    "spark": "+---+----+\n| id|name|\n+---+----+\n|  1| Ann|\n+---+----+\nonly showing top 1 row\n",
    "rst": "+----+------+\n| id | name |\n+====+======+\n| 1  | Ann  |\n+----+------+\n",
    "rst, simple": "==  ====\nid  name\n==  ====\n1   Ann\n==  ====\n",
    "rst, simple, below a title": "A title, long\n\nid  name\n==  ====\n1   Ann, x\n",
    "org": "| id | name |\n|----+------|\n|  1 | Ann  |\n",
    "sap": "2026.01.02  List  1\n\n-----------\n|Doc |Amt  |\n-----------\n|100 |1,00 |\n|101 |2,00-|\n-----------\n",
    "jira": "||id||name||\n|1|Ann|\n|2|Bob|\n",
    "mediawiki": '{| class="wikitable"\n! id !! name\n|-\n| 1 || Ann\n|}\n',
    "asciidoc": "|===\n|id |name\n\n|1 |Ann\n|===\n",
    "markdown": "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "markdown below a title": "# Title\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n",
}

TABLES = {
    "a drawing in a cell": ('id,text\n1,"a\n+----+\n| x |\n+----+\n"\n2,b\n', ["id", "text"], 2),
    "a line below a title": ("Report\n------\nid,n\n1,2\n3,4\n", ["id", "n"], 2),
    "comments of dashes": ("-- ---- --\n-- by x\n-- ---- --\nid,n\n1,2\n3,4\n", ["id", "n"], 2),
    "comments drawn": ("# +----+\n# | x  |\n# +----+\nid,n\n1,2\n3,4\n", ["id", "n"], 2),
    "dashes for nothing": ("a|b\n--|--\n1|2\n3|4\n", ["a", "b"], 3),
    "plus and minus": ("a,b\n+-,x\n-+,y\n", ["a", "b"], 2),
}


@pytest.mark.parametrize("text", PRINTED.values(), ids=PRINTED)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_printed_table_is_a_text_with_a_note(text: str, line_end: str) -> None:
    document = describe(text.replace("\n", line_end).encode(), "t.csv")
    assert document["kind"] == "text"
    assert NOTE in document["notes"]


@pytest.mark.parametrize("text", [MYSQL, PSQL])
def test_under_the_name_of_a_text_nothing_needs_to_be_said(text: str) -> None:
    document = describe(text.encode(), "t.txt")
    assert (document["kind"], document["notes"]) == ("text", [])


@pytest.mark.parametrize(("text", "columns", "rows"), TABLES.values(), ids=TABLES)
def test_what_only_looks_drawn_is_a_table(text: str, columns: list[str], rows: int) -> None:
    table = describe(text.encode(), "t.csv")["csv"]
    assert (table["columns"], table["rows"]) == (columns, rows)
