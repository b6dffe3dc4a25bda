"""What the package and the functions import is what their metadata asks for: a fresh machine has nothing else."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.function_imports import normal, undeclared
from tests.paths import ROOT

TOOLS = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text())
PROJECT = TOOLS["project"]


@pytest.mark.long
def test_the_package_declares_what_it_imports() -> None:
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    declared = {normal(requirement) for requirement in [*PROJECT["dependencies"], *extras]}
    files = sorted((ROOT / "shared" / "penstock").rglob("*.py"))
    assert {(path, name) for path in files for name in undeclared(path, path.read_text(), declared)} == set()


def test_every_requirement_has_both_bounds() -> None:
    found = list(PROJECT["dependencies"])
    found += [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for path in (ROOT / "functions").glob("*/requirements*.txt"):
        found += [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    unbounded = [text for text in found if not text.startswith("penstock[") and not (">=" in text and "<" in text)]
    assert unbounded == []


def test_the_demo_has_what_the_functions_need() -> None:
    demo = {normal(text) for text in PROJECT["optional-dependencies"]["demo"] + PROJECT["dependencies"]}
    for path in (ROOT / "functions").glob("*/requirements.txt"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert {normal(line) for line in lines} <= demo, path


def test_an_extra_that_a_message_names_is_there() -> None:
    extras = set(PROJECT["optional-dependencies"])
    named = {
        (path.name, extra)
        for path in (ROOT / "shared" / "penstock").rglob("*.py")
        for found in re.findall(r"penstock\[([a-z,]+)\]", path.read_text())
        for extra in found.split(",")
    }
    assert named
    assert {(path, extra) for path, extra in named if extra not in extras} == set()


def installed_from(lock: Path) -> int:
    """How many packages a lock installs on Linux."""
    lines = re.findall(r"^[a-z0-9][^=\n]*==.*$", lock.read_text(), re.MULTILINE)
    return len([line for line in lines if "sys_platform == 'win32'" not in line])


def test_the_readme_and_make_say_how_many_packages_are_installed() -> None:
    # With Penstock itself.
    demo = installed_from(ROOT / "requirements-demo.lock") + 1
    tools = installed_from(ROOT / "requirements.lock") + 1 - demo
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"The first run installs {demo} packages into `.venv`" in readme
    assert f"{tools} packages and" in readme
    assert f": {demo} packages," in (ROOT / "Makefile").read_text()


LOCKS = (
    ROOT / "requirements.lock",
    ROOT / "requirements-demo.lock",
    *sorted((ROOT / "shared" / "locks").glob("*.txt")),
)


def pins(lock: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Name to version and hashes, of each line without a marker that splits a package in two."""
    lines = re.sub(r"\\\n", " ", lock.read_text(encoding="utf-8")).splitlines()
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for line in lines:
        name, _, rest = line.partition("==")
        if "python_full_version" not in line:
            found[normal(name)] = (rest.split()[0], frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)))
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_files_name_no_server(lock: Path) -> None:
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_hashes(lock: Path) -> None:
    assert {name for name, (_, hashes) in pins(lock).items() if not hashes} == set()


@pytest.mark.parametrize("lock", LOCKS[1:], ids=lambda path: path.name)
def test_images_ship_what_the_tests_ran_with(lock: Path) -> None:
    tested = pins(LOCKS[0])
    assert {name: pin for name, (pin, _) in pins(lock).items() if name in tested and tested[name][0] != pin} == {}


def test_the_lock_of_a_functions_image_has_the_base_and_no_extra() -> None:
    base = {normal(requirement) for requirement in PROJECT["dependencies"]}
    assert base <= set(pins(ROOT / "shared" / "locks" / "function.txt"))
    assert not {"confluent-kafka", "paho-mqtt", "moto"} & set(pins(ROOT / "shared" / "locks" / "function.txt"))


# The first version that has none of the advisories known for the package when it was last looked at.
WITHOUT_ADVISORIES = {
    "flask": (3, 1, 3),  # CVE-2026-27205
    "gunicorn": (23, 0, 0),  # CVE-2024-1135, -6827
    "orjson": (3, 11, 6),  # CVE-2025-67221
    "pillow": (12, 2, 0),  # CVE-2026-25990, CVE-2026-40192
    "setuptools": (78, 1, 1),  # CVE-2025-47273
    "urllib3": (2, 7, 0),  # CVE-2025-66418, -66471, CVE-2026-21441, -44431, -44432
    "werkzeug": (3, 1, 6),  # CVE-2025-66221, CVE-2026-21860, -27199
}


def test_no_lower_bound_admits_a_known_advisory() -> None:
    requirements = [*PROJECT["dependencies"], *TOOLS["build-system"]["requires"]]
    requirements += [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for path in (*(ROOT / "functions").glob("*/requirements*.txt"), *ROOT.glob("requirements-*.in")):
        requirements += [line for line in path.read_text().splitlines() if ">=" in line]
    for requirement in requirements:
        wanted = WITHOUT_ADVISORIES.get(normal(requirement))
        if wanted:
            [bound] = re.findall(r">=([\d.]+)", requirement)
            assert (*map(int, bound.split(".")), 0, 0)[:3] >= wanted, requirement


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
