"""Each sentence of the functions' READMEs about kinds, colour and damage names the tests that hold it.

`readme_claims/FUNCTION.txt` has two lines for each sentence and each row of a table, in the README's order: how it
begins, and the tests, or `none:` with the reason. Who changes a sentence sees here which tests to look at.
"""

import re
from pathlib import Path

import pytest

from tests.paths import ROOT

CLAIMS = Path(__file__).with_name("readme_claims")
SECTIONS = {
    "resize": ("Where pixels lie", "What colours mean", "Which page", "What is refused", "PDF and HEIC"),
    "index": ("The document", "CSV", "Encodings", "Images"),
    "compress": ("What is in the file", "What is left alone"),
}
REASONS = (
    "heading of",
    "a reason",
    "a link",
    "a measurement, made once",
    "measured by hand",
    "what another program",
    "licences",
)


def sentences(function: str) -> list[str]:
    """Sentences and rows of tables; code blocks and what is below a heading of its own are left out."""
    found, text, section = list[str](), list[str](), ""

    def end() -> None:
        found.extend(re.split(r"(?<=[.:;]) (?=[A-Z`*\[])", " ".join(text)) if text else [])
        text.clear()

    for line in (ROOT / "functions" / function / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            end()
            section = line.lstrip("# ")
        elif section not in SECTIONS[function]:
            continue
        elif line.startswith("|"):
            end()
            found += [line] if line.strip("|- ") else []
        else:
            if not line or line.startswith("- "):
                end()
            text += [line.strip()] if line else []
    end()
    return found


def claims(function: str) -> list[tuple[str, str]]:
    lines = (CLAIMS / f"{function}.txt").read_text(encoding="utf-8").splitlines()
    return list(zip(lines[::2], (held.strip() for held in lines[1::2]), strict=True))


def names_of_tests() -> set[str]:
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "functions").rglob("*_test.py")]
    return {name for file in files for name in re.findall(r"def test_(\w+)", file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("function", SECTIONS)
def test_each_sentence_stands_in_the_list(function: str) -> None:
    found, listed = sentences(function), claims(function)
    differing = [
        (sentence, begins)
        for sentence, (begins, _) in zip(found, listed, strict=False)
        if not sentence.startswith(begins)
    ]
    assert differing[:1] == []
    assert len(found) == len(listed)


@pytest.mark.parametrize("function", SECTIONS)
def test_each_sentence_names_tests_that_are_there_or_says_why_it_has_none(function: str) -> None:
    there = names_of_tests()
    for begins, held in claims(function):
        if held.startswith("none: "):
            assert held.removeprefix("none: ").startswith(REASONS), begins
        else:
            assert {name for name in held.split(", ") if name not in there} == set(), begins
