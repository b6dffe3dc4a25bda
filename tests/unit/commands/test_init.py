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


def test_a_file_in_the_folders_place_is_named_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken.txt"
    taken.write_text("mine")
    assert main(["init", str(taken)]) == 78
    assert capsys.readouterr().err.rstrip().endswith("name another folder")
    assert taken.read_text() == "mine"
