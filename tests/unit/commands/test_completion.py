"""A Tab is answered with words, flags and objects, in the way in which each shell asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands.completion import SHELLS, parser_for
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.paths import ROOT

PENSTOCK = Path(sys.executable).with_name("penstock")


def tab(line: str, shell: str = "bash") -> set[str]:
    """What the shell is told for a line whose last word is to be completed."""
    separator = "\n" if shell == "fish" else "\013"
    reading, writing = os.pipe()
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": separator,
        "_ARGCOMPLETE_DFS": "\t" if shell == "fish" else "",
        "_ARGCOMPLETE_SHELL": shell,
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line.encode())),
        "_ARGCOMPLETE_STDOUT_FILENAME": f"/dev/fd/{writing}",
    }
    try:
        done = subprocess.run(
            [PENSTOCK], env=environment, cwd=ROOT, pass_fds=[writing], capture_output=True, timeout=60, check=False
        )
    finally:
        os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        told = stream.read()
    assert done.returncode == 0, done.stderr
    # fish gets a description after a tab, zsh after a colon.
    cut = {"fish": "\t", "zsh": ":"}.get(shell)
    return {word.partition(cut)[0].strip() if cut else word.strip() for word in told.split(separator) if word.strip()}


@pytest.mark.long
@pytest.mark.parametrize("shell", SHELLS)
def test_commands_and_their_second_words(shell: str) -> None:
    assert tab("penstock re", shell) == {"reconcile", "render", "repro"}
    assert tab("penstock connect ", shell) >= {"kafka", "mqtt"}
    assert tab("penstock dlq re", shell) == {"replay"}


@pytest.mark.parametrize("shell", SHELLS)
def test_flags_of_the_command_that_was_typed(shell: str) -> None:
    assert tab("penstock ls --js", shell) == {"--json"}
    assert {"--check", "--since"} <= tab("penstock reconcile compress --", shell)


def test_objects_of_the_store(store: S3ObjectStore) -> None:
    for key in ("2026/a.csv", "2026/b.csv", "21+日本.csv"):
        store.put(ObjectRef("upload", key), [b""], content_type="text/csv", metadata={})
    assert tab("penstock get up") == {"upload/"}
    assert tab("penstock get upload/2") == {"upload/2026/", "upload/21+日本.csv"}
    assert tab("penstock rm upload/2026/") == {"upload/2026/a.csv", "upload/2026/b.csv"}


def test_a_store_that_does_not_answer_is_not_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINIO_ENDPOINT", "")
    assert tab(f"penstock ls --data {tmp_path} up") == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_shell_gets_its_function(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_ARGCOMPLETE" in capsys.readouterr().out


def test_bash_completes_with_what_is_printed() -> None:
    bash = shutil.which("bash")
    assert bash
    script = """
eval "$(penstock completion bash)"
COMP_LINE='penstock recon' COMP_POINT=14 COMP_TYPE=9 COMP_WORDS=(penstock recon) COMP_CWORD=1
_python_argcomplete penstock
printf '%s\\n' "${COMPREPLY[@]}"
"""
    path = f"{PENSTOCK.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([bash, "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.stdout.split() == ["reconcile"], done.stderr


def test_only_the_typed_command_is_imported() -> None:
    code = "import sys; from penstock.commands.completion import parser_for; parser_for(['ls']);"
    code += "print([name for name in sys.modules if name.startswith('penstock.commands.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "penstock.commands.ls" in done.stdout
    assert "penstock.commands.up" not in done.stdout
    assert parser_for([]).prog == "penstock"
