"""Which modules the installed package has: all of them, or only those that run in a function's image.

`PENSTOCK_PACKAGE=function pip install ./shared` leaves out what only a desk, a connector or a cluster's tools run. The
template's Dockerfile sets it. One source tree and one name, so a function imports the same package everywhere.
"""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

# tests/functional/test_function_package.py holds this list: what is left is what serving, `run` and `reconcile` import.
NOT_IN_A_FUNCTION = (
    "penstock.connect",
    "penstock.delivery",
    "penstock.doctor",
    "penstock.jobs.dead_letter",
    "penstock.jobs.measures",
    "penstock.jobs.policy",
    "penstock.jobs.release",
    "penstock.jobs.watcher",
    "penstock.lake",
    "penstock.local",
    "penstock.process.scrape",
    "penstock.process.status_server",
    "penstock.render",
    "penstock.settings.every_setting",
    "penstock.settings.shown_environment",
    "penstock.store.memory",
    "penstock.store.profile",
    "penstock.testing",
)
COMMANDS_OF_A_FUNCTION = (
    "__init__",
    "words",
    "serve",
    "run",
    "reconcile",
    "flags",
    "local_stack",
    "exit_codes",
    "examples",
)


HERE = Path(__file__).resolve().parent
# What `penstock init` writes, and `penstock demo` runs in an empty folder: its place in the package and in a checkout.
PROJECT = {
    "stack.yml": "stack.yml",
    "functions/compress": "functions/compress",
    "functions/index": "functions/index",
    "functions/resize": "functions/resize",
    "template/python3-penstock": "templates/python3-penstock",
}
# What tools leave in a checkout. The template's link `shared` leads back to this folder, where `build` of a wheel and
# `penstock-0.1.0` of an sdist are being written just now: to copy them too would never end.
NOT_OF_THE_PROJECT = shutil.ignore_patterns("__pycache__", ".*", "build", "dist", "penstock-*", "*.egg-info")


def copy_project(package: Path) -> None:
    """Put the project into a package's folder: from the checkout around it, or from an sdist that has it already."""
    packed = HERE / "penstock" / "project"
    for name, in_checkout in PROJECT.items():
        source = packed / name if packed.is_dir() else HERE.parent / in_checkout
        target = package / "project" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=NOT_OF_THE_PROJECT, dirs_exist_ok=True)
        elif source.is_file():  # a folder `shared` alone, as images have it, has none of this
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def is_wanted(package: str, module: str) -> bool:
    name = package if module == "__init__" else f"{package}.{module}"
    if package == "penstock.commands":
        return module in COMMANDS_OF_A_FUNCTION
    return not any(name == left_out or name.startswith(f"{left_out}.") for left_out in NOT_IN_A_FUNCTION)


class BuildPy(build_py):  # type: ignore[misc]
    """Copies the modules that were asked for."""

    def run(self) -> None:
        super().run()
        if not self.for_function and not self.editable_mode:
            copy_project(Path(self.build_lib) / "penstock")

    def finalize_options(self) -> None:
        super().finalize_options()
        asked = os.environ.get("PENSTOCK_PACKAGE", "")
        if asked not in ("", "function"):
            raise SystemExit(f"PENSTOCK_PACKAGE={asked!r}: expected function, or nothing for the whole package")
        self.for_function = asked == "function"
        if self.for_function:
            self.distribution.include_package_data = False  # else setuptools warns of a page whose package is left out
            self.packages: list[str] = [each for each in self.packages if is_wanted(each, "__init__")]

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        found: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        return [entry for entry in found if not self.for_function or is_wanted(package, entry[1])]

    def find_data_files(self, package: str, src_dir: str) -> list[str]:
        found: list[str] = super().find_data_files(package, src_dir)
        return [] if self.for_function else found  # the console's page


class Sdist(sdist):  # type: ignore[misc]
    """Has the project in it, so that a wheel made of it has it too."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        copy_project(Path(base_dir) / "penstock")


setup(cmdclass={"build_py": BuildPy, "sdist": Sdist})
