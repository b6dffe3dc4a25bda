"""`penstock demo --open` keeps the console, with the demo's objects, until it is stopped."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.long

PENSTOCK = (sys.executable, "-m", "penstock.cli")


def test_the_console_shows_what_the_demo_made_until_the_command_is_stopped(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    process = subprocess.Popen(
        [*PENSTOCK, "demo", "--rows", "1000", "--open"],
        cwd=ROOT,
        env={**env, "BROWSER": str(browser), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        shown = ""
        assert process.stdout is not None
        for line in process.stdout:
            shown += line
            if "Ctrl+C stops the stack" in line:
                break
        assert "Every output was read back and is right." in shown
        [url] = [line.split()[-1] for line in shown.splitlines() if line.startswith("  The objects, before and after:")]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert b"<title>Penstock</title>" in opener.open(url, timeout=60).read()
        listed = opener.open(url.partition("?")[0] + "folder?bucket=processed&words=rocket", timeout=60).read()
        assert b"rocket.jpg" in listed
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert opened.read_text().strip() == url
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
