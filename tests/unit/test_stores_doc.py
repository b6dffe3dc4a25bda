"""docs/stores.md: each cell of the matrix has its row with a test, and that test runs on the cell's own store."""

import re
from pathlib import Path

import pytest

from tests.paths import DOCS, ROOT

PAGE = (DOCS / "stores.md").read_text(encoding="utf-8")
WORDS = {"yes", "no", "partly"}
TESTS = "\n".join(file.read_text(encoding="utf-8") for file in Path(ROOT, "tests").rglob("*.py"))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table_after(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, its head among them."""
    below = PAGE.split(f"{heading}\n", 1)[1]
    lines = re.search(r"(?m)(^\|.*\n)+", below)
    assert lines is not None
    head, _, *rows = lines[0].splitlines()
    return [cells(head), *map(cells, rows)]


# The real servers, and the contract that each of their classes inherits.
SERVERS = "\n".join(file.read_text(encoding="utf-8") for file in Path(ROOT, "tests", "integration").rglob("*.py"))
CONTRACT = Path(ROOT, "tests", "store_contract.py").read_text(encoding="utf-8")
# A fixture that names several stores, and the text in which it does.
SEVERAL = ("other", "every_store")


def problem_of(cell: str, store: str) -> str:
    """Why the test that a cell names does not show what this store does, "" when it does."""
    named = re.fullmatch(r"`(?:Test(\w+)\.)?(test_\w+)`", cell)
    if named is None:
        return "one test, as `test_name` or `TestStore.test_name`"
    owner, test = named.groups()
    if owner:
        if owner.lower() != store.lower():
            return f"a class of another store than {store}"
        body = re.search(rf"(?ms)^class Test{owner}\(.*?(?=^\S)", SERVERS)
        found = body is not None and f"def {test}(" in body[0] + CONTRACT
        return "" if found else "no such test in this class or in the contract"
    # The parametrize before it, and its parameters: they name the store, or a fixture that does.
    found_at = re.search(
        rf"(?ms)((?:^@[^\n]*\n(?:^[ )][^\n]*\n)*)*)^def {test}\((.*?)\) -> None:\n(.*?)(?=^\S|\Z)", SERVERS
    )
    if found_at is None:
        return "no test in tests/integration"
    asked = found_at[1] + found_at[2]
    text = asked + "".join(fixture(each) for each in SEVERAL if re.search(rf"\b{each}: ", asked)) + found_at[3]
    return "" if re.search(rf"(?i){store}", text) else f"it does not run on {store}"


def fixture(name: str) -> str:
    """The decorator of this fixture, which names its stores."""
    found = re.search(rf"(@pytest\.fixture\(params=[^\n]*)\ndef {name}\(", SERVERS)
    assert found is not None, name
    return found[1]


HEAD, *ROWS = table_after("## Stores that the tests run")


@pytest.mark.parametrize(("place", "store"), list(enumerate(HEAD))[1:], ids=HEAD[1:])
def test_each_cell_of_the_matrix_has_its_row_with_a_test(place: int, store: str) -> None:
    _, *rows = table_after(f"### {store}")
    assert [(row[0], row[place]) for row in ROWS] == [(row[0], row[1]) for row in rows]
    assert {row[1] for row in rows} <= WORDS
    problems = [f"{row[0]}: {row[2]}: {problem}" for row in rows if (problem := problem_of(row[2], store))]
    assert problems == []


@pytest.mark.parametrize(
    ("cell", "store", "words"),
    [
        ("`TestMinio.test_missing_bucket_is_temporary_and_never_gone`", "MinIO", ""),
        ("`TestMinio.test_nothing`", "MinIO", "no such test"),
        ("`TestMinio.test_missing_object_is_gone`", "Versity", "another store"),
        ("`TestMinio`", "MinIO", "one test"),
        ("`test_listing_does_not_tell_metadata`", "Versity", ""),
        ("`test_listing_does_not_tell_metadata`", "MinIO", "does not run on MinIO"),
        ("`test_each_object_is_told_once`", "MinIO", "no test in tests/integration"),
    ],
)
def test_a_cell_whose_test_shows_something_else_is_found(cell: str, store: str, words: str) -> None:
    found = problem_of(cell, store)
    assert words in found if words else found == ""


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(?:Test\w+\.)?(test_\w+)`", PAGE))
    assert len(named) > 15
    assert {name for name in named if not re.search(rf"(?m)^ *(?:def|class) {name}\b", TESTS)} == set()
