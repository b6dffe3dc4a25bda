"""`make base` pins the base image of both Dockerfiles to a digest, and writes nothing that is not one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

DOCKERFILES = ("templates/python3-penstock/Dockerfile", "deploy/image/Dockerfile")
PINNED = r"(?m)^ARG PYTHON_IMAGE=(docker\.io/library/python:3\.\d+-slim-[a-z]+)(@sha256:[0-9a-f]{64})?$"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (*DOCKERFILES, "Makefile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make_base(checkout: Path, answer: str) -> int:
    """Run it with an engine that gives this answer to every question."""
    engine = checkout / "engine"
    engine.write_text(f"#!/bin/sh\necho '{answer}'\n")
    engine.chmod(0o755)
    return subprocess.run(["make", "-s", "base", f"ENGINE={engine}"], cwd=checkout, capture_output=True).returncode


def bases(checkout: Path) -> set[tuple[str, str]]:
    found = [re.findall(PINNED, (checkout / name).read_text(encoding="utf-8")) for name in DOCKERFILES]
    assert [len(each) for each in found] == [1, 1]
    return {pair for each in found for pair in each}


def test_both_images_stand_on_the_same_base_which_is_pinned() -> None:
    [(_, digest)] = bases(ROOT)
    assert digest


def test_the_digest_stands_in_both_dockerfiles_and_is_renewed(checkout: Path) -> None:
    for digit in "ab":
        assert make_base(checkout, f"docker.io/library/python@sha256:{digit * 64}") == 0
        [(_, digest)] = bases(checkout)
        assert digest == f"@sha256:{digit * 64}"


@pytest.mark.parametrize("answer", ["", "<no value>", "docker.io/library/python@sha256:12"])
def test_an_answer_without_a_digest_changes_nothing(checkout: Path, answer: str) -> None:
    before = bases(checkout)
    assert make_base(checkout, answer) != 0
    assert bases(checkout) == before
