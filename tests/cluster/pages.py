"""Commands of a page of docs/, run as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.paths import ROOT

IN_CLUSTER, IN_PLAIN = "tests/cluster/lake.py", "tests/cluster/plain.py"
ON_API = "tests/integration/test_deploying_commands.py"
# The blocks of the pages of Knative and Kubernetes, by words that each alone has: the file that runs it, or why none
# does.
RUN_BY: Mapping[tuple[str, str], str] = {
    ("deploying-knative.md", "serving-core.yaml"): "not run: releases on GitHub; the same parts come as Go modules",
    ("deploying-knative.md", "eventing-kafka-source.yaml"): "not run: releases on GitHub; its data plane is Java",
    ("deploying-knative.md", "mt-channel-broker.yaml"): "not run: releases on GitHub; the same parts are Go modules",
    ("deploying-knative.md", "registries-skipping-tag-resolving"): IN_CLUSTER,
    ("deploying-knative.md", "penstock render knative\n"): IN_CLUSTER,
    ("deploying-knative.md", "create secret generic sink-username"): ON_API,
    ("deploying-knative.md", "export BRIDGE_TOKEN"): IN_CLUSTER,
    ("deploying-knative.md", "penstock lake apply"): IN_CLUSTER,
    ("deploying-knative.md", "podspec-persistent-volume-claim"): IN_CLUSTER,
    ("deploying-knative.md", "DEAD_LETTERS="): ON_API,
    ("deploying-knative.md", "penstock dlq list"): "tests/cluster/test_refusals_and_reconcile.py",
    (
        "deploying-kubernetes.md",
        "helm upgrade",
    ): "not run: a chart; tests/cluster/keda.py runs the same programs from their Go module",
    ("deploying-kubernetes.md", "penstock render kubernetes"): IN_PLAIN,
    ("deploying-kubernetes.md", "penstock lake apply"): IN_PLAIN,
    ("deploying-kubernetes.md", "cp -r deploy/kubernetes/overlays/example"): IN_PLAIN,
}
# Commands inside blocks of `ON_API` that wait for KEDA's operator, which is elsewhere.
ON_KEDA: Mapping[str, str] = {"wait scaledobject --all": "tests/keda/test_keda.py"}


def commands(block: str) -> list[str]:
    """The lines of a block, with continued ones put together."""
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def left_out(page: str, runner: str, ran: Iterable[str], changes: Mapping[str, str]) -> list[str]:
    """The commands that this file should have run, by `RUN_BY`, and that no script of `ran` has.

    `changes` are the texts that the place of the tests has in place of the page's.
    """
    done = {line for script in ran for line in commands(script)}
    missing = []
    for (where, words), file in RUN_BY.items():
        if (where, file) == (page, runner):
            for line in commands(block_with(page, words)):
                changed = line
                for text, here in changes.items():
                    changed = changed.replace(text, here)
                if changed not in done:
                    missing.append(line)
    return missing


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
