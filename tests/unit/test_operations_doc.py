"""docs/operations.md names tests, metrics, alerts and commands that exist."""

import re

import pytest
from penstock.commands.words import COMMANDS

from tests.manifests import documents_in
from tests.paths import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", TEXT))))
def test_test_exists(name: str) -> None:
    assert name in TESTS


def test_every_line_of_a_table_says_what_shows_it() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("|") and not line.startswith("|---")]
    bare = [line for line in lines if not re.search(r"`test_\w+` \|$|shown by \|$", line)]
    assert bare == []
    assert len(lines) > 40


def test_metrics_are_measured_somewhere() -> None:
    named = set(re.findall(r"\bpenstock_[a-z_]+", TEXT))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "shared" / "penstock").rglob("*.py"))
    assert {name for name in named if f'"{name.removesuffix("_total")}"' not in code} == set()
    assert len(named) >= 10


def test_alerts_are_defined() -> None:
    [rule] = documents_in(ROOT / "deploy" / "observability" / "alerts.yaml")
    defined = {each["alert"] for group in rule["spec"]["groups"] for each in group["rules"]}
    assert set(re.findall(r"\bPenstock[A-Z]\w+", TEXT)) <= defined


def test_commands_are_commands() -> None:
    known = {command.words.split()[0] for command in COMMANDS}
    assert set(re.findall(r"\bpenstock ([a-z]+) ", TEXT)) <= known


def test_links_lead_to_headings() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
