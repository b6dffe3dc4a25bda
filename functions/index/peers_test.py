"""README.md's table beside DuckDB and pandas: what it says of this function is what this function says."""

import re
from pathlib import Path

import pytest

from .charsets_test import JAPANESE, RUSSIAN
from .samples import describe

README = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| (text|`.*?`?(?:, no name)?; \d+) \| .* \| .* \| .* \|$", README, re.MULTILINE)


def test_the_table_is_there() -> None:
    assert len(ROWS) > 15


@pytest.mark.parametrize(("file", "said"), ROWS)
def test_the_readme_says_what_the_function_says(file: str, said: str) -> None:
    document = describe(file.encode().decode("unicode_escape").encode(), "t.csv")
    if document["kind"] != "csv":
        assert document["kind"] == said
        return
    columns, _, rows = said.rpartition("; ")
    names = ["" if name == "no name" else name.strip("`") for name in columns.split(", ")]
    assert (document["csv"]["columns"], document["csv"]["rows"]) == (names, int(rows))


@pytest.mark.parametrize("codec", ["shift_jis", "utf-16-le"])
def test_what_is_an_error_for_both_is_read(codec: str) -> None:
    text = JAPANESE if codec == "shift_jis" else RUSSIAN
    document = describe(text.encode(codec), "t.csv")
    assert document["csv"]["columns"] == text.splitlines()[0].split(",")
    assert bool([note for note in document["notes"] if "encoding" in note]) == (codec == "shift_jis")


def test_the_confidences_are_those_of_the_readme() -> None:
    line = next(line for line in README.splitlines() if line.startswith("| given as `encoding_confidence`"))
    shares = [float(cell) for cell in line.strip("|").split("|")[1:]]
    found = []
    for count in (4, 8, 16, 40):
        text = "id,name\n1," + "ж" * count + "\n"
        found.append(describe(text.encode("cp1251"), "t.csv")["csv"]["encoding_confidence"])
    assert found == shares
