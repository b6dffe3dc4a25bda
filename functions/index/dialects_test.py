"""What stands before a table, its delimiter, its header: one table for each kind."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .dialects import sniff
from .samples import describe


class Table(NamedTuple):
    text: str
    columns: str  # with a slash between them; "-" for none
    rows: int
    skipped: int = 0


# Kind: the first lines are no rows


NO_ROWS = {
    "sep": Table("sep=;\r\nid;name;price\r\n1;a;1,50\r\n2;b;2,50\r\n3;c;3,50\r\n", "id/name/price", 3, 1),
    "sep of a tab": Table("sep=\t\nid\tname\n1\ta\n", "id/name", 1, 1),
    "sep of a bar": Table("SEP=|\nid|name\n1|a\n", "id/name", 1, 1),
    "sep of a caret": Table("sep=^\nid^name\n1^a\n", "id/name", 1, 1),
    "sep in quotes": Table('"sep=;"\nid;name\n1;a\n', "id/name", 1, 1),
    "sep, and a title": Table("sep=;\nReport\nid;name\n1;a\n2;b\n", "id/name", 2, 2),
    "sep, and titles filled up": Table("sep=;\nReport;;\n;;\nid;name;n\n1;a;2\n2;b;3\n", "id/name/n", 2, 3),
    "sep filled up": Table("sep=;;;\nid;name;price\n1;a;2\n", "id/name/price", 1, 1),
    "sep, and another delimiter is more frequent": Table("sep=;\na,b;c,d\n1,2;3,4\n", "a,b/c,d", 1, 1),
    "a title": Table("Account statement\nid,name\n1,a\n2,b\n", "id/name", 2, 1),
    "titles and an empty line": Table(
        "Account statement\nPeriod 2026\n\nDate;Text;Amount\n2026-01-01;x;1\n2026-01-02;y;2\n", "Date/Text/Amount", 2, 3
    ),
    "a title over texts": Table("List of people\nname,city\nAnn,Rome\nBob,Oslo\n", "name/city", 2, 1),
    "a title over one row": Table("Period 2026\nDate,Amount\n2026-01-01,5\n", "Date/Amount", 1, 1),
    "a title with a delimiter": Table("Report, 2026\nid,name,price\n1,a,2\n2,b,3\n", "id/name/price", 2, 1),
    "a title as wide as the table": Table("Report, 2026\nname,age\nAnn,3\nBob,4\n", "name/age", 2, 1),
    "a title and its value": Table("Account;12345\nDate;Text;In;Out\n2026-01-01;x;1;2\n", "Date/Text/In/Out", 1, 1),
    "settings as wide as the table": Table(
        "Station:,Rome\nHeight:,20\ndate,temp\n2026-01-01,5\n2026-01-02,6\n", "date/temp", 2, 2
    ),
    "settings and an empty row": Table(
        "Station,Rome,\nHeight,20,\n,,\ndate,temp,hum\n" + "2026-01-01,5,6\n" * 4, "date/temp/hum", 4, 3
    ),
    "settings nearly as wide as a table of years": Table(
        '"Source","Bank",\n\n"Updated","2026-01-01",\n\n"Land","Code","1960","1961",\n'
        '"A","B","5","7",\n"C","D","6","9",\n"E","F","8","6",\n',
        "Land/Code/1960/1961/",
        3,
        4,
    ),
    "a title filled up by a spreadsheet": Table(
        "Statement;;\n;;\nDate;Text;Amount\n2026-01-01;x;1\n2026-01-02;y;2\n", "Date/Text/Amount", 2, 2
    ),
    "a title filled up over years": Table(
        "Sales;;;\nCountry;2019;2020;2021\nFR;1;2;3\nES;9;4;1\n", "Country/2019/2020/2021", 2, 1
    ),
    "a title in quotes over two lines": Table('"Account\nstatement"\nid,name\n1,a\n2,b\n', "id/name", 2, 2),
    "a comment": Table("# made by x\nid,name\n1,a\n2,b\n", "id/name", 2, 1),
    "a comment with as many delimiters": Table("# made by x, y\nid,name\n1,a\n2,b\n", "id/name", 2, 1),
    "comments of several lines": Table("# made by x\n#\n# on a day, and more\nid,name,n\n1,a,2\n", "id/name/n", 1, 3),
    "slashes": Table("// made by x, y, z\nid,name\n1,a\n2,b\n", "id/name", 2, 1),
    "dashes": Table("-- made by x\nid,name\n1,a\n2,b\n", "id/name", 2, 1),
    "comments without a space, over a header": Table("#source,Berlin\n#made,today\nid,n\n1,2\n3,5\n", "id/n", 2, 2),
    "comments of two kinds of cells, over rows": Table("##a,b\n##c,d\nid,n\n1,2\n3,5\n", "id/n", 2, 2),
    "a comment over one column": Table("# words\nid\n1\n2\n", "id", 2, 1),
    "the comment is the header": Table("#chrom\tstart\nchr1\t5\nchr2\t7\n", "#chrom/start", 2, 0),
    "the last comment is the header": Table("##VCF\n##x\n#CHROM\tPOS\nchr1\t5\n", "#CHROM/POS", 1, 2),
    "a hundred comments": Table("# a, b, c\n" * 100 + "id,name\n1,a\n", "id/name", 1, 100),
    "an empty line": Table("\n\nid,name\n1,a\n2,b\n", "id/name", 2, 0),
    "a header with a name too few": Table("name,age\n1,Ann,3\n2,Bob,4\n", "name/age", 2, 0),
    "a header with a name too many": Table("a,b,c,d\n1,2,3\n4,5,6\n", "a/b/c/d", 2, 0),
    "a comma too many in each row": Table("a,b,c\n1,2,3,\n4,5,6,\n", "a/b/c", 2, 0),
    "a header of one name": Table("Name,,,\nAnn,1,2,3\nBob,4,5,6\n", "Name///", 2, 0),
}


# Kind: the header is not seen, or seen where there is none

HEADERS = {
    "years": Table("Country,Code,2019,2020\nFrance,FRA,1,2\nSpain,ESP,3,4\n", "Country/Code/2019/2020", 2),
    "one year": Table("Country,2020\nFrance,12\nSpain,13\n", "Country/2020", 2),
    "years here and there": Table("Country,1990,1995,2003\nFR,1,2,3\nES,4,4,4\n", "Country/1990/1995/2003", 2),
    "years going down": Table("x,2020,2019,2018\nFR,1,2,3\n", "x/2020/2019/2018", 1),
    "years over words": Table("Country,2019,2020\nFrance,yes,no\nSpain,no,no\n", "Country/2019/2020", 2),
    "days over words": Table("who,2024-01-01\nAnn,here\nBob,away\n", "who/2024-01-01", 2),
    "numbers beside a usual heading": Table("id,2,3\nx,1,5\ny,2,6\n", "id/2/3", 2),
    "every tenth year": Table("x,1990,2000,2010\na,5,2,9\n", "x/1990/2000/2010", 1),
    "years without a label": Table(",2019,2020\nFrance,1,2\n", "/2019/2020", 1),
    "years alone": Table("2019,2020,2021\n5,6,7\n8,9,10\n", "2019/2020/2021", 2),
    "years and nothing below": Table("Country,2019,2020\n", "Country/2019/2020", 0),
    "days": Table("item,2024-01-01,2024-02-01\na,1,2\nb,3,4\n", "item/2024-01-01/2024-02-01", 2),
    "American days": Table("Province,1/22/20,1/23/20\nHubei,1,2\nX,3,4\n", "Province/1/22/20/1/23/20", 2),
    "months": Table("item,2024-01,2024-02\na,1,2\nb,3,4\n", "item/2024-01/2024-02", 2),
    "seasons": Table("team,2019-2020,2020-2021\na,1,2\nb,3,4\n", "team/2019-2020/2020-2021", 2),
    "quarters": Table("item,Q1 2020,Q2 2020\na,1,2\n", "item/Q1 2020/Q2 2020", 1),
    "hours": Table("x,08:00,09:00\na,1,2\nb,4,3\n", "x/08:00/09:00", 2),
    "percentiles": Table("Region,50%,90%,99%\nEU,1,2,3\nUS,4,6,5\n", "Region/50%/90%/99%", 2),
    "percentiles over shares": Table("Region,50%,90%\nEU,12%,30%\nUS,9%,8%\n", "Region/50%/90%", 2),
    "percentiles with a letter": Table("Region,p50,p90\nEU,1,2\n", "Region/p50/p90", 1),
    "quantiles": Table("metric,0.5,0.9,0.99\nlatency,12,30,80\nx,1,1,1\n", "metric/0.5/0.9/0.99", 2),
    "steps": Table("depth,10,20,30\na,5,17,2\nb,4,4,9\n", "depth/10/20/30", 2),
    "wavelengths": Table("sample,400,401.5,407,410,420\na,5,7,2,4,1\nb,4,4,9,1,2\n", "sample/400/401.5/407/410/420", 2),
    "numbers of a data frame": Table("0,1,2\n0.5,0.1,0.7\n0.3,0.9,0.2\n", "0/1/2", 2),
    "an index of a data frame": Table(",price\n0,2\n1,3\n", "/price", 2),
    "another table below, as long": Table("id,name\n1,a\n2,b\n\nx,y,z\n1,2,3\n4,5,6\n", "id/name", 5),
    "another table below, narrower": Table("id,name,n\n1,a,2\n2,b,3\n\nx,y\n1,2\n4,5\n", "id/name/n", 5),
    "a name twice": Table("id,name,id\n1,a,1\n2,b,2\n", "id/name/id", 2),
    "all names twice": Table("id,name,id,name\n1,a,2,b\n3,c,4,d\n", "id/name/id/name", 2),
    "a name twice over texts": Table("name,city,name\nAnn,Rome,Bob\nCy,Oslo,Di\n", "name/city/name", 2),
    "no last name": Table("id,name,\n1,a,\n2,b,\n", "id/name/", 2),
    "no last name over texts": Table("name,city,\nAnn,Rome,x\nBob,Oslo,y\n", "name/city/", 2),
    "no name in the middle": Table("name,,city\nAnn,x,Rome\nBob,y,Oslo\n", "name//city", 2),
    "two names missing": Table("id,,\n1,a,2\n2,b,3\n", "id//", 2),
    "a number in a name": Table("id,address 1,address 2\n1,a,b\n", "id/address 1/address 2", 1),
    "texts over texts": Table("name,city\nAnn,Rome\nBob,Oslo\n", "name/city", 2),
    "texts over money": Table("item,price\na,$ 5\nb,1.234,50\n".replace("1.234,50", "$7.50"), "item/price", 2),
    "texts over dates": Table("id,when\nx1,2020-01-01T10:00:00Z\n", "id/when", 1),
    "texts over addresses": Table("who,mail\nAnn,ann@example.com\n", "who/mail", 1),
    "texts over numbers and gaps": Table("a,b\nx,\ny,n/a\nz,3\n", "a/b", 3),
    "signs of a stock exchange": Table("<TICKER>,<DATE>\nA,20200101\nB,20200102\n", "<TICKER>/<DATE>", 2),
    "brackets of a database": Table("[id],[name]\n1,a\n2,b\n", "[id]/[name]", 2),
    "units below the names": Table("time,speed\ns,m/s\n0,1\n1,2\n", "time/speed", 3),
    "the header twice": Table("id,name\nid,name\n1,a\n2,b\n", "id/name", 3),
    "one column": Table("name\nAnn\nBob\n", "name", 2),
    "values": Table("1,2\n3,4\n", "-", 2),
    "values in steps": Table("1,2,3\n4,5,6\n7,8,9\n", "-", 3),
    "people without names of columns": Table("Ann,35\nBob,40\n", "-", 2),
    "things without names of columns": Table("widget,9.99,5\ngadget,19.99,7\n", "-", 2),
    "days without names of columns": Table("2020-01-01,1\n2020-01-02,2\n", "-", 2),
    "years of birth": Table("Ann,1980\nBob,1975\n", "-", 2),
    "addresses": Table("ann@example.com,Ann\nbob@example.com,Bob\n", "-", 2),
    "answers": Table("yes,no\nno,yes\nyes,yes\n", "-", 3),
    "the same twice in each row": Table("a,a\nb,b\n", "-", 2),
    "a gap in the first row": Table("Ann,n/a,3\nBob,40,4\n", "-", 2),
    "nothing in the first row": Table(",,\n1,2,3\n", "-", 2),
}


def told(text: str, name: str = "t.csv") -> tuple[str, int, int]:
    """Columns with a slash between them, rows, and lines that were skipped."""
    found = describe(text.encode(), name)["csv"]
    columns = "/".join(found["columns"]) if found["header"] else "-"
    return columns, found["rows"], found.get("skipped_lines", 0)


@pytest.mark.parametrize("table", NO_ROWS.values(), ids=NO_ROWS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no mark", "mark"])
def test_what_stands_before_a_table_is_in_no_row(table: Table, line_end: str, mark: str) -> None:
    text = mark + table.text.replace("\r\n", "\n").replace("\n", line_end)
    assert told(text) == (table.columns, table.rows, table.skipped)


@pytest.mark.parametrize("table", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
def test_a_header_is_seen_by_the_rows_below_it(table: Table, delimiter: str) -> None:
    text = table.text.replace(",", delimiter)
    assert told(text) == (table.columns, table.rows, 0)


@pytest.mark.parametrize("table", [table for table in NO_ROWS.values() if table.skipped])
def test_what_was_left_out_is_told(table: Table) -> None:
    document = describe(table.text.encode(), "t.csv")
    is_declared = "sep=" in table.text.lower()
    assert is_declared or any("taken for a title or a comment" in note for note in document["notes"])


@pytest.mark.parametrize("table", NO_ROWS.values(), ids=NO_ROWS)
def test_rows_far_below_do_not_change_what_the_beginning_says(table: Table) -> None:
    last = table.text.splitlines(keepends=True)[-1]
    text = table.text + last * 60_000
    assert told(text) == (table.columns, table.rows + 60_000, table.skipped)


def test_a_header_that_the_rows_prove_is_no_guess() -> None:
    assert describe(b"id,price\na,1\nb,2\n", "t.csv")["notes"] == []
    assert describe(b"1,2\n3,5\n", "t.csv")["notes"] == []


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("name,city\nAnn,Rome\n", "The first row is taken for a header: the rows below do not say for sure."),
        (
            "yes,no\nno,yes\nyes,yes\n",
            "The first row is taken for values, not for a header: the rows below do not say for sure.",
        ),
        ("name\nAnn\nBob\n", "No delimiter is seen: all is taken for one column."),
        ("a,b\n1,2\n3\n4,5\n", "The delimiter is taken for ',': some rows do not have it, or another one fits too."),
        ("Title\nid,n\n1,2\n", "The first line is taken for a title or a comment, not for a row."),
    ],
)
def test_each_guess_is_a_note(text: str, note: str) -> None:
    assert note in describe(text.encode(), "t.csv")["notes"]


@pytest.mark.parametrize(
    ("text", "delimiter", "rows"),
    [
        ("1,5;2,5\n3,5;4,5\n", ";", [["1,5", "2,5"], ["3,5", "4,5"]]),
        ("1,50\t2,5\t7\n2,75\t3,5\t8\n", "\t", [["1,50", "2,5", "7"], ["2,75", "3,5", "8"]]),
        ("1,5|2,5\n3,5|4,5\n", "|", [["1,5", "2,5"], ["3,5", "4,5"]]),
        ("a;b\n1.234,5;x\n2.345,6;y\n", ";", [["1.234,5", "x"], ["2.345,6", "y"]]),
        ("x;y,z\na;b,c\nd;e,f\n", ",", [["a;b", "c"], ["d;e", "f"]]),
        ("a^b\n1^2\n", "^", [["1", "2"]]),
        ("a~b\n1~2\n", "~", [["1", "2"]]),
        ("a\x01b\n1\x012\n", "\x01", [["1", "2"]]),
        ("a,b\n1^2,3\n", ",", [["1^2", "3"]]),
    ],
)
def test_a_comma_in_numbers_and_rare_delimiters_count_too(text: str, delimiter: str, rows: list[list[str]]) -> None:
    table = describe(text.encode(), "t.csv")["csv"]
    assert (table["delimiter"], table["first_rows"]) == (delimiter, rows)


@pytest.mark.parametrize(
    ("text", "columns", "rows", "skipped"),
    [
        ("#1,Ann\n#2,Bob\n3,Cyd\n", "#1/Ann", 2, 0),
        ("--verbose,Be verbose\n--quiet,Be quiet\nFILE,the input\n", "--verbose/Be verbose", 2, 0),
        ("#python,120\n#rust,95\ngo,80\nc,70\n", "-", 4, 0),
        ("%a;5\r\n%b;6\r\nx;7\r\ny;8\r\n", "-", 4, 0),
        ("//srv/a,5\n//srv/b,6\nC:/x,7\n", "-", 3, 0),
        ("--,5\n--,6\nx,7\n", "-", 3, 0),
        ("# made by x, y\n\n#a,5\n#b,6\nc,7\n", "-", 3, 2),
        ("#tag,count\n#a,5\n#b,6\nc,7\n", "#tag/count", 3, 0),
        ("# a, x\n# b, y\nid,n\n1,2\n", "id/n", 1, 2),
        ("# note 1, x\n# note 2, x\na,b\nc,d\n", "a/b", 1, 2),
    ],
)
def test_rows_that_begin_like_comments_are_rows(text: str, columns: str, rows: int, skipped: int) -> None:
    assert told(text) == (columns, rows, skipped)


ITEMS = 'order,items\n1,"apples;3\npears;2\nplums;9"\n2,"nuts;1\nfigs;4\ndates;7"\n'


@pytest.mark.parametrize(
    ("text", "delimiter", "columns", "rows"),
    [
        ('id,text\n1,"a;b\nc;d\ne;f"\n', ",", "id/text", 1),
        (ITEMS, ",", "order/items", 2),
        ('id;text\n1;"Hi, Ann\nbye, Bob\nso, so"\n', ";", "id/text", 1),
        ('id,note\n1,"x|y\nz|w"\n2,"p|q\nr|s"\n', ",", "id/note", 2),
        ('id, note\n1, "x|y\nz|w"\n2, "p ""q""|q\nr|s"\n', ",", "id/note", 2),
        ('"a, b"\t"c, d"\n"1, 2"\t"3, 4"\n', "\t", "a, b/c, d", 1),
        ('"a, b, c";"d"\n"1, 2, 3";"4"\n"5, 6, 7";"8"\n', ";", "a, b, c/d", 2),
        # A pair of quotes inside a field does not count. The semicolons stay.
        ('key;value\na;x, "y"\nb;w, "q"\n', ";", "key/value", 2),
        ('size;what\n5";a, b\n6";c\n', ";", "size/what", 2),
    ],
)
def test_a_delimiter_that_tears_quotes_apart_loses(text: str, delimiter: str, columns: str, rows: int) -> None:
    assert told(text) == (columns, rows, 0)
    assert describe(text.encode(), "t.csv")["csv"]["delimiter"] == delimiter


def test_quotes_that_are_cut_with_the_beginning_tear_nothing() -> None:
    text = ITEMS + '3,"' + "apples;3\n" * 20_000 + '"\n'
    assert told(text) == ("order/items", 3, 0)


@pytest.mark.parametrize(
    ("text", "name", "delimiter"),
    [
        ("id\tname, first\n1\tSmith, John\n2\tDoe, Jane\n", "t.tsv", "\t"),
        ("id\tname, first\n1\tSmith, John\n2\tDoe, Jane\n", "T.TAB", "\t"),
        ("id\tname, first\n1\tSmith, John\n2\tDoe, Jane\n", "t.csv", "\t"),
        ("name, first\tcity, state\nSmith, John\tAustin, TX\nDoe, Jane\tReno, NV\n", "t.tsv", "\t"),
        ("id\tplace\n1\tA,B\n2\tC,D\n", "t.tsv", "\t"),
        ("a,x\ty\n1,x\tz\n", "t.csv", ","),
        ('a,"x\ty"\n1,"x\tz"\n', "t.tsv", ","),
        ("a,b,x\ty\n1,2,x\tz\n3,4\tz,5\n", "t.csv", ","),
    ],
)
def test_tabs_count_before_commas_in_words(text: str, name: str, delimiter: str) -> None:
    assert describe(text.encode(), name)["csv"]["delimiter"] == delimiter


def test_rare_delimiters_take_a_telling_name() -> None:
    assert describe(b"a^b\n1^2\n3^4\n", "t.txt")["kind"] == "text"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("Title, long\na;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb\nx, y\tz\nx\tz, a\n", "\t"),
        ('"id";"na;me"\n1;"x"\n2;"y,z"\n', ";"),
        ("id|text\n1|one, two\n2|three, four\n3|five\n", "|"),
        ("when;what\n2026-01-01 10:00;a, b\n2026-01-01 11:00;c\n", ";"),
    ],
)
def test_the_delimiter_is_the_one_of_most_rows(text: str, delimiter: str) -> None:
    assert describe(text.encode(), "t.csv")["csv"]["delimiter"] == delimiter


@pytest.mark.parametrize(
    "text", ["Dear Ann,\nhow are you?\nYours,\nBob\n", "# a\n# b\nx=1\ny=2\n", "Title\na,b\n1,2\n"]
)
def test_a_text_without_a_telling_name_stays_a_text(text: str) -> None:
    assert describe(text.encode(), "letter")["kind"] == "text"


def test_sep_alone_makes_a_table_without_a_telling_name() -> None:
    assert told("sep=;\nid;name\n1;a\n", "export") == ("id/name", 1, 1)


@given(text=st.text(alphabet='ab1#=;,\t|"\n ', max_size=80), is_whole=st.booleans())
def test_no_text_makes_it_fail(text: str, *, is_whole: bool) -> None:
    found = sniff(text, "t.csv", is_whole=is_whole)
    if found is not None:
        assert found.rows
        assert found.skipped_lines <= text.count("\n") + 1


@given(
    header=st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=2, max_size=6),
    count=st.integers(1, 30),
)
@settings(deadline=None)
def test_names_over_numbers_are_a_header_always(header: list[str], count: int) -> None:
    rows = "".join(",".join(str(n * m % 17) for m in range(len(header))) + "\n" for n in range(count))
    assert told(",".join(header) + "\n" + rows) == ("/".join(header), count, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Summary,Labels,Labels\nFix it,x,\nDo it,,\n", ("Summary/Labels/Labels", 2, 0)),
        ("1,Ann,35\n2,Bob,40\n3,Cyd,45\n", ("-", 3, 0)),
        ("chr1\t1\t100\ta\nchr2\t5\t200\tb\nchr3\t5\t200\tb\n", ("-", 3, 0)),
        ("NaN,Inf\n1,2\n-Inf,NaN\n", ("-", 3, 0)),
        (",0\n0,1.5\n1,2.5\n", ("/0", 2, 0)),
        ("geo\t2019\t2020\nAT\t1.5 b\t: \nDE\t2.5\t3.5 p\n", ("geo/2019/2020", 2, 0)),
        ("#a\n#b\n17.1\tC1\t10.0.0.1\n17.2\tC2\t10.0.0.2\n#close\t2026-01-02\n", ("-", 3, 2)),
        ("id,name\n1,Ann\n\ufeffid,name\n2,Bob\n", ("id/name", 3, 0)),
        ('id,name\n1,Ann\n\ufeff"id","name"\n2,Bob\n', ("id/name", 3, 0)),
        ("model,p50,p99\na,1,2\nb,3,4\n", ("model/p50/p99", 2, 0)),
        ("model,50,99\na,1,2\nb,3,4\n", ("model/50/99", 2, 0)),
    ],
)
def test_where_the_table_begins_and_whether_it_has_names(text: str, expected: tuple[str, int, int]) -> None:
    assert told(text, "t.csv" if "," in text else "t.tsv") == expected
