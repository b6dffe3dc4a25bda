"""docs/stores.md: each cell of the matrix has its row with a test, and the tests exist."""

import re
from pathlib import Path

import pytest

from tests.paths import DOCS, ROOT

PAGE = (DOCS / "stores.md").read_text(encoding="utf-8")
WORDS = {"yes", "no", "partly"}
TESTS = "\n".join(file.read_text(encoding="utf-8") for file in Path(ROOT, "tests").rglob("test_*.py"))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table_after(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, its head among them."""
    below = PAGE.split(f"{heading}\n", 1)[1]
    lines = re.search(r"(?m)(^\|.*\n)+", below)
    assert lines is not None
    head, _, *rows = lines[0].splitlines()
    return [cells(head), *map(cells, rows)]


HEAD, *ROWS = table_after("## Stores that the tests run")


@pytest.mark.parametrize(("place", "store"), list(enumerate(HEAD))[1:], ids=HEAD[1:])
def test_each_cell_of_the_matrix_has_its_row_with_a_test(place: int, store: str) -> None:
    _, *rows = table_after(f"### {store}")
    assert [(row[0], row[place]) for row in ROWS] == [(row[0], row[1]) for row in rows]
    assert {row[1] for row in rows} <= WORDS
    assert all(re.fullmatch(r"`\w+`", row[2]) for row in rows)


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:test_|Test)\w+)`", PAGE))
    assert len(named) > 15
    assert {name for name in named if not re.search(rf"(?m)^ *(?:def|class) {name}\b", TESTS)} == set()
