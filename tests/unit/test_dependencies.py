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


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Top-level names that the modules below a folder import from outside, each with the file."""
    for path in sorted(folder.rglob("*.py")):
        if path.name.endswith("_test.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top != "penstock":
                    yield top, str(path.relative_to(ROOT))


def undeclared(folder: Path, declared: set[str]) -> set[tuple[str, str]]:
    distributions = packages_distributions()
    return {
        (top, path)
        for top, path in imported(folder)
        if not declared & {normal(name) for name in distributions.get(top, [top])}
    }


def test_the_package_declares_what_it_imports() -> None:
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    declared = {normal(requirement) for requirement in [*PROJECT["dependencies"], *extras]}
    assert undeclared(ROOT / "shared" / "penstock", declared) == set()


@pytest.mark.parametrize("name", ["compress", "index", "resize"])
def test_a_function_declares_what_it_imports(name: str) -> None:
    folder = ROOT / "functions" / name
    lines = (folder / "requirements.txt").read_text().splitlines()
    declared = {normal(line) for line in lines if line and not line.startswith("#")}
    assert undeclared(folder, declared) == set()


def test_every_requirement_has_both_bounds() -> None:
    requirements = list(PROJECT["dependencies"])
    requirements += [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for path in (ROOT / "functions").glob("*/requirements.txt"):
        requirements += [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    unbounded = [
        text for text in requirements if not text.startswith("penstock[") and not (">=" in text and "<" in text)
    ]
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
