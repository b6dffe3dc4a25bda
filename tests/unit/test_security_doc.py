"""SECURITY.md names a test for each line, and each of these tests exists."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from penstock.handler.loading import load_module
from penstock.settings.stackfile import load_stack

from tests.paths import DEPLOY, FUNCTIONS, ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
FILES = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "functions").rglob("*_test.py")]
TESTS = {
    name
    for path in FILES
    for name in re.findall(r"^ *def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
}

STACK = load_stack(ROOT / "stack.yml", {})
ARN = "arn:aws:s3:::"
BUCKETS_OF_SINKS = re.compile(r"^s3://([^/]+)")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", TEXT))))
def test_test_exists(name: str) -> None:
    assert name in TESTS


def test_every_line_of_a_table_names_its_test() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("|") and not line.startswith("|---")]
    assert [line for line in lines if not re.search(r"`test_\w+` \|$|\| test \|$", line)] == []
    assert len(lines) > 40


def statements(path: Path) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = json.loads(path.read_text(encoding="utf-8"))["Statement"]
    return found


@pytest.mark.parametrize("name", ["compress", "index", "resize"])
def test_the_policy_of_each_function_names_its_own_buckets_only(name: str) -> None:
    config = STACK.functions[name].config()
    own = {rule.bucket for rule in config.sources} | set(BUCKETS_OF_SINKS.findall(config.sink))
    named = statements(DEPLOY / "minio" / "policies" / f"{name}.json")
    for statement in named:
        assert all(action.startswith("s3:") and "*" not in action for action in statement["Action"])
    resources = {each for statement in named for each in statement["Resource"]}
    options = getattr(load_module(FUNCTIONS / name), "Options", None)
    if options is not None and any(each.metadata.get("asset") for each in dataclasses.fields(options)):
        own.add("assets")  # the bucket that docs/settings.md names for what options name
        assert [each["Action"] for each in named if f"{ARN}assets/*" in each["Resource"]] == [["s3:GetObject"]]
    assert {each.removeprefix(ARN).partition("/")[0] for each in resources} == own
