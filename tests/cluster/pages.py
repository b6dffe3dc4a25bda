"""Commands of a page of docs/, run as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.paths import ROOT


def blocks_of(page: str) -> list[str]:
    """The shell blocks of a page, in their order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)


def block_with(page: str, words: str) -> str:
    """The one block of a page that has these words."""
    found = [block for block in blocks_of(page) if words in block]
    assert len(found) == 1, f"docs/{page}: {len(found)} blocks have {words!r}"
    return found[0]


def run_script(script: str, folder: Path, kubernetes: Path, settings: Mapping[str, str]) -> Mapping[str, str]:
    """Run a block; every line must work. Returns the variables as they are after it."""
    path = f"{Path(sys.executable).parent}:{kubernetes}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), **settings}
    text = f"set -euo pipefail\n{script}\necho ---variables---\nenv -0\n"
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    listed = done.stdout.rpartition("---variables---\n")[2].split("\0")
    return dict(pair.split("=", 1) for pair in listed if "=" in pair)
