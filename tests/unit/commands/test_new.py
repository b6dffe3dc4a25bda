"""`penstock new` adds a function to the stack file that is there, whichever of its two names that has."""

import argparse
import shutil
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands import new
from penstock.connect.edition import label_refusal
from penstock.errors import ConfigError
from penstock.settings.stackfile import load_stack

from tests.paths import ROOT


@pytest.mark.parametrize("name", ["stack.yml", "stack.yaml"])
def test_the_new_function_is_in_the_stack_file_and_scales_to_zero(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "templates/python3-penstock/function", tmp_path / "template/python3-penstock/function")
    (tmp_path / name).write_text("version: 1.0\nfunctions:\n")
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    new.add_arguments(parser)
    assert new.run(parser.parse_args(["hello"])) == 0
    spec = load_stack(Path("stack.yml"), {}).functions["hello"]
    assert spec.zero_after_seconds == 900
    assert label_refusal(spec.labels) == ""
    assert [path.name for path in tmp_path.glob("stack.*")] == [name]


def test_in_a_folder_without_a_project_it_names_the_command_that_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    new.add_arguments(parser)
    with pytest.raises(ConfigError, match=r"not here; .*penstock init"):
        new.run(parser.parse_args(["hello"]))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(name="project")
def project_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the template and a stack file without functions, and the place where commands run."""
    shutil.copytree(ROOT / "templates/python3-penstock/function", tmp_path / "template/python3-penstock/function")
    (tmp_path / "stack.yml").write_text("version: 1.0\nfunctions:\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "functions").write_text("a file where the folder of the functions should be")
    before = sorted(project.rglob("*"))
    assert main(["new", "hello"]) == 78
    said = capsys.readouterr().err
    assert said.startswith("penstock new: functions/hello: cannot be written: ")
    assert "a defect" not in said
    assert sorted(project.rglob("*")) == before


def test_a_refusal_names_the_stack_file_and_not_a_file_that_is_gone_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a" * 64
    assert main(["new", name]) == 78
    said = capsys.readouterr().err
    assert ".stack.yml.new" not in said
    assert f"{name!r} cannot be added to stack.yml: functions.{name}: a function's name is" in said


def test_a_page_is_named_only_where_it_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "hello"]) == 0
    said = capsys.readouterr().out
    assert "docs/" not in said
    assert "penstock lake --help" in said
    (project / "docs").mkdir()
    (project / "docs" / "lake.md").write_text("")
    assert main(["new", "other"]) == 0
    assert "see docs/lake.md" in capsys.readouterr().out
