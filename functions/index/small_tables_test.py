"""A table whose rows were all sniffed is not counted once more; both ways say the same."""

from hypothesis import example, given
from hypothesis import strategies as st

from .charsets import text_encoding
from .csvs import are_all_rows, describe_csv
from .dialects import sniff
from .notes import Notes
from .texts import decode_beginning

PIECES = [
    "a",
    "b c",
    "1",
    "2.5",
    "",
    " ",
    ",",
    ",",
    ";",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "é",
    "東",
    "\t",
    "# x",
    "sep=;\n",
    "\\",
    '"',
    '"',
    '""',
    ',"',
    '",',
]


@given(text=st.lists(st.sampled_from(PIECES), max_size=120).map("".join), codec=st.sampled_from(["utf-8", "utf-16"]))
@example(text="a,b\n" * 49, codec="utf-8")
@example(text="a,b\n" * 50, codec="utf-8")
@example(text="Title\n\n" + "a,b\n" * 60, codec="utf-8")
@example(text="a,b\n1,2\n3\n4,5,6", codec="utf-8")
@example(text="sep=;\na;b\n1;2\n", codec="utf-8")
@example(text="\t\n\n", codec="utf-8")
def test_rows_that_were_sniffed_are_counted_as_those_of_a_long_table(text: str, codec: str) -> None:
    head = text.encode(codec)
    encoding = text_encoding(head, is_hinted=True)
    if encoding is None:
        return
    dialect = sniff(decode_beginning(head, encoding, len(head)), "t.csv", is_whole=True)
    if dialect is None or not are_all_rows(head, dialect):
        return
    seen, counted = Notes(), Notes()
    assert describe_csv((head,), encoding, dialect, 5, seen, is_all=True) == describe_csv(
        (head,), encoding, dialect, 5, counted
    )
    assert seen == counted


def test_more_rows_than_are_sniffed_are_counted() -> None:
    for rows in range(40, 60):
        for title in ("", "# a\n", "# a\n# b\n# c\n"):
            head = title.encode() + b"a,b\n" * rows
            dialect = sniff(head.decode(), "t.csv", is_whole=True)
            assert dialect is not None
            assert not are_all_rows(head, dialect) or len(dialect.rows) == rows
