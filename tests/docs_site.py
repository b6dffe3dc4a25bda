"""The hooks of mkdocs.yml: pages that stand outside docs/, an index of the decisions, and the list of external links.

A page has the same place in the site as in the repository; only `docs/` falls away. So the relative links that work in
the repository are rewritten for the site, and a link to a file that is not a page takes that file along.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = "adr/README.md"
EXTERNAL_LINKS = "build/external-links.txt"
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
_URL = re.compile(r"https?://[^\s)>\"'`\]]+")
_FENCED = re.compile(r"^ *```.*?^ *```", re.S | re.M)


def outside_pages(nav: Any) -> Iterator[str]:
    """The pages of the nav that are not in docs/, by their paths from the repository's root."""
    if isinstance(nav, str):
        if not (ROOT / "docs" / nav).is_file() and (ROOT / nav).is_file():
            yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from outside_pages(each)


def place_in_site(path: Path) -> str:
    """Where a file of the repository is in the site; the folder of the decisions leads to their index."""
    name = path.relative_to(ROOT).as_posix().removeprefix("docs/")
    return DECISIONS if name == "adr" else name


def place_in_repository(name: str) -> Path:
    """The file of the repository that a path of the site stands for."""
    inside = ROOT / "docs" / name
    return inside if inside.is_file() or name == DECISIONS else ROOT / name


def linked_files(name: str, markdown: str) -> Iterator[Path]:
    """What the relative links of a page lead to, as far as it exists."""
    folder = place_in_repository(name).parent
    for target in _LINK.findall(_FENCED.sub("", markdown)):
        found = (folder / target).resolve()
        if found.exists() and found.is_relative_to(ROOT):
            yield found


def links_for_site(name: str, markdown: str) -> str:
    """The page with its relative links as they are in the site; one that leads nowhere stays, and mkdocs names it."""
    folder = place_in_repository(name).parent

    def moved(link: re.Match[str]) -> str:
        found = (folder / link[1]).resolve()
        if not found.exists() or not found.is_relative_to(ROOT):
            return link[1]
        return os.path.relpath(place_in_site(found), start=Path(name).parent)

    return _LINK.sub(moved, markdown)


def title_of(page: Path) -> str:
    return page.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")


def decisions() -> list[Path]:
    return sorted((ROOT / "docs" / "adr").glob("0*.md"))


def decisions_page() -> str:
    """The index of the decisions."""
    listed = [f"- [{title_of(page)}]({page.name})" for page in decisions()]
    return "\n".join(["# Decisions", "", "Why it is built like this: a page for each decision.", "", *listed, ""])


def external_links(pages: Mapping[str, str]) -> list[str]:
    """Each URL outside this machine, with the pages that have it: `URL  PAGE PAGE`. They are listed and not fetched."""
    found: dict[str, list[str]] = {}
    for name, markdown in sorted(pages.items()):
        for url in sorted({url.rstrip(".,;") for url in _URL.findall(_FENCED.sub("", markdown))}):
            found.setdefault(url, []).append(name)
    return [f"{url}  {' '.join(names)}" for url, names in sorted(found.items())]


# What mkdocs calls.

_pages: dict[str, str] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    def with_decisions(nav: Any) -> Any:
        if isinstance(nav, list):
            return [with_decisions(each) for each in nav]
        if isinstance(nav, dict):
            return {title: with_decisions(below) for title, below in nav.items()}
        return [nav, *(f"adr/{page.name}" for page in decisions())] if nav == DECISIONS else nav

    config.nav = with_decisions(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    from mkdocs.structure.files import File  # installed by `make docs` alone

    files.append(File.generated(config, DECISIONS, content=decisions_page()))
    for name in outside_pages(config.nav):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for page in files.documentation_pages():
        for found in linked_files(page.src_uri, page.content_string):
            name = place_in_site(found)
            if found.is_file() and files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(found)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    _pages[page.file.src_uri] = markdown
    return links_for_site(page.file.src_uri, markdown)


def on_post_build(**_: Any) -> None:
    (ROOT / EXTERNAL_LINKS).write_text("\n".join(external_links(_pages)) + "\n", encoding="utf-8")
