"""The tutorials, followed to the letter: files are saved as they are printed, and commands typed in one shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import DOCS, EXAMPLES, ROOT

PAGES = sorted((DOCS / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)
SECONDS = 240


def script_of(page: str) -> str:
    """What a reader does, as one script: a block that names its file in its first line is saved there."""
    steps = ["set -e", "set -m"]
    for kind, block in BLOCK.findall(page):
        if kind == "sh":
            steps.append(block)
        elif kind in ("python", "yaml"):
            found = re.match(r"# (\S+)\n", block)
            assert found, f"a block of {kind} names its file in its first line"
            steps.append(f"cat > {found[1]} <<'END OF THE FILE'\n{block.partition(chr(10))[2]}END OF THE FILE\n")
        else:
            assert kind == "text"
    return "\n".join(steps)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_tutorial_works_as_it_is_printed(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    kept = ("HOME", "LANG")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {"CHECKOUT": str(ROOT), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    # A group of its own, so that a stack that a failure left behind ends, too.
    script = f"trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{script_of(text)}"
    command = ["timeout", "-k", "5", str(SECONDS), "bash", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for kind, block in BLOCK.findall(text):
        if kind == "text" and block.startswith(("{", "(")):
            assert block in done.stdout


def test_function_of_the_parquet_tutorial_is_the_example() -> None:
    text = (DOCS / "tutorials" / "parquet.md").read_text(encoding="utf-8")
    blocks = {block.partition("\n")[0]: block.partition("\n")[2] for kind, block in BLOCK.findall(text)}
    for name in ("handler.py", "handler_test.py"):
        assert blocks[f"# parquet/{name}"] == (EXAMPLES / "07-parquet" / name).read_text(encoding="utf-8")
