"""docs/lake.md shows a file that is in order, and leaves no key and no option out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from penstock.commands.reference import reference
from penstock.lake.keys import KEYS, KINDS, TargetKind
from penstock.lake.model import DeclaredLake

from tests import paths

DOCS = (paths.DOCS / "lake.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    return DOCS.partition(f"```{language}\n")[2].partition("```")[0]


def test_the_file_in_the_docs_is_in_order(read: Callable[..., DeclaredLake], tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "kafka-password").write_text("secret")

    lake = read(block("yaml"), BRIDGE_TOKEN="token")

    assert [str(target.ref) for target in lake.targets] == [
        "kafka:penstock-night-uploads",
        "webhook:bridge",
        "webhook:ops",
    ]
    assert [str(rule) for rule in lake.rules] == [
        "s3://upload/*.csv -> kafka:penstock-night-uploads",
        "s3://processed/reports/*.gz -> webhook:bridge",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_in_the_docs(kind: TargetKind) -> None:
    rows = [line for line in DOCS.splitlines() if line.startswith((f"| `{kind}` |", "| all |"))]

    assert [key.name for key in KEYS[kind] if f"`{key.name}`" not in "".join(rows)] == []


def test_every_command_and_option_is_in_the_docs() -> None:
    section = reference().partition("### penstock lake\n")[2].partition("### ")[0]
    commands = re.findall(r"^\*\*`penstock lake (\w+)", section, re.MULTILINE)
    options = set(re.findall(r"`(--[\w-]+)", section))
    assert {"plan", "apply"} <= set(commands)

    assert [name for name in commands if f"penstock lake {name}" not in DOCS] == []
    assert [option for option in options if f"{option}`" not in DOCS] == []


def test_the_policy_in_the_docs_is_json_without_a_right_to_read_objects() -> None:
    policy = json.loads(block("json"))

    actions = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert not actions & {"s3:GetObject", "s3:*", "admin:*"}
