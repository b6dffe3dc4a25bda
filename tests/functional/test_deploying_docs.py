"""The commands of docs/deploying*.md: they parse, the files they name exist, and none is given twice."""

import argparse
import importlib
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from penstock.commands.words import COMMANDS

from tests.paths import ROOT

PAGES = sorted((ROOT / "docs").glob("deploying*.md"))
BLOCKS = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
]


IN_CLUSTER, ON_API = "tests/cluster/lake.py", "tests/integration/test_deploying_commands.py"
# The blocks of the pages of Knative and Kubernetes, by words that each alone has: the file that runs it, or why none
# does.
RUN_BY: dict[tuple[str, str], str] = {
    ("deploying-knative.md", "serving-core.yaml"): "not run: releases on GitHub; the same parts come as Go modules",
    ("deploying-knative.md", "registries-skipping-tag-resolving"): IN_CLUSTER,
    ("deploying-knative.md", "penstock render knative\n"): IN_CLUSTER,
    ("deploying-knative.md", "create secret generic sink-username"): ON_API,
    ("deploying-knative.md", "export BRIDGE_TOKEN"): IN_CLUSTER,
    ("deploying-knative.md", "penstock lake apply"): IN_CLUSTER,
    ("deploying-knative.md", "podspec-persistent-volume-claim"): IN_CLUSTER,
    ("deploying-knative.md", "DEAD_LETTERS="): ON_API,
    ("deploying-knative.md", "penstock dlq list"): "not run: tests/cluster asks for the list so, and replays nothing",
    (
        "deploying-kubernetes.md",
        "helm upgrade",
    ): "not run: a chart; tests/keda builds the same operator from its Go module",
    ("deploying-kubernetes.md", "penstock render kubernetes"): ON_API,
    ("deploying-kubernetes.md", "cp -r deploy/kubernetes/overlays/example"): ON_API,
}


def commands(block: str) -> list[str]:
    """The lines of a block, with continued ones put together."""
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def penstock_calls() -> list[list[str]]:
    """The words of every `penstock ...`, without what stands before it."""
    found = []
    for _, block in BLOCKS:
        for line in commands(block):
            words = shlex.split(line)
            if "penstock" in words and not words[0].startswith(("mc", "syft", "cosign")):
                after = words[len(words) - words[::-1].index("penstock") :]
                if after and not after[0].startswith("-") and "/" not in after[0] and after[0] != "create":
                    found.append(after)
    return found


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda value: value[:30] if isinstance(value, str) else "")
def test_block_is_a_shell_script(page: str, block: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True)
    assert checked.returncode == 0, f"{page}: {checked.stderr}"


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda value: value[:30] if isinstance(value, str) else "")
def test_files_that_a_command_names_exist(page: str, block: str) -> None:
    for path in re.findall(r"(?<![\w/.-])(?:deploy|examples)/[\w./*-]+", block):
        assert list(ROOT.glob(path.rstrip("/"))), f"{page}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_penstock_is_called_as_it_understands() -> None:
    calls = penstock_calls()
    assert {words[0] for words in calls} >= {"render", "lake", "donors", "dlq"}
    for words in calls:
        command = next(each for each in COMMANDS if words[: len(each.words.split())] == each.words.split())
        parser = argparse.ArgumentParser(prog=f"penstock {command.words}", exit_on_error=False)
        importlib.import_module(command.module).add_arguments(parser)
        parser.parse_args(words[len(command.words.split()) :])


def test_no_command_is_given_twice() -> None:
    lines = [line.strip() for _, block in BLOCKS for line in commands(block)]
    assert sorted(line for line in set(lines) if lines.count(line) > 1) == []


def test_every_block_of_knative_and_kubernetes_is_run_or_says_why_not() -> None:
    pages = {page for page, _ in RUN_BY}
    for page, block in (each for each in BLOCKS if each[0] in pages):
        found = [words for where, words in RUN_BY if where == page and words in block]
        assert len(found) == 1, f"{page}: {found} for\n{block}"
    for (page, words), runner in RUN_BY.items():
        assert len([block for where, block in BLOCKS if where == page and words in block]) == 1, words
        if not runner.startswith("not run: "):
            assert json.dumps(words) in (ROOT / runner).read_text(encoding="utf-8"), f"{runner} does not run {words!r}"


def test_versions_are_pinned() -> None:
    for page, block in BLOCKS:
        for line in commands(block):
            assert "latest" not in line, f"{page}: {line}"
            assert "/master/" not in line, f"{page}: {line}"
            if "github.com" in line and "download" in line:
                assert re.search(r"/(knative-)?v?\d+\.\d+\.\d+/", line), f"{page}: {line}"
            if line.startswith("helm "):
                assert "--version" in line, f"{page}: {line}"
