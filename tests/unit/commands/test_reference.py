"""docs/commands.md says what the parsers say."""

from __future__ import annotations

import re

from penstock.commands.reference import reference
from penstock.commands.words import COMMANDS

from tests.paths import DOCS


def test_the_page_is_what_the_parsers_say() -> None:
    made = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert made == reference(), "run: make docs-reference"


def test_every_command_and_argument_has_words() -> None:
    text = reference()
    assert [command.words for command in COMMANDS if f"### penstock {command.words}\n" not in text] == []
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) > 100
    assert [name for name, words in rows if not words.strip() or words.startswith("default")] == []
