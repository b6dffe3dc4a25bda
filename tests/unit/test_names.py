"""One name, one thing: no two classes or types of the package have the same name."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

PACKAGE = ROOT / "shared" / "penstock"


def types_of(path: Path) -> Iterator[str]:
    """The classes that a module defines, at any depth, and the types that it names by `Name = ...`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            # A type variable belongs to its module, and a name in capitals is a constant.
            made = node.value.func if isinstance(node.value, ast.Call) else node.value
            if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name) and ast.unparse(made) not in ("TypeVar", "ParamSpec"):
                yield name


def test_no_two_types_have_one_name() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in types_of(path):
            found[name].append(str(path.relative_to(PACKAGE)))
    assert {"Config", "Runtime", "BucketSink"} <= found.keys()  # the search finds what it looks for
    clashes = [f"{name}: {', '.join(paths)}" for name, paths in sorted(found.items()) if len(paths) > 1]
    assert not clashes, "give each thing its own name:\n" + "\n".join(clashes)
