"""docs/troubleshooting.md: each message on it is one that the code prints, with the values of an example."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.paths import DOCS, ROOT

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^```text\n(.*)\n```", PAGE, re.M)
MIN_LENGTH = 8
# The values of the examples that are words; those with digits, slashes and the like are seen by their form.
VALUES = frozenset(
    {
        "Address",
        "already",
        "in",
        "use",
        "--port",
        "SOURCE",
        "MINIO_ACCESS_KEY",
        "minio-access-key",
        "carries",
        "mark",
        "no",
    }
    | {"Failed", "to", "get", "metadata", "Local", "Broker", "transport", "failure", "SignatureDoesNotMatch"}
    | {"penstock", "listen", "ls", "lake", "paho", "mqtt", "compress", "resize", "shout", "takes", "notes.txt", "dict"}
    | {
        "RequestTimeTooSkewed",
        "levle",
        "format",
        "level",
        "setting",
        "threads",
        "other",
        "upload",
        "note",
        "MAX_INPUT_BYTE",
        "MAX_INPUT_BYTES",
    }
    # Texts between two values that are shorter than MIN_LENGTH.
    | {"needs", "from", "so", "of", "for", "s", "more", "port", "on"}
)


@cache
def texts() -> frozenset[str]:
    """What the code may print as it stands there: the pieces of texts between what is filled in."""
    found: set[str] = set()
    for path in (ROOT / "shared" / "penstock").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update([*re.split(r"%[-+.\d]*[sdfgr]", node.value), *re.split(r"\{\w+\}", node.value)])
    console = ROOT / "shared" / "penstock" / "local" / "console" / "files"
    for text in [path.read_text(encoding="utf-8") for path in (ROOT / "Makefile", *console.glob("*.js"))]:
        for quoted in re.findall(r"\"([^\"\n]+)\"|`([^`\n]+)`", text):
            found.update(re.split(r"\$\{[^}]*\}?", "".join(quoted)))
    return frozenset(text for text in found if len(text.strip()) >= MIN_LENGTH)


def words_of_no_text(message: str) -> list[str]:
    """The words of a message that stand in no text of the code and are no example's value."""
    covered = [False] * len(message)
    for text in texts():
        for found in re.finditer(re.escape(text), message) if text in message else ():
            covered[found.start() : found.end()] = [True] * len(text)
    return [
        word[0]
        for word in re.finditer(r"[^\s()\[\]';,]+", message)
        if not all(covered[word.start() : word.end()])
        and not re.search(r"[\d/]", word[0])
        and word[0].strip(":.'") not in VALUES
    ]


def test_page_has_messages_for_each_part() -> None:
    assert len(MESSAGES) >= 25
    assert len(MESSAGES) == PAGE.count("```text")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[:40])
def test_message_of_the_page_is_printed_by_the_code(message: str) -> None:
    assert words_of_no_text(message) == []


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[:40])
def test_message_with_another_word_in_it_is_noticed(message: str) -> None:
    words = message.split()
    assert "perhaps" in words_of_no_text(" ".join([*words[:-2], "perhaps", *words[-2:]]))
