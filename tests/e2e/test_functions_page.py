"""docs/functions.md, "In the whole lake": its commands, typed in an empty folder while `penstock up` runs there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import DOCS
from tests.served import free_port

pytestmark = pytest.mark.long

SECTION = (
    (DOCS / "functions.md").read_text(encoding="utf-8").partition("\n## In the whole lake\n")[2].partition("\n## ")[0]
)


def test_new_function_takes_an_object_in_the_lake_of_an_empty_folder(tmp_path: Path) -> None:
    put, *looks = re.findall(r"^    (penstock [^#\n]*)", SECTION, re.M)
    assert put.startswith("penstock put note.txt")
    ls, get, status, dlq = looks
    script = f"""
        set -e
        trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT
        printf 'good morning' > note.txt
        penstock init && penstock new shout
        penstock up --port {free_port()} --store-port {free_port()} > up.log 2>&1 &
        until penstock ls shout/; do sleep 0.5; done
        {put}
        until {ls} | grep note.txt; do sleep 0.5; done
        echo MADE; {get}; echo; {status}; {dlq}
    """
    kept = ("HOME", "LANG")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["timeout", "-k", "5", "180", "bash", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    made = done.stdout.partition("MADE\n")[2]
    assert made.startswith("hello\ngood morning\n")
    assert "shout: ready" in made
