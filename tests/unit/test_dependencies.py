"""What the package and the functions import is what their metadata asks for: a fresh machine has nothing else."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.paths import ROOT

PROJECT = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text())["project"]


def normal(requirement: str) -> str:
    """The name in a requirement, normalised as in PEP 503."""
    name = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", name.group() if name else "").lower()


def is_for_tests(path: Path) -> bool:
    """What a function's image leaves out (templates/python3-penstock/Dockerfile)."""
    return path.name.endswith("_test.py") or path.name in ("conftest.py", "samples.py") or "samples" in path.parts


def imported(folder: Path, *, by_tests: bool = False) -> Iterator[tuple[str, str]]:
    """Top-level names that the modules below a folder import from outside, each with the file."""
    for path in sorted(folder.rglob("*.py")):
        if is_for_tests(path) != by_tests:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top != "penstock":
                    yield top, str(path.relative_to(ROOT))


def undeclared(folder: Path, declared: set[str], *, by_tests: bool = False) -> set[tuple[str, str]]:
    distributions = packages_distributions()
    return {
        (top, path)
        for top, path in imported(folder, by_tests=by_tests)
        if not declared & {normal(name) for name in distributions.get(top, [top])}
    }


def requirements(path: Path) -> set[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {normal(line) for line in lines if line and not line.startswith("#")}


def test_the_package_declares_what_it_imports() -> None:
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    declared = {normal(requirement) for requirement in [*PROJECT["dependencies"], *extras]}
    assert undeclared(ROOT / "shared" / "penstock", declared) == set()


@pytest.mark.parametrize("name", ["compress", "index", "resize"])
def test_a_function_declares_what_it_imports(name: str) -> None:
    folder = ROOT / "functions" / name
    assert undeclared(folder, requirements(folder / "requirements.txt")) == set()


@pytest.mark.parametrize("name", ["compress", "index", "resize"])
def test_a_function_declares_what_its_tests_import(name: str) -> None:
    folder = ROOT / "functions" / name
    # The image's build has these for every function's tests.
    declared = {"pytest", "hypothesis"} | requirements(folder / "requirements.txt")
    declared |= requirements(folder / "requirements-test.txt")
    assert undeclared(folder, declared, by_tests=True) == set()


def test_every_requirement_has_both_bounds() -> None:
    found = list(PROJECT["dependencies"])
    found += [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for path in (ROOT / "functions").glob("*/requirements*.txt"):
        found += [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    unbounded = [text for text in found if not text.startswith("penstock[") and not (">=" in text and "<" in text)]
    assert unbounded == []


def test_lock_files_name_no_server() -> None:
    for path in (ROOT / "requirements.lock", ROOT / "shared" / "constraints.txt"):
        assert "://" not in path.read_text(), path


# What runs in a function's image (templates/python3-penstock), which has the base package alone: serving, a Job's
# one-shot, the reconcile job, and the watcher of Jobs.
IN_AN_IMAGE = ("cli", "commands.serve", "commands.run", "commands.reconcile", "commands.jobs")

WITHOUT = """
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

BLOCKED = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Missing())
importlib.import_module(sys.argv[2])
"""


@pytest.mark.parametrize("module", IN_AN_IMAGE)
def test_what_runs_in_a_functions_image_needs_no_extra(module: str) -> None:
    base = {"penstock", *(normal(requirement) for requirement in PROJECT["dependencies"])}
    extras = {normal(line) for lines in PROJECT["optional-dependencies"].values() for line in lines} - base
    blocked = {top for top, found in packages_distributions().items() if {normal(name) for name in found} <= extras}
    assert {"yaml", "tqdm"} <= blocked
    command = [sys.executable, "-c", WITHOUT, ",".join(blocked), f"penstock.{module}"]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
