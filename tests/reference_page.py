"""The tables of docs/reference.md, made from the error classes and the metrics: `make docs-reference` renews them.

Of an error's docstring the first paragraph is the column "when", and the paragraph that begins with "To do:" the last
column.
"""

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from typing import Final

from penstock.errors import PenstockError
from penstock.process.metric_table import MEASURES, MetricSource

from tests.paths import DOCS, ROOT

PACKAGE: Final = ROOT / "shared" / "penstock"
PAGE: Final = DOCS / "reference.md"
ERRORS_HEAD: Final = "| class | status | exit code | when | what to do |\n|---|---|---|---|---|\n"
METRICS_HEAD: Final = "| metric | kind | labels | meaning |\n|---|---|---|---|\n"
# The tables of metrics stand in this order.
COMPONENTS: Final[tuple[MetricSource, ...]] = ("function", "delivery", "other")


@functools.cache
def error_classes() -> list[type[PenstockError]]:
    """The public classes of the error tree, wherever they are defined: each one before those that inherit from it."""
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
    public = [getattr(importlib.import_module(module), name) for name, module in found.items() if name[0] != "_"]
    return list(_with_heirs(PenstockError, public))


def _with_heirs(error: type[PenstockError], all_of_them: list[type[PenstockError]]) -> Iterator[type[PenstockError]]:
    yield error
    for heir in sorted((each for each in all_of_them if error in each.__bases__), key=lambda each: each.__name__):
        yield from _with_heirs(heir, all_of_them)


def error_row(error: type[PenstockError]) -> str:
    """The row of one error. One that is never an answer has the base's status, which is left out."""
    paragraphs = [" ".join(each.split()) for each in (error.__doc__ or "").split("\n\n")]
    todo = next((each.removeprefix("To do: ") for each in paragraphs if each.startswith("To do: ")), "")
    own = error is PenstockError or error.status != PenstockError.status
    cells = [
        f"`{error.__name__}`",
        str(int(error.status)) if own else "",
        str(error.exit_code),
        paragraphs[0].removesuffix("."),
        todo.removesuffix("."),
    ]
    return _row(cells)


def metric_rows(component: MetricSource) -> str:
    return "".join(
        _row([f"`{each.name}`", each.kind, ", ".join(each.labels), each.text.removesuffix(".")])
        for each in MEASURES
        if each.component == component
    )


def _row(cells: list[str]) -> str:
    return re.sub(r"\|  (?=\|)", "| ", "| " + " | ".join(cells) + " |\n")


def renewed(page: str) -> str:
    """The page with its tables as they are now; raises `ValueError` where it has not these tables."""
    made = {
        ERRORS_HEAD: ["".join(map(error_row, error_classes()))],
        METRICS_HEAD: [metric_rows(component) for component in COMPONENTS],
    }
    for head, tables in made.items():
        first, *parts = re.split(re.escape(head) + r"(?:\|.*\n)*", page)
        if len(parts) != len(tables):
            raise ValueError(f"docs/reference.md: expected {len(tables)} tables with {head!r}, found {len(parts)}")
        page = first + "".join(head + rows + part for rows, part in zip(tables, parts, strict=True))
    return page


def main() -> None:
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
