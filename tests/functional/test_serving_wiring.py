"""What a function does with settings that cannot work: it says so and ends, once, with exit code 78."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from penstock.serving.server import FunctionServer
from penstock.settings.config import Config

from tests.paths import ROOT
from tests.served import free_port


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
        ("functions/compress", {"LOG_LEVEL": "loud"}, "LOG_LEVEL='loud': expected"),
        ("functions/compress", {"WORKERS": "many"}, "WORKERS='many': expected"),
    ],
)
def test_function_that_cannot_start_says_why_once(function: str, settings: dict[str, str], says: str) -> None:
    code, said = start("serve", function, "--host", "127.0.0.1", "--port", str(free_port()), settings=settings)
    assert (code, said.count(says)) == (78, 1), said


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_gunicorn_is_given_the_host_as_it_was_named(host: str) -> None:
    assert FunctionServer(Config("upper"), host, pytest.fail).cfg.address == [(host, 8080)]


@pytest.mark.parametrize("library", ["pyvips", "_libvips"])
def test_library_that_is_loaded_late_is_missed_at_the_start(library: str) -> None:
    # None in sys.modules is how Python itself marks what cannot be imported.
    program = f"import sys; sys.modules[{library!r}] = None; from penstock.serve import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "functions/resize", "--host", "127.0.0.1", "--port", str(free_port())],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.count(f"No module named '{library}'; install")) == (78, 1), done.stderr


@pytest.mark.parametrize(
    "command",
    [("serve", "compress"), ("run", "compress", "-f", "upload", "-k", "a"), ("reconcile", "compress")],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("port", ["8080", "many"], ids=["readable", "unreadable"])
def test_every_wrong_setting_is_said_in_one_go(command: tuple[str, ...], port: str) -> None:
    wrong = {"SOURCE": "s3://upload/*", "SINK": "s3://p/{key}", "OPTION_LEVLE": "3", "PORT": port}
    code, said = start(*command, settings=wrong)
    assert code == 78, said
    expected = ["bucket 'p': expected", "option 'levle' is unknown", "MINIO_ENDPOINT"]
    expected += ["PORT='many'"] if port == "many" else []
    assert [said.count(text) for text in expected] == [1] * len(expected), said


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
