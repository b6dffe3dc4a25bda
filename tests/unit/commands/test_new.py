"""`penstock new` adds a function to the stack file that is there, whichever of its two names that has."""

import argparse
import shutil
from pathlib import Path

import pytest
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
