"""The examples in the docstrings are true: those of the package and of the functions."""

import doctest
import importlib
import sys
from pathlib import Path

import pytest
from penstock.handler.loading import load_module

from tests.paths import FUNCTIONS, ROOT

SHARED = ROOT / "shared"
MODULES = sorted(
    path for folder in (SHARED / "penstock", FUNCTIONS) for path in folder.rglob("*.py") if ">>>" in path.read_text()
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_modules_with_examples_are_found() -> None:
    assert {"shared/penstock/terminal.py", "functions/resize/geometry.py"} <= set(map(name_of, MODULES))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_examples_of_a_module_run(path: Path) -> None:
    if path.is_relative_to(FUNCTIONS):
        handler = load_module(path.parent)
        module = importlib.import_module(f"{handler.__name__.rpartition('.')[0]}.{path.stem}")
    else:
        name = ".".join(path.relative_to(SHARED).with_suffix("").parts)
        module = importlib.import_module(name.removesuffix(".__init__"))
    results = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert sys.modules[module.__name__].__file__ == str(path)
    assert results.attempted > 0
    assert results.failed == 0
