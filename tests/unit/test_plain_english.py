"""Sentences name who acts: a reader with school English must not ask who "somebody" is."""

import re
import subprocess

from tests.paths import ROOT

ACTORS = re.compile(r"\b(whoever|nobody|somebody|whatever|anybody|someone|anyone)\b", re.IGNORECASE)
# Modules and concepts that once had a metaphor for a name.
METAPHORS = re.compile(r"\b(courier|ledger|pump|wanting)\b", re.IGNORECASE)
FOLDERS = ("shared", "functions", "templates", "examples", "deploy", "docs", "README.md", "CONTRIBUTING.md", "Makefile")


def lines() -> list[tuple[str, str]]:
    """Every line of code and pages that people read, with its file; ADRs are history."""
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True)
    texts = (".py", ".md", ".yaml", ".yml", ".html", "Makefile", "Dockerfile")
    names = [name for name in listed.stdout.splitlines() if name.endswith(texts) and not name.startswith("docs/adr/")]
    assert len(names) > 300  # the search finds what it looks for
    return [
        (name, line)
        for name in names
        if (ROOT / name).is_file()
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]


def test_sentences_say_who_acts() -> None:
    assert [f"{name}: {line.strip()}" for name, line in lines() if ACTORS.search(line)] == []


def test_names_are_not_metaphors() -> None:
    found = [f"{name}: {line.strip()}" for name, line in lines() if METAPHORS.search(line)]
    assert found == []
