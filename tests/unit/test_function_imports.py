"""Functions and examples stand on `penstock` alone: what they import of it is what users are told of."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.unit.test_dependencies import is_for_tests

FILES = sorted([*(ROOT / "functions").rglob("*.py"), *(ROOT / "examples").rglob("*.py")])
FOLDERS = sorted({path.name for top in ("functions", "examples") for path in (ROOT / top).iterdir()})


def imported(source: str) -> Iterator[str]:
    """Every module that a file imports from outside its folder; a relative import that leaves it as `..`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def forbidden(path: Path, source: str) -> list[str]:
    allowed = {"penstock", "penstock.testing"} if is_for_tests(path) else {"penstock"}
    depth = len(path.relative_to(ROOT).parts) - 2  # how many dots stay inside the function's own folder
    return [
        name
        for name in imported(source)
        if (name.split(".")[0] == "penstock" and name not in allowed)
        or name.split(".")[0] in ("functions", "examples", *FOLDERS)
        or len(name) - len(name.lstrip(".")) > depth
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_imports_penstock_alone(path: Path) -> None:
    assert forbidden(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("functions/resize/handler.py", "from penstock.streams import Body"),
        ("functions/resize/handler.py", "import penstock.testing"),
        ("functions/resize/handler_test.py", "from penstock.store.memory import MemoryStore"),
        ("functions/resize/handler_test.py", "from ..index import detect"),
        ("functions/resize/handler_test.py", "from functions.index import detect"),
        ("functions/index/samples/pictures.py", "from ...resize import png"),
        ("examples/01-upper/handler.py", "def handle(): import penstock.types"),
    ],
)
def test_other_imports_are_seen(place: str, line: str) -> None:
    assert len(forbidden(ROOT / place, line)) == 1


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("functions/resize/handler.py", "from penstock import Body"),
        ("functions/resize/handler_test.py", "from penstock.testing import run"),
        ("functions/index/samples/pictures.py", "from ..handler import handle"),
    ],
)
def test_what_a_function_may_import(place: str, line: str) -> None:
    assert forbidden(ROOT / place, line) == []
