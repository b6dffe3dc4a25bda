"""Functions and examples stand on `penstock` alone: what they import of it is what users are told of."""

from pathlib import Path

import pytest

from tests.function_imports import FOLDERS, forbidden, problems, undeclared
from tests.paths import ROOT


@pytest.mark.long
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_imports_penstock_alone_and_what_it_declares(folder: Path) -> None:
    assert problems(folder) == []


def test_lint_looks_at_all_functions_and_examples() -> None:
    assert {"compress", "index", "resize", "01-upper", "06-unpack"} <= {folder.name for folder in FOLDERS}
    assert "-m tests.function_imports" in (ROOT / "Makefile").read_text()


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


def test_a_library_that_is_not_declared_is_seen() -> None:
    place = ROOT / "functions" / "resize" / "handler.py"
    assert undeclared(place, "import orjson, json\nfrom . import png", set()) == ["orjson"]
    assert undeclared(place, "import orjson", {"orjson"}) == []
