"""The real components of the tests: one version of Knative everywhere, and a README that names what is pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

COMPONENTS = Path(__file__).parents[1] / "components"
MODULES = sorted(COMPONENTS.glob("go/*/go.mod"))


def test_every_module_has_the_same_version_of_each_part_of_knative() -> None:
    versions: dict[str, set[str]] = {}
    for module in MODULES:
        for part, version in re.findall(r"(knative\.dev/\S+) (v\S+)", module.read_text(encoding="utf-8")):
            versions.setdefault(part, set()).add(version)
    assert {"knative.dev/serving", "knative.dev/eventing"} <= versions.keys()
    assert {part: found for part, found in versions.items() if len(found) > 1} == {}


def rows() -> list[tuple[str, str]]:
    """Component and versions of each row of the table in README.md that names a version."""
    text = (COMPONENTS / "README.md").read_text(encoding="utf-8")
    table = text.partition("| component | version |")[2].partition("\n\n")[0]
    found = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in table.splitlines()[2:]]
    return [(component, version) for component, version in found if re.search(r"\d\.\d", version)]


@pytest.mark.parametrize(("component", "version"), rows())
def test_a_version_in_the_table_is_one_that_is_pinned(component: str, version: str) -> None:
    files = [*MODULES, *COMPONENTS.rglob("*.py"), *COMPONENTS.glob("java/*/pom.xml")]
    pins = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for each in re.findall(r"v?\d+(?:\.\d+)+(?:-[\w-]+)?", version):
        # OpenSearch's artifacts have a fourth number, which is 0.
        assert re.search(rf"(?<![\d.]){re.escape(each)}(?:\.0)?(?![\d.])", pins), (
            f"{component}: {each} is pinned nowhere"
        )
