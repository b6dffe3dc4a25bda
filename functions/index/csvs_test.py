"""CSV as it is described: columns, rows, encodings, damage."""

import gzip
from collections.abc import Callable

import pytest
import zstandard

from .samples import COLUMNS, DONORS, describe


@pytest.mark.parametrize("name", ["donors.csv", "donors.csv.gz", "donors.csv.zst"])
def test_csv_is_described(name: str) -> None:
    packs: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstandard.compress}
    pack = packs.get(name.rsplit(".", 1)[1], bytes)
    assert describe(pack(DONORS), name, sample_rows=1)["csv"] == {
        "encoding": "ascii",
        "delimiter": ",",
        "header": True,
        "columns": COLUMNS,
        "rows": 1000,
        "first_rows": [["donor0@example.com", "Donor 0", "A+", "1970-01-01", "Ohio"]],
    }


@pytest.mark.parametrize(
    ("text", "delimiter", "columns", "rows"),
    [
        ("a;b\n1;2\n3;4\n", ";", ["a", "b"], 2),
        ("a\tb\n1\t2\n3\t4\n", "\t", ["a", "b"], 2),
        ("a|b\n1|2\n3|4\n", "|", ["a", "b"], 2),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";", ["a", "b"], 2),
        ("a, b ,  c\n1,2,3", ",", ["a", "b", "c"], 1),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", ",", ["a", "b"], 2),
        ("a,b\r1,2\r3,4\r", ",", ["a", "b"], 2),
        ('"a, b", "c"\n"1\n2",3\n', ",", ["a, b", "c"], 1),
        ("1,2\n3,4\n", ",", ["column 1", "column 2"], 2),
        ("a,a\nb,b\n", ",", ["column 1", "column 2"], 2),
        (",price\n0,2\n1,3\n", ",", ["", "price"], 2),
        ("name\nAnn\nBob\n", ",", ["name"], 2),
        ("email, name\n", ",", ["email", "name"], 0),
    ],
)
def test_csv_dialects(text: str, delimiter: str, columns: list[str], rows: int) -> None:
    document = describe(text.encode(), "t.csv")
    assert document["warnings"] == []
    found = document["csv"]
    assert (found["delimiter"], found["columns"], found["rows"]) == (delimiter, columns, rows)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "windows-1252"]
)
def test_csv_in_every_encoding(encoding: str) -> None:
    text = "name,city\n" + "Jürgen,Köln\n" * 3000
    document = describe(text.encode(encoding), "t.csv", chunk_bytes=777, sample_rows=1)
    document["csv"].pop("encoding_confidence", None)
    assert document["csv"] == {
        "encoding": encoding,
        "delimiter": ",",
        "header": True,
        "columns": ["name", "city"],
        "rows": 3000,
        "first_rows": [["Jürgen", "Köln"]],
    }


def test_ragged_rows_are_counted_and_the_first_is_named() -> None:
    document = describe(b"a,b\n" + b"1,2\n" * 50_000 + b"1,2,3\n4\n" + b"1,2\n" * 50_000, "t.csv")
    assert document["csv"]["rows"] == 100_002
    assert document["warnings"] == ["2 rows have more or fewer than 2 fields, the first is row 50002"]


@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_stray_quote_does_not_hide_the_rows_after_it(size: int) -> None:
    rows = size // 4
    document = describe(b'a,b\n1,"2\n' + b"1,2\n" * rows, "t.csv")
    assert document["csv"]["rows"] == rows + 1
    assert document["csv"]["first_rows"] == [["1", '"2'], *[["1", "2"]] * 4]
    assert document["warnings"] == ["a quote in row 2 is never closed: it is taken for an ordinary character"]


def test_quote_inside_a_field_is_an_ordinary_character() -> None:
    document = describe(b'size,b\n5" disk,2\n' * 100, "t.csv")
    assert document["csv"]["rows"] == 199
    assert document["warnings"] == []


def test_nul_in_a_csv_is_noted() -> None:
    document = describe(b"a,b\n1,\0\n", "t.csv")
    assert document["csv"]["rows"] == 1
    assert document["csv"]["first_rows"] == [["1", "\0"]]
    assert document["warnings"] == ["has NUL characters"]


def test_one_line_of_ten_megabytes_is_one_row() -> None:
    line = b"a,b\n" + b'"x",' * 2_500_000
    document = describe(line, "t.csv")
    assert document["csv"]["rows"] == 1
    assert document["warnings"] == [
        "row 2 has more or fewer than 2 fields",
        "first_rows has 0 rows: the next one is longer than what is looked at",
    ]
    text = describe(b"x" * 10_000_000, "t.txt")
    assert text["text"] == {"encoding": "ascii", "lines": 1, "beginning": "x" * 2000}


def test_long_cells_and_many_columns_are_cut() -> None:
    document = describe(("a" * 5000 + "".join(f",c{n}" for n in range(2000)) + "\n").encode(), "t.csv")
    assert len(document["csv"]["columns"]) == 1000
    assert len(document["csv"]["columns"][0]) == 200
    assert document["warnings"] == ["2001 columns: the first 1000 are named here"]
