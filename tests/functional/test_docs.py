"""Every page in the tree: the files that it names in backquotes and the links that it has lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.paths import ROOT

FOLDERS = ("bench", "deploy", "docs", "examples", "functions", "shared", "templates", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
MADE_BY_A_COMMAND = {"functions/shout/handler.py", "bench/results.json"}
_PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./*-]+)`")
_LINK = re.compile(r"\]\((?!https?:|http:)([^)#\s]+)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_pages_are_found() -> None:
    assert {"README.md", "docs/operations.md", "functions/compress/README.md"} <= set(map(name_of, PAGES))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = set(_PATH.findall(page.read_text(encoding="utf-8"))) - MADE_BY_A_COMMAND
    missing = [path for path in named if "NAME" not in path and not list(ROOT.glob(path.rstrip("/")))]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]
