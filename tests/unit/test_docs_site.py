"""The hooks that make a site of the repository's pages."""

import re

import yaml

from tests import docs_site
from tests.paths import DOCS, ROOT

NAV = yaml.load(re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")), yaml.CSafeLoader)["nav"]


def names(nav: object) -> list[str]:
    """Every page of a nav."""
    if isinstance(nav, str):
        return [nav]
    below = nav.values() if isinstance(nav, dict) else nav
    assert not isinstance(below, str)
    return [name for each in below for name in names(each)]  # type: ignore[attr-defined]


def test_nav_has_each_page_that_a_reader_may_look_for_once() -> None:
    folders = ("docs", "examples", "functions")
    pages = {page for folder in folders for page in (ROOT / folder).rglob("*.md") if page.parent.name != "adr"}
    wanted = {docs_site.place_in_site(page) for page in pages} | {docs_site.DECISIONS, "README.md", "CHANGELOG.md"}
    found = names(NAV)
    assert wanted <= set(found)
    assert len(found) == len(set(found))


def test_pages_outside_of_docs_are_found_in_the_nav() -> None:
    found = set(docs_site.outside_pages(NAV))
    assert {"README.md", "SECURITY.md", "functions/resize/README.md", "examples/README.md"} <= found
    assert not [name for name in found if (DOCS / name).exists()]


def test_link_out_of_docs_becomes_a_link_within_the_site() -> None:
    written = "[a](../functions/resize/README.md#options) [b](settings.md) [c](../README.md) [d](https://x.example/y)"
    assert docs_site.links_for_site("lake.md", written) == (
        "[a](functions/resize/README.md#options) [b](settings.md) [c](README.md) [d](https://x.example/y)"
    )


def test_link_into_docs_becomes_a_link_within_the_site() -> None:
    assert docs_site.links_for_site("README.md", "![x](docs/flow.svg)") == "![x](flow.svg)"
    assert docs_site.links_for_site("README.md", "[x](docs/adr)") == "[x](adr/README.md)"
    resize = "functions/resize/README.md"
    assert docs_site.links_for_site(resize, "[x](../../docs/adr/0002-target-before-source.md)") == (
        "[x](../../adr/0002-target-before-source.md)"
    )


def test_link_that_leads_nowhere_stays_for_mkdocs_to_name() -> None:
    assert docs_site.links_for_site("lake.md", "[x](../nothing.md)") == "[x](../nothing.md)"


def test_file_that_a_page_links_to_comes_along() -> None:
    page = (DOCS / "tutorials" / "parquet.md").read_text(encoding="utf-8")
    assert ROOT / "examples/07-parquet/handler.py" in set(docs_site.linked_files("tutorials/parquet.md", page))


def test_index_of_the_decisions_names_each() -> None:
    page = docs_site.decisions_page()
    assert "- [2. " in page
    assert page.count("](0") == len(list((DOCS / "adr").glob("*.md")))


def test_external_links_are_listed_with_their_pages() -> None:
    pages = {
        "b.md": "<https://x.example/a>, [x](https://y.example).",
        "a.md": "https://x.example/a\n```\nhttps://z\n```",
    }
    assert docs_site.external_links(pages) == ["https://x.example/a  a.md b.md", "https://y.example  b.md"]


def test_site_loads_nothing_from_other_servers() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in settings
    assert "polyfills: [assets/iframe-worker.js]" in settings
    assert "://" not in settings.replace("file://", "")
