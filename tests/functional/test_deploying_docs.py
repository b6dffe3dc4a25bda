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
from penstock.lake.file import load_lake
from penstock.settings.stackfile import load_stack

from tests.cluster.pages import ON_KEDA, RUN_BY, commands
from tests.manifests import documents_in
from tests.page_blocks import blocks
from tests.paths import DEPLOY, ROOT

PAGES = sorted((ROOT / "docs").glob("deploying*.md"))
BLOCKS = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
]


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


@pytest.mark.parametrize("platform", [page.name for page in PAGES if page.name != "deploying.md"])
def test_no_command_is_given_twice(platform: str) -> None:
    """A reader follows deploying.md and the page of one platform."""
    followed = ("deploying.md", platform)
    lines = [line.strip() for page, block in BLOCKS if page in followed for line in commands(block)]
    assert sorted(line for line in set(lines) if lines.count(line) > 1) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_shell_block_is_one_of_those_that_are_checked(page: Path) -> None:
    """A fence of another name, or an indented block, would be left out of all that is asked here."""
    found = [block.text for block in blocks(page) if block.kind not in ("yaml", "text", "python")]
    assert found == [block for name, block in BLOCKS if name == page.name]


def test_every_block_of_knative_and_kubernetes_is_run_or_says_why_not() -> None:
    """What runs a block notes it, and asks `left_out` whether a command of its blocks was not run."""
    pages = {page for page, _ in RUN_BY}
    for page, block in (each for each in BLOCKS if each[0] in pages):
        found = [words for where, words in RUN_BY if where == page and words in block]
        assert len(found) == 1, f"{page}: {found} for\n{block}"
    for (page, words), runner in RUN_BY.items():
        assert len([block for where, block in BLOCKS if where == page and words in block]) == 1, words
        if not runner.startswith("not run: "):
            text = (ROOT / runner).read_text(encoding="utf-8")
            assert json.dumps(words) in text, f"{runner} does not run {words!r}"
    for words, runner in ON_KEDA.items():
        assert json.dumps(words) in (ROOT / runner).read_text(encoding="utf-8"), f"{runner} does not run {words!r}"


@pytest.mark.parametrize("name", ["kubernetes", "knative"])
def test_a_lake_tells_each_function_where_it_listens(name: str) -> None:
    """By the topic of its annotation, to which the store's user may write, or by the bridge."""
    env = {"KAFKA_PASSWORD": "x", "BRIDGE_TOKEN": "x"}
    lake = load_lake(DEPLOY / name / "lake.yml", env)
    functions = load_stack(ROOT / "stack.yml", {}).functions
    users = {each["metadata"]["name"]: each["spec"] for each in documents_in(DEPLOY / "kafka" / "base" / "users.yaml")}
    writable = {
        each["resource"]["name"] for each in users["minio"]["authorization"]["acls"] if "Write" in each["operations"]
    }
    targets = {target.ref: target for target in lake.targets}
    for function in ("compress", "resize", "index"):
        sources = {place.bucket for place in functions[function].config().sources}
        rules = [rule for rule in lake.rules if rule.bucket in sources]
        assert {rule.bucket for rule in rules} == sources
        if name == "kubernetes":
            topics = {targets[rule.target].values["topic"] for rule in rules}
            assert topics == set(functions[function].topics)
            assert topics <= writable


@pytest.mark.parametrize("platform", ["knative", "kubernetes", "openfaas"])
def test_the_webhook_of_a_page_leads_to_the_bridge_of_its_platform(platform: str) -> None:
    urls = dict.fromkeys(("knative", "kubernetes"), "")
    [urls["openfaas"]] = re.findall(r"^BRIDGE_URL=(\S+)", "\n".join(block for _, block in BLOCKS), re.M)
    env = {"BRIDGE_TOKEN": "x", **({"BRIDGE_URL": urls[platform]} if urls[platform] else {})}
    [target] = load_lake(DEPLOY / "knative" / "lake.yml", env).targets
    base = DEPLOY / platform / "base"
    [kustomization] = documents_in(base / "kustomization.yaml")
    namespace = kustomization.get("namespace")
    services = {
        f"http://{each['metadata']['name']}.{each['metadata'].get('namespace', namespace)}.svc.cluster.local/"
        for each in documents_in(base / "bridge.yaml")
        if each["kind"] == "Service"
    }
    assert target.values["endpoint"] in services


def test_silo_trusts_the_authorities_that_the_page_gives_it() -> None:
    text = "".join(block for page, block in BLOCKS if page == "deploying.md")
    made = set(re.findall(r"-n minio create secret generic (\S+) --from-file=public.crt", text))
    [servers] = [each for each in documents_in(DEPLOY / "silo" / "servers.yaml") if each["kind"] == "StatefulSet"]
    pod = servers["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [certificates] = [each.partition("=")[2] for each in container["args"] if each.startswith("--certs-dir=")]
    [name] = [each["name"] for each in container["volumeMounts"] if each["mountPath"] == f"{certificates}/CAs"]
    [volume] = [each for each in pod["volumes"] if each["name"] == name]
    sources = [each["secret"] for each in volume["projected"]["sources"]]
    assert {each["name"] for each in sources if each["optional"]} == made
    assert {item["key"] for each in sources for item in each["items"]} == {"public.crt"}


def test_versions_are_pinned() -> None:
    for page, block in BLOCKS:
        for line in commands(block):
            assert "latest" not in line, f"{page}: {line}"
            assert "/master/" not in line, f"{page}: {line}"
            if "github.com" in line and "download" in line:
                assert re.search(r"/(knative-)?v?\d+\.\d+\.\d+/", line), f"{page}: {line}"
            if line.startswith("helm "):
                assert "--version" in line, f"{page}: {line}"
