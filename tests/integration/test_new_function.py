"""`penstock new` leaves a whole checkout green: the tools of `make lint`, and the tests that look at every function."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT


def test_it_leaves_a_whole_checkout_green(tmp_path: Path) -> None:
    """Style, types, manifests, drawing and what the tests ask of each function of the stack file."""
    copy = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", ".venv", ".git", ".*_cache", "*.egg-info", ".penstock")
    shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "", "PYTHONPATH": f"{copy / 'shared'}:{copy}"}
    tests = [
        "tests/unit/commands/test_render.py",
        "tests/unit/render/test_drawing.py",
        "tests/unit/test_architecture_page.py",
        "tests/functional/test_render_manifest.py",
        "tests/functional/test_faas_cli.py",
        "functions/shout_2",
    ]
    for words in (
        ["penstock.cli", "new", "shout-2"],
        ["ruff", "check", "functions"],
        ["ruff", "format", "--check", "functions"],
        ["mypy", "functions/shout_2"],
        ["tests.function_imports"],
        ["penstock.cli", "render", "knative", "--check"],
        ["penstock.cli", "render", "kubernetes", "--check"],
        ["penstock.cli", "render", "openfaas", "--check"],
        ["penstock.cli", "render", "openfaas-pro", "--check"],
        ["pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
    ):
        done = subprocess.run([sys.executable, "-m", *words], cwd=copy, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
