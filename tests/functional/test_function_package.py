"""A function's image carries what a function runs, and nothing else of the package."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

# Where a function's image begins: its server, and the commands of a Job and of the reconcile CronJob.
ROOTS = ("penstock", "penstock.serve", "penstock.cli", "penstock.commands.run", "penstock.commands.reconcile")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as the template's Dockerfile installs it, unpacked."""
    return unpacked(tmp_path_factory.mktemp("package"), "function")


def unpacked(folder: Path, what: str) -> Path:
    """The wheel of `PENSTOCK_PACKAGE=what`, unpacked."""
    source = folder / "shared"
    shutil.copytree(ROOT / "shared", source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, env={**os.environ, "PENSTOCK_PACKAGE": what})
    (wheel,) = folder.glob("penstock-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def name_of(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path, known: set[str]) -> Iterator[str]:
    """Modules of the package that a file imports, anywhere in it except for types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in only_types:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # Imported by its name: `module:Class`, or `module.Class`.
            named = (node.value.partition(":")[0], node.value.rpartition(".")[0])
            yield from (name for name in named if name in known)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            yield node.module
            yield from (inner for alias in node.names if (inner := f"{node.module}.{alias.name}") in known)


def reachable(known: set[str]) -> set[str]:
    folder = ROOT / "shared"
    files = {name_of(path, folder): path for path in (folder / "penstock").rglob("*.py")}
    found: set[str] = set()
    open_ends = list(ROOTS)
    while open_ends:
        name = open_ends.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        open_ends += imports_of(files[name], set(files))
        open_ends.append(name.rpartition(".")[0])
    return found


@pytest.mark.long
def test_what_is_in_the_image_is_imported_by_a_function_or_its_one_shot(package: Path) -> None:
    carried = {name_of(path, package) for path in (package / "penstock").rglob("*.py")}

    assert carried - reachable(carried) == set()


@pytest.mark.long
def test_everything_that_a_function_imports_is_in_the_image(package: Path) -> None:
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    names = sorted(name_of(path, package) for path in (package / "penstock").rglob("*.py"))
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        env={"PYTHONPATH": str(package), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        cwd=package,
    )
    assert done.returncode == 0, done.stderr
    assert not {name for name in names if name.split(".")[1:2] in (["local"], ["render"], ["lake"], ["connect"])}


@pytest.mark.long
def test_the_whole_package_says_that_it_has_types(tmp_path: Path) -> None:
    whole = unpacked(tmp_path, "") / "penstock"
    assert (whole / "py.typed").is_file()  # PEP 561: else a type checker takes all of it for Any
    assert (whole / "local/console/files/vendor/lit-html/directives/repeat.js").is_file()  # the page and its library


def test_no_test_support_and_no_page_is_in_the_image(package: Path) -> None:
    assert not [path for path in package.rglob("*") if path.suffix in (".html", ".md", ".yml")]
    assert not (package / "penstock" / "testing.py").exists()
