"""docs/reference.md is what `make docs-reference` makes of the error classes and the metrics, and names all of them."""

from __future__ import annotations

import re

from penstock.process.metric_table import MEASURES

from tests.paths import DOCS
from tests.reference_page import PACKAGE, error_classes, renewed

PAGE = (DOCS / "reference.md").read_text(encoding="utf-8")
# Names of the same form that are no metrics: an analyzer of a search server, the package of a loaded function.
OTHERS = {"penstock_words", "penstock_functions_"}


def test_the_page_is_what_the_code_says() -> None:
    assert renewed(PAGE) == PAGE, "run `make docs-reference`"


def test_every_error_stands_in_the_page_with_its_status_and_exit_code_and_no_other() -> None:
    errors = error_classes()
    for error in errors:
        found = re.search(rf"^\| `{error.__name__}` \| (\d*) ?\| (\d+) \| \S", PAGE, re.MULTILINE)
        assert found, error
        assert int(found[2]) == error.exit_code, error
        assert found[1] in ("", str(int(error.status))), error
    named = set(re.findall(r"^\| `([A-Z]\w+)` \|", PAGE, re.MULTILINE))
    assert named == {error.__name__ for error in errors}
    assert len(errors) > 20


def test_every_error_says_what_to_do() -> None:
    without = [error.__name__ for error in error_classes() if "To do: " not in (error.__doc__ or "")]
    assert without == ["PenstockError"]


def test_every_metric_stands_in_the_page_and_no_other() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    measured = set(re.findall(r'"(penstock_[a-z_]+)"', code)) - OTHERS
    named = set(re.findall(r"^\| `(penstock_[a-z_]+)` \|", PAGE, re.MULTILINE))
    assert named == measured
    assert len(measured) > 20


def test_metrics_are_named_in_their_table_alone() -> None:
    names = {measure.name for measure in MEASURES}
    again = [
        f"{path.name}: {name}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "metric_table.py"
        for name in re.findall(r"[\"']((?:penstock|gateway)_[a-z_]+)[\"']", path.read_text(encoding="utf-8"))
        if name in names
    ]
    assert again == []
    assert len(names) == len(MEASURES)
