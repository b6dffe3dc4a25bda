"""`penstock status`: which functions it asks, what it prints and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from penstock import Result, UnsupportedInput
from penstock.cli import main
from penstock.local.address import keep_address
from penstock.settings.config import Config, StoreSettings

from tests.lake import Lake

STACK = """
provider: {name: openfaas}
functions:
  upper:
    handler: ./upper
    environment: {SOURCE: "s3://upload/*.txt", SINK: "s3://processed/{key}"}
  other:
    handler: ./upper
    environment: {SOURCE: "s3://elsewhere/*", SINK: "s3://processed/{key}"}
"""


@pytest.fixture
def stack(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack file with two functions; the one that is asked works on the lake in memory."""
    path = tmp_path / "stack.yml"
    path.write_text(STACK)
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "handler.py").write_text("def handle(event, context): ...\n")

    def config(folder: Path, _env: object, _stack: Path) -> Config:
        assert folder == tmp_path / "upper"
        return lake.config

    monkeypatch.setattr("penstock.commands.status.function_config", config)
    monkeypatch.setattr("penstock.commands.status.make_quiet_runtime", lambda *_: lake.runtime)
    return path


def test_beside_a_local_stack_its_store_and_index_are_asked(
    stack: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = stack.parent / "data"
    data.mkdir()
    keep_address(data, StoreSettings("http://127.0.0.1:9", "penstock", "secret"))
    seen: list[Mapping[str, str]] = []

    def config(_folder: Path, env: Mapping[str, str], _stack: Path) -> Config:
        seen.append(env)
        return lake.config

    monkeypatch.setattr("penstock.commands.status.function_config", config)
    monkeypatch.delenv("MINIO_ENDPOINT", raising=False)
    words = ["status", "s3://upload/a.txt", "--stack", str(stack), "--data", str(data)]
    assert main(words) == 1
    assert seen[0]["MINIO_ENDPOINT"] == "http://127.0.0.1:9"
    assert seen[0]["INDEX_SINK"] == f"sqlite://{data.resolve()}/index.sqlite"
    monkeypatch.setenv("MINIO_ENDPOINT", "http://other:9000")
    assert main(words) == 1
    assert "INDEX_SINK" not in seen[1]


def test_states_and_exit_codes(stack: Path, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["status", "s3://upload/a.txt", "--stack", str(stack)]
    assert main(words) == 1
    assert capsys.readouterr().out == "upper: gone\n"
    lake.put(b"bad")
    lake.agree()
    assert main(words) == 1
    assert capsys.readouterr().out == (
        "upper: refused\n  refused  s3://processed/a.txt: UnsupportedInput: a.txt: starts with bad\n"
    )
    lake.put(b"one")
    lake.agree()
    assert main(words) == 0
    assert capsys.readouterr().out == "upper: ready\n  ready    s3://processed/a.txt\n"
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "ready"


def test_a_reason_of_several_lines_is_one_line_and_commands_no_terminal(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_event: object, _context: object) -> Result:
        raise UnsupportedInput("cannot be read:\n  line 2\x1b[2J\n\tline 3")

    lake = Lake(refuse)
    monkeypatch.setattr("penstock.commands.status.make_quiet_runtime", lambda *_: lake.runtime)
    monkeypatch.setattr("penstock.commands.status.function_config", lambda *_: lake.config)
    words = ["status", "s3://upload/a.txt", "--stack", str(stack)]
    lake.put(b"bad")
    lake.agree()
    assert main(words) == 1
    assert capsys.readouterr().out == (
        "upper: refused\n  refused  s3://processed/a.txt: UnsupportedInput: cannot be read: line 2\\x1b[2J line 3\n"
    )
    (stack.parent / "data").mkdir()
    keep_address(stack.parent / "data", StoreSettings("http://127.0.0.1:9", "penstock", "secret"))
    monkeypatch.delenv("MINIO_ENDPOINT", raising=False)
    monkeypatch.setattr("penstock.commands.status.last_reason", lambda *_: "retrying: one\n  two\x9b")
    lake.put(b"another")
    assert main([*words, "--data", str(stack.parent / "data")]) == 1
    assert capsys.readouterr().out.startswith("upper: pending (retrying: one two\\x9b)\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["s3://nowhere/a.txt"], "no function of"),
        (["s3://upload/a.txt", "--function", "other"], "no function of"),
        (["nowhere/a.txt"], "no function of"),
        (["s3://upload"], "the key is empty"),
        (["upload/"], "the key is empty"),
    ],
)
def test_object_that_nothing_takes_is_an_error(
    stack: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", *words, "--stack", str(stack)]) == 78
    assert says in capsys.readouterr().err


def test_an_object_is_named_as_for_put_and_get(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("upload/a.txt", "s3://upload/a.txt"):
        assert main(["status", name, "--stack", str(stack)]) == 1
        assert capsys.readouterr().out == "upper: gone\n"
    for name in ("http://upload/a", "s3://UP/a", "/a"):
        with pytest.raises(SystemExit):
            main(["status", name, "--stack", str(stack)])
        assert "write BUCKET/KEY" in capsys.readouterr().err


def test_function_that_cannot_be_asked_is_named(stack: Path, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.store.buckets.clear()
    assert main(["status", "s3://upload/a.txt", "--stack", str(stack)]) == 75
    assert "upper: " in capsys.readouterr().err


def test_index_in_a_file_is_not_made_by_looking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "handler.py").write_text("def handle(event, context): ...\n")
    stack = tmp_path / "stack.yml"
    stack.write_text(STACK.replace("s3://processed/{key}", f"sqlite://{tmp_path}/data/index.db"))
    assert main(["status", "s3://elsewhere/a", "--stack", str(stack)]) == 75
    assert "MINIO_ENDPOINT is not" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
