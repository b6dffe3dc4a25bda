"""What `make cluster` and CI say where a machine allows no cluster: which part is missing, and what to do."""

import os
from pathlib import Path

import pytest

from tests.components.cluster import __main__ as program
from tests.components.cluster import machine


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /sys/fs/cgroup with every hierarchy that is needed, seen by root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    for name in machine.CONTROLLERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    return tmp_path


def test_without_root_it_says_to_be_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine.cluster_problem().endswith("run it as root")


def test_unified_hierarchy_is_named_with_the_way_to_the_other(groups: Path) -> None:
    (groups / "cgroup.controllers").touch()
    problem = machine.cluster_problem()
    assert "unified hierarchy (cgroup v2)" in problem
    assert problem.endswith("start the machine with systemd.unified_cgroup_hierarchy=0")


def test_missing_hierarchies_are_listed(groups: Path) -> None:
    for name in ("freezer", "pids"):
        (groups / name / "cgroup.procs").unlink()
    assert machine.cluster_problem() == f"{groups} has no hierarchy for freezer, pids; a kubelet needs it"


def test_groups_that_cannot_be_made_are_named_with_the_reason(groups: Path) -> None:
    (groups / "cpu" / f"penstock-probe-{os.getpid()}").touch()
    problem = machine.cluster_problem()
    assert problem.startswith("no control group can be made: ")
    assert problem.endswith("File exists. In a container, run it in a privileged one")


def test_full_disk_is_named_with_what_is_needed(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "FREE_BYTES", 10**18)
    assert machine.cluster_problem().endswith("GB free; a cluster needs up to 1000000000 GB")


def test_program_prints_the_problem_and_ends_with_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not with 1, which is how Python ends after an error: CI leaves the stage out for 3 alone."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert program.main() == 3
    assert capsys.readouterr().out.startswith("a cluster needs root")
    ci = (Path(__file__).parents[2] / ".ci" / "run").read_text()
    assert '"$not_allowed" -eq 3' in ci
