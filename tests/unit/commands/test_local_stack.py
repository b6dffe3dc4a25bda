"""What commands take of a local stack: its store and its inbox, and the flags of those that run one."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from penstock.commands.flags import add_data_flag
from penstock.commands.local_stack import (
    add_local_stack_flags,
    beside_local_stack,
    local_inbox,
    local_stack_options,
)
from penstock.local.address import keep_address
from penstock.settings.config import StoreSettings


def parsed(data: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stack", type=Path)
    add_data_flag(parser, "the folder")
    return parser.parse_args(["--data", str(data), *more])


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A folder in which a stack wrote where its store is."""
    (tmp_path / "stack.yml").write_text("")
    keep_address(tmp_path, StoreSettings("http://127.0.0.1:9000", "a", "b"), tmp_path / "stack.yml")
    return tmp_path


def test_store_of_the_local_stack_takes_the_place_of_none(running: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env, stack = beside_local_stack(parsed(running), {"HOME": "/home/ann"})
    assert (env["HOME"], env["MINIO_ENDPOINT"], env["MINIO_ACCESS_KEY"]) == ("/home/ann", "http://127.0.0.1:9000", "a")
    assert stack == running / "stack.yml"
    assert f"on the local stack of {running}, http://127.0.0.1:9000" in capsys.readouterr().err


def test_stack_file_that_is_given_goes_before_the_one_that_runs(running: Path) -> None:
    _, stack = beside_local_stack(parsed(running, "--stack", "other.yml"), {})
    assert stack == Path("other.yml")


@pytest.mark.parametrize("name", ["MINIO_ENDPOINT", "ENDPOINT"])
def test_store_that_the_environment_names_goes_before_the_local_stack(
    running: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {name: "https://minio.example.com"}
    assert beside_local_stack(parsed(running), given) == (given, None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("folder", ["", "none"])
def test_folder_without_a_running_stack_changes_nothing(tmp_path: Path, folder: str) -> None:
    assert beside_local_stack(parsed(tmp_path / folder), {"A": "b"}) == ({"A": "b"}, None)


def test_inbox_is_there_also_after_the_stack_has_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "a\x1b[31m"
    assert local_inbox(data) is None
    data.mkdir()
    assert local_inbox(data) is None
    (data / "inbox.sqlite").touch()
    assert local_inbox(data) == data / "inbox.sqlite"
    said = capsys.readouterr().err
    assert "on the local stack of" in said
    assert "\x1b" not in said


def test_flags_become_the_options_of_a_stack(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_local_stack_flags(parser, port_of_gateway=8080, port_of_store=0)
    options = local_stack_options(parser.parse_args(["--zero-after", "30s", "--stack", "a.yml"]), tmp_path)
    assert (options.stack_file, options.data, options.port, options.store_port) == (Path("a.yml"), tmp_path, 8080, 0)
    assert (options.zero_after_seconds, options.password, options.fresh) == (30.0, None, False)
