"""The test support finds a handler with its hooks, and nothing of Penstock needs it."""

from __future__ import annotations

import subprocess
import sys

from penstock.handler.hooks import HOOKS
from penstock.testing import Lake

from tests.paths import ROOT
from tests.unit.testing.example import documents


def test_hooks_beside_the_handler_are_all_found() -> None:
    lake = Lake(documents)
    found = {hook.name for hook in HOOKS if getattr(lake.function, hook.name) is not None}
    assert found == {"start", "stop", "query"}


def test_nothing_of_penstock_imports_the_test_support() -> None:
    package = ROOT / "shared" / "penstock"
    names = [".".join(("penstock", *path.relative_to(package).with_suffix("").parts)) for path in package.rglob("*.py")]
    others = [name for name in names if not name.startswith("penstock.testing") and not name.endswith("__init__")]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "sys.exit(any(name.startswith('penstock.testing') for name in sys.modules))"
    )
    assert len(others) > 50
    assert subprocess.run([sys.executable, "-c", program, *others]).returncode == 0
