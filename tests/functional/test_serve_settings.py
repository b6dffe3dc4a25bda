"""What a function does with settings that cannot work: it says so and ends, once, with exit code 78."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.served import ROOT, free_port


def start(*command: str, settings: dict[str, str]) -> tuple[int, str]:
    """Run `penstock COMMAND` with nothing but `settings`; its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", *command],
        env={"PATH": os.environ["PATH"], **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("function", "settings", "says"),
    [
        ("functions/none", {}, "functions/none: no handler.py there"),
        ("functions/compress", {"OPTION_LEVLE": "3"}, "option 'levle' is unknown"),
        ("functions/compress", {"LOG_LEVEL": "loud"}, "LOG_LEVEL='LOUD': expected"),
        ("functions/compress", {"WORKERS": "many"}, "WORKERS='many': expected"),
    ],
)
def test_function_that_cannot_start_says_why_once(function: str, settings: dict[str, str], says: str) -> None:
    code, said = start("serve", function, "--host", "127.0.0.1", "--port", str(free_port()), settings=settings)
    assert (code, said.count(says)) == (78, 1), said


def test_bridge_that_cannot_start_says_why_once(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("no directory")
    flags = ("--to", "http://127.0.0.1:1/", "--allow-anonymous", "--inbox", str(tmp_path / "inbox" / "inbox.db"))
    code, said = start("bridge", *flags, settings={"PORT": str(free_port())})
    assert (code, said.count("inbox.db:")) == (78, 1), said


@pytest.mark.parametrize("command", ["bridge", "connect kafka", "connect mqtt"])
def test_unknown_log_level_is_named(command: str) -> None:
    code, said = start(*command.split(), settings={"LOG_LEVEL": "loud"})
    assert code == 78
    assert "LOG_LEVEL='loud': expected DEBUG" in said
