"""The package works without its checkout: sdist and wheel are whole, and an empty folder is enough to begin.

They are built by the backend that `make dist` calls, with the libraries of this checkout.
"""

from __future__ import annotations

import email
import os
import shutil
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from tests.paths import ROOT

BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
PARTS = (
    "stack.yml",
    "functions/compress/handler.py",
    "functions/resize/requirements.txt",
    "functions/index/README.md",
    "template/python3-penstock/Dockerfile",
    "template/python3-penstock/function/handler.py",
)


def build(what: str, source: Path, output: Path) -> Path:
    """The file that the build backend makes: `build_sdist` or `build_wheel`."""
    command = [sys.executable, "-c", BUILD, what, str(output)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return output / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    for name in ("shared", "functions", "templates"):
        # The template's link leads back to the package, and so to the folder that is being packed.
        shutil.copytree(ROOT / name, folder / name, ignore=ignored, symlinks=True)
    shutil.copy(ROOT / "stack.yml", folder)
    return build("build_sdist", folder / "shared", folder)


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made of the sdist, as installers do where they find no wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build("build_wheel", next(folder.glob("penstock-*")), folder)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; it sees the libraries of this one, and not this one's `penstock`."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    [packages] = folder.glob("lib/python3*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "bin" / "python"


@pytest.fixture(name="checkout")
def checkout_fixture(tmp_path: Path) -> Path:
    """What a build reads of a checkout, with the template's link, which leads back to the folder that is built."""
    for name in ("shared", "functions", "templates"):
        ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored, symlinks=True)
    shutil.copy(ROOT / "stack.yml", tmp_path)
    assert (tmp_path / "templates/python3-penstock/shared").is_symlink()
    return tmp_path


def test_a_wheel_made_in_the_checkout_does_not_hold_what_its_build_left_there(checkout: Path) -> None:
    for _ in range(2):
        made = build("build_wheel", checkout / "shared", checkout)
        with zipfile.ZipFile(made) as archive:
            names = archive.namelist()
        assert [name for name in names if "/build/" in name or "egg-info" in name] == []
        assert "penstock/project/template/python3-penstock/shared/penstock/types.py" in names


def test_an_sdist_made_in_the_checkout_does_not_hold_itself(checkout: Path) -> None:
    made = build("build_sdist", checkout / "shared", checkout)
    with tarfile.open(made) as archive:
        names = archive.getnames()
    top = made.name.removesuffix(".tar.gz")
    assert [name for name in names if f"/{top}" in name] == []
    assert f"{top}/penstock/project/template/python3-penstock/shared/penstock/types.py" in names


def run(python: Path, folder: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run([python, "-m", "penstock.cli", *words], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_sdist_and_wheel_have_the_project_and_the_photographs(sdist: Path, wheel: Path) -> None:
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        installed = set(archive.namelist())
    wanted = {f"penstock/project/{part}" for part in PARTS} | {"penstock/local/demo/pictures/rocket.jpg"}
    assert wanted <= packed
    assert wanted | {"penstock/py.typed", "penstock/local/console/files/index.html"} <= installed
    assert not [name for name in installed if "__pycache__" in name or not name.startswith("penstock")]


def test_metadata_is_what_an_index_takes(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(name)
    metadata = Metadata.from_email(text, validate=True)
    assert metadata.name == "penstock"
    assert metadata.description_content_type == "text/markdown"
    assert email.message_from_bytes(text).get_payload()


def test_the_demo_runs_in_an_empty_folder(python: Path, tmp_path: Path) -> None:
    shown = run(python, tmp_path, "demo", "--rows", "1000")
    assert "Every output was read back and is right." in shown


def test_a_project_is_written_once_and_takes_a_function_more(python: Path, tmp_path: Path) -> None:
    run(python, tmp_path, "init")
    assert [part for part in PARTS if not (tmp_path / part).is_file()] == []
    assert "functions/shout: handler.py" in run(python, tmp_path, "new", "shout")
    with pytest.raises(AssertionError, match=r"stack\.yml: exists already; name a folder that has none of"):
        run(python, tmp_path, "init")
