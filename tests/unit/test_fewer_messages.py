"""What goes wrong in a test process is told, though it sends fewer messages."""

import os
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT

TESTS = """
import pytest

@pytest.fixture
def broken(): 1 / 0

@pytest.fixture
def broken_afterwards():
    yield
    {}["gone"]

def test_that_passes(): pass
def test_that_fails(): assert 1 == 2
def test_whose_setup_fails(broken): pass
def test_whose_teardown_fails(broken_afterwards): pass
@pytest.mark.skip(reason="of no use")
def test_that_is_skipped(): pass
"""


def test_each_end_of_a_test_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_each.py").write_text(TESTS)
    options = ["-p", "xdist", "-p", "tests.fewer_messages", "-p", "no:cacheprovider", "-n", "1", "--rootdir"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path), str(tmp_path)],
        cwd=ROOT, env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "1 failed, 2 passed, 1 skipped, 2 errors" in done.stdout, done.stdout + done.stderr
    assert "ZeroDivisionError" in done.stdout
    assert "KeyError: 'gone'" in done.stdout
