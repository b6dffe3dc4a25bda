"""The blocks of the pages: fenced and indented ones, with what a comment before them says about running them.

`<!-- not run: REASON -->` stands before a block, or as `<!-- blocks not run: REASON -->` once for a whole page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

FOLDERS = ("deploy", "docs", "examples", "functions", "templates", "tests")
_FENCE = re.compile(r"^( *)```(\w*) *\n(.*?)^\1```", re.S | re.M)
_INDENTED = re.compile(r"(?:\A|\n\n)((?: {4}[^\n]*\n|\n(?= {4}))+)")
_MARKER = re.compile(r"<!-- not run: ([^>]+) -->\s*\Z")
_PAGE_MARKER = re.compile(r"^<!-- blocks not run: ([^>]+) -->$", re.M)
# How the first line of a block begins that a reader would type or save.
_COMMANDS = (
    "bash cat cd cosign curl docker export faas-cli git helm kind kubectl make mc mkdir mosquitto_passwd nats penstock"
    " pip python python3 sed syft uv"
)
_SHELL = re.compile(rf"(\$ |\. |# |\.venv/|([A-Z_]+=\S+ +)*({'|'.join(_COMMANDS.split())}) )")
_PYTHON = re.compile(r"(from \w|import \w|def |class |@|client\.|\w+ = )")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page: `kind` is `sh`, `python` or another word behind the fence; `reason` why it is not run."""

    page: str
    section: str
    kind: str
    text: str
    reason: str = ""

    @property
    def first_line(self) -> str:
        return self.text.lstrip("\n").partition("\n")[0]


def pages() -> list[Path]:
    """Every page that a reader may find; decisions are history."""
    found = [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
    return sorted(page for page in found if page.parent.name != "adr" and page.name != "CHANGELOG.md")


def kind_of(text: str) -> str:
    """`sh`, `python` or `text`, as the first line of a block that does not say it begins."""
    first = text.strip().partition("\n")[0]
    return "sh" if _SHELL.match(first) else "python" if _PYTHON.match(first) else "text"


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in its order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    whole = found[1].strip() if (found := _PAGE_MARKER.search(text)) else ""
    places: list[tuple[int, str, str]] = [
        (match.start(), match[2] or kind_of(match[3]), match[3]) for match in _FENCE.finditer(text)
    ]
    # What is fenced is blanked, so that its lines are not taken for indented ones.
    rest = _FENCE.sub(lambda match: re.sub(r"[^\n]", "~", match[0]), text)
    for match in _INDENTED.finditer(rest):
        lines = "\n".join(line[4:] for line in match[1].strip("\n").split("\n"))
        if not _belongs_to_a_list(rest, match.start(1)):
            places.append((match.start(1), kind_of(lines), lines + "\n"))
    for start, kind, body in sorted(places):
        marker = _MARKER.search(text[:start].rstrip() + "\n")
        headings = re.findall(r"^#+ (.*)$", rest[:start], re.M)
        yield Block(name, headings[-1] if headings else "", kind, body, marker[1].strip() if marker else whole)


def _belongs_to_a_list(text: str, start: int) -> bool:
    """Whether an indented paragraph goes on with the point of a list before it."""
    before = [line for line in text[:start].splitlines() if line.strip()]
    return bool(before) and bool(re.match(r"\s*([-*]|\d+\.) ", before[-1]))
