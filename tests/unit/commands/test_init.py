"""`penstock init`: a whole project, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock.cli import main


def test_a_project_that_cannot_be_written_whole_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "template").write_text("a file where the folder of the template should be")
    assert main(["init", str(tmp_path)]) == 78
    said = capsys.readouterr().err
    assert said.startswith(f"penstock init: {tmp_path}/template: cannot be written: ")
    assert said.rstrip().endswith("name another folder")
    assert [path.name for path in tmp_path.iterdir()] == ["template"]
    (tmp_path / "template").unlink()
    assert main(["init", str(tmp_path)]) == 0


def test_no_character_of_a_folders_name_commands_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a\x1b[2J\nb"
    assert main(["init", str(folder)]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/a\\x1b[2J\\x0ab: ")
    rendered = ["render", "kubernetes", "--stack", str(folder / "stack.yml"), "--output", str(folder / "c\x1b[2J")]
    assert main([*rendered, "--check"]) == 1
    assert main(rendered) == 0
    said = capsys.readouterr()
    assert f"{tmp_path}/a\\x1b[2J\\x0ab/c\\x1b[2J: " in said.out
    assert "\x1b" not in said.out + said.err


def test_a_file_in_the_folders_place_is_named_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken.txt"
    taken.write_text("mine")
    assert main(["init", str(taken)]) == 78
    assert capsys.readouterr().err.rstrip().endswith("name another folder")
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("name", ["stack.yml", "stack.yaml", "functions", "template/python3-penstock"])
def test_a_folder_that_has_a_part_of_a_project_is_left_as_it_is(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert main(["init", str(tmp_path)]) == 78
    said = capsys.readouterr().err
    assert f"{tmp_path / name}: exists already; name a folder that has none of stack.yml, functions, template/" in said
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / name).read_text() == "mine"


def test_other_files_in_the_folder_stay_as_they_are(tmp_path: Path) -> None:
    """A repository and a virtual environment are often there before the project."""
    for name in (".git/config", ".venv/pyvenv.cfg", "notes.txt", "template/mine/template.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert main(["init", str(tmp_path)]) == 0
    assert {path.read_text() for path in before} == {"mine"}
    assert (tmp_path / "stack.yml").is_file()
