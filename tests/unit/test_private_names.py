"""Tests see what users see: they use no private name of another module, class or library."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.paths import EXAMPLES, FUNCTIONS, ROOT

FILES = sorted(
    [
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "bench").rglob("*.py"),
        *FUNCTIONS.rglob("*_test.py"),
        *EXAMPLES.rglob("*_test.py"),
    ]
)
ALLOWED = {
    "KafkaError._TIMED_OUT",  # a documented name of librdkafka's errors of its own, which all begin like this
    "_candidate_tempdir_list",  # of tempfile: Python has no public way to have no usable folder
    "os._exit",  # a documented function of Python's
}

# Documented methods of named tuples, which begin like this so that no field can have their name.
OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}


def is_private(name: str) -> bool:
    return name not in OF_NAMED_TUPLES and name.startswith("_") and not name.startswith("__") and name != "_"


def is_own(value: ast.expr) -> bool:
    """`self`, `cls` or `super()`: a class may use what it has, and what it inherits."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "super"
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


# To find names in a tree takes seconds for all files; most have no name that begins so and is not their own.
LOOKS_PRIVATE = re.compile(r"(?<!\bself\.)(?<!\bcls\.)(?<!\w)_(?!_)\w")


def private_names(source: str) -> Iterator[str]:
    """Private names of others that a file uses: as an attribute, as an import, or as the text of a `setattr`."""
    if not LOOKS_PRIVATE.search(source):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("setattr", "getattr", "delattr"):
            texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
            yield from (text for text in texts if isinstance(text, str) and is_private(text.rpartition(".")[2]))


def test_tests_use_no_private_name_of_another_module() -> None:
    assert len(FILES) > 500
    for path in FILES:
        assert sorted(set(private_names(path.read_text(encoding="utf-8"))) - ALLOWED) == [], path.relative_to(ROOT)


@pytest.mark.parametrize(
    "line",
    [
        "sink._file.close()",
        "made()._client",
        "from penstock.delivery.http import _render",
        'monkeypatch.setattr(Work, "_take_back", None)',
        'monkeypatch.setattr("penstock.streams._size", 1)',
        'getattr(sink, "_file")',
    ],
)
def test_a_private_name_is_seen(line: str) -> None:
    assert list(private_names(line)) != []


@pytest.mark.parametrize(
    "line", ["self._file", "super()._mark()", "document.__doc__", "for _, each in pairs: each.name"]
)
def test_what_is_ones_own_is_allowed(line: str) -> None:
    assert list(private_names(line)) == []
