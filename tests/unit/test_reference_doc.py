"""docs/reference.md names every error and every metric, and nothing that is not there."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator

from penstock.errors import PenstockError

from tests.paths import DOCS, ROOT

PACKAGE = ROOT / "shared" / "penstock"
PAGE = (DOCS / "reference.md").read_text(encoding="utf-8")
# Names of the same form that are no metrics: an analyzer of a search server, the package of a loaded function.
OTHERS = {"penstock_words", "penstock_functions_"}


def error_classes() -> Iterator[type[PenstockError]]:
    """The public classes of the error tree, wherever they are defined."""
    names = {"PenstockError"}
    found: dict[str, str] = {}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    while True:
        before = len(found)
        for path, tree in trees.items():
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and any(ast.unparse(base) in names for base in node.bases):
                    names.add(node.name)
                    found[node.name] = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if len(found) == before:
            break
    yield PenstockError
    for name, module in sorted(found.items()):
        if not name.startswith("_"):
            yield getattr(importlib.import_module(module), name)


def test_every_error_stands_in_the_page_with_its_status_and_exit_code_and_no_other() -> None:
    errors = list(error_classes())
    for error in errors:
        found = re.search(rf"^\| `{error.__name__}` \| (\d*) ?\| (\d+) \|", PAGE, re.MULTILINE)
        assert found, error
        assert int(found[2]) == error.exit_code, error
        assert found[1] in ("", str(int(error.status))), error
    named = set(re.findall(r"^\| `([A-Z]\w+)` \|", PAGE, re.MULTILINE))
    assert named == {error.__name__ for error in errors}


def test_every_metric_stands_in_the_page_and_no_other() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    measured = set(re.findall(r'"(penstock_[a-z_]+)"', code)) - OTHERS
    named = set(re.findall(r"^\| `(penstock_[a-z_]+)` \|", PAGE, re.MULTILINE))
    assert named == measured
    assert len(measured) > 20
