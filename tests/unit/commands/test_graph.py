"""The command: what it writes where, and what it refuses."""

import argparse
from pathlib import Path

import pytest
from penstock.commands import graph
from penstock.errors import ConfigError

from tests.paths import ROOT


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    graph.add_arguments(parser)
    return graph.run(parser.parse_args(["--stack", str(ROOT / "stack.yml"), *words]), {})


def test_mermaid_goes_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    said = capsys.readouterr().out
    assert said.startswith("flowchart LR\n")
    assert '("compress")' in said


def test_svg_goes_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = ROOT / "examples/article/lake.yml"
    assert run("--format", "svg", "--lake", str(lake), "--output", str(tmp_path / "flow.svg")) == 0
    assert "my-topic" in (tmp_path / "flow.svg").read_text(encoding="utf-8")
    assert capsys.readouterr().out == ""


def test_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--output .*none/flow\.svg: cannot be written: No such file"):
        run("--output", str(tmp_path / "none" / "flow.svg"))
