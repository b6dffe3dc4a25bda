"""Functions and examples import `penstock` alone, and libraries that they declare: `python -m tests.function_imports`.

`make lint` runs it. import-linter cannot say it: a function's tests may import `penstock.testing` and its handler may
not, and its wildcards know no file names; the folders of the examples are not names of packages.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.paths import EXAMPLES, FUNCTIONS, ROOT

FOLDERS = sorted(path for top in (FUNCTIONS, EXAMPLES) for path in top.iterdir() if (path / "handler.py").is_file())
# The image's build has these for every function's tests.
TEST_TOOLS = frozenset({"pytest", "hypothesis"})


def is_for_tests(path: Path) -> bool:
    """What a function's image leaves out (templates/python3-penstock/Dockerfile)."""
    return path.name.endswith("_test.py") or path.name in ("conftest.py", "samples.py") or "samples" in path.parts


def normal(requirement: str) -> str:
    """The name in a requirement, normalised as in PEP 503."""
    name = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name.group() if name else "").lower()


def requirements(path: Path) -> set[str]:
    """The names in a file of requirements; none if there is no such file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {normal(line) for line in lines if line and not line.startswith("#")}


def imported(source: str) -> Iterator[str]:
    """Every module that a file imports; a relative import begins with its dots."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def forbidden(path: Path, source: str) -> list[str]:
    """Imports of other modules of the package, of another function, and from outside the function's folder."""
    allowed = {"penstock", "penstock.testing"} if is_for_tests(path) else {"penstock"}
    others = {"functions", "examples", *(folder.name for folder in FOLDERS)}
    depth = len(path.relative_to(ROOT).parts) - 2  # how many dots stay inside the function's own folder
    return [
        name
        for name in imported(source)
        if (name.split(".")[0] == "penstock" and name not in allowed)
        or name.split(".")[0] in others
        or len(name) - len(name.lstrip(".")) > depth
    ]


def undeclared(path: Path, source: str, declared: set[str]) -> list[str]:
    """Libraries that a file imports and that are not among the declared ones."""
    distributions = _distributions()
    tops = {name.partition(".")[0] for name in imported(source) if not name.startswith(".")}
    return sorted(
        top
        for top in tops - set(sys.stdlib_module_names) - {"penstock"}
        if not declared & {normal(name) for name in distributions.get(top, [top])}
    )


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def problems(folder: Path) -> list[str]:
    """What is wrong with the imports of one function's folder, one line each."""
    own = requirements(folder / "requirements.txt")
    for extra in set(folder.glob("requirements-*.txt")) - {folder / "requirements-test.txt"}:
        own |= requirements(extra)
    for_tests = own | requirements(folder / "requirements-test.txt") | TEST_TOOLS
    found = []
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text()
        where = path.relative_to(ROOT)
        found += [f"{where}: imports {name}; a function imports penstock alone" for name in forbidden(path, source)]
        found += [
            f"{where}: imports {name}, which requirements.txt does not name"
            for name in undeclared(path, source, for_tests if is_for_tests(path) else own)
        ]
    return found


def main() -> int:
    found = [problem for folder in FOLDERS for problem in problems(folder)]
    print("\n".join(found) or f"Functions import penstock alone: {len(FOLDERS)} folders.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
