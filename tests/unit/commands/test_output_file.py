"""A file of the user is never lost without `--force`, by any command that writes where its user says."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands.output_file import refuse_to_lose
from penstock.commands.reference import arguments
from penstock.errors import ConfigError
from penstock.local.demo.donors import write_donors
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.paths import ROOT
from tests.unit.commands.test_json import parsers

# What a command does with the file or the folder of a flag. A new flag must be put into one of these.
READ = {
    *("--ca-file", "--kubeconfig", "--lake", "--minio-queue-dir", "--password-file", "--properties", "--sink-ca-file"),
    *("--stack", "--token-file", "lake --file", "put files", "run folder", "serve folder"),
}
# It goes on with what it has kept there, and refuses a file of another kind.
KEPT = {"--data", "--inbox", "watch --state", "reconcile --resume"}
NEVER = {"init folder"}  # it refuses what is there: tests/unit/commands/test_init.py
WRITTEN = {
    "donors --output": ["donors", "--rows", "1", "--output", "{file}"],
    "get to": ["get", "upload/a", "{file}"],
    "graph --output": ["graph", "--stack", "{stack}", "--output", "{file}"],
    "render --output": ["render", "knative", "--stack", "{stack}", "--output", "{folder}"],
}


def places(words: str, action: argparse.Action) -> list[str]:
    """The names under which an argument may stand in the tables above."""
    flag = action.option_strings[-1] if action.option_strings else action.dest
    return [flag, f"{words.split()[0]} {flag}"]


def test_each_flag_for_a_file_is_known_here() -> None:
    known = READ | KEPT | NEVER | WRITTEN.keys()
    unknown = set()
    for words, parser in parsers():
        for action in arguments(parser):
            is_file = action.metavar in ("FILE", "FOLDER") or action.type is Path or isinstance(action.default, Path)
            if is_file and not known.intersection(places(words, action)):
                unknown.add(places(words, action)[1])
    assert unknown == set(), "say what it does with the file; one that writes uses commands/output_file.py"


def test_each_command_that_writes_a_file_has_the_flag() -> None:
    for words, parser in parsers():
        names = {place for action in arguments(parser) for place in places(words, action)}
        if names & WRITTEN.keys():
            assert "--force" in names, words


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_in_the_way_is_written_over_with_force_only(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = MemoryStore("upload")
    memory.put(ObjectRef("upload", "a"), [b"new"], content_type="text/plain", metadata={})
    monkeypatch.setattr("penstock.commands.get.open_store", lambda *_: memory)
    file = tmp_path / "kustomization.yaml"
    file.write_text("mine")
    given = {"file": file, "folder": tmp_path, "stack": ROOT / "stack.yml"}
    words = [word.format(**given) for word in WRITTEN[name]]

    assert main(words) == 78
    assert f"{file}: is there already; write over it with --force, or name another" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]

    assert main([*words, "--force"]) == 0
    assert file.read_text() != "mine"


def test_a_made_stack_file_of_the_user_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("stack.yml", "functions"):
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    (tmp_path / "stack.pro.yml").write_text("mine")
    assert main(["render", "openfaas-pro", "--stack", str(tmp_path / "stack.yml")]) == 78
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "stack.pro.yml").read_text() == "mine"


def test_donors_are_made_anew_over_those_of_the_same_seed_only(tmp_path: Path) -> None:
    file = tmp_path / "donors.csv"
    write_donors(file, 20)
    assert main(["donors", "--rows", "10", "--output", str(file)]) == 0
    assert len(file.read_text().splitlines()) == 11
    assert main(["donors", "--rows", "10", "--seed", "2", "--output", str(file)]) == 78


def test_get_never_replaces_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.commands.get.open_store", lambda *_: MemoryStore("upload"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert main(["get", "upload/a", str(pipe), "--force"]) == 78
    assert pipe.is_fifo()


def test_a_file_that_cannot_be_read_is_in_the_way_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("mine")

    def refused(*_given: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied; name another file"):
        refuse_to_lose(tmp_path / "file", force=False, own=b"x")
