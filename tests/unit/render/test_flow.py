"""What flows where: the graph that stack.yml and lake.yml say, and Mermaid's text for it."""

from pathlib import Path

import pytest
from penstock.errors import ConfigError
from penstock.lake.file import load_lake
from penstock.render.flow import Flow, FlowNode, Step, flow_of, mermaid, patterns
from penstock.settings.config import SourceRule
from penstock.settings.stackfile import FunctionSpec, load_stack

from tests.paths import ROOT


def spec(name: str, source: str, sink: str) -> FunctionSpec:
    return FunctionSpec(name, Path("/functions") / name, environment={"SOURCE": source, "SINK": sink})


def steps(flow: Flow) -> set[tuple[str, str, str]]:
    return {
        (f"{step.start.kind} {step.start.name}", f"{step.end.kind} {step.end.name}", step.label) for step in flow.steps
    }


def test_functions_are_joined_by_the_buckets_between_them() -> None:
    flow = flow_of(
        [
            spec("zip", "s3://entry/*.csv", "s3://packed/{key}.gz"),
            spec("list", "s3://packed/*", "sqlite:///data/all.db"),
        ]
    )
    assert steps(flow) == {
        ("bucket entry", "function zip", "*.csv"),
        ("function zip", "bucket packed", "{key}.gz"),
        ("bucket packed", "function list", ""),
        ("function list", "index all.db", ""),
    }


def test_notification_targets_stand_between_a_bucket_and_its_functions() -> None:
    stack = load_stack(ROOT / "stack.yml", {})
    flow = flow_of(stack.functions.values(), load_lake(ROOT / "examples/chapter/lake.yml", {}))
    found = steps(flow)
    assert {("bucket upload", "queue upload", "*.csv"), ("queue upload", "function compress", "")} <= found
    assert ("bucket upload", "function compress", "*.csv") not in found
    # A search server gets events and calls no function.
    assert ("bucket processed", "index processed", "") in found
    assert not [step for step in flow.steps if step.start == FlowNode("index", "processed", "elasticsearch")]


def test_functions_without_a_target_of_the_lake_hear_of_their_bucket_directly() -> None:
    stack = load_stack(ROOT / "stack.yml", {})
    flow = flow_of(stack.functions.values(), load_lake(ROOT / "examples/chapter/lake.yml", {}))
    assert ("bucket images", "function resize", "*.jpg and 10 more") in steps(flow)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("s3://lake/*", ""),
        ("s3://lake/* s3://lake/*.csv", ""),
        ("s3://lake/in/*", "in/*"),
        ("s3://lake/*.csv s3://lake/in/*.tsv", "*.csv, in/*.tsv"),
        ("s3://lake/*.{a,b,c}", "*.a and 2 more"),
    ],
)
def test_label_says_which_keys_are_taken(text: str, label: str) -> None:
    assert patterns(SourceRule.parse_all(text)) == label


def test_mermaid_escapes_what_it_would_read_as_its_own() -> None:
    flow = Flow(
        (FlowNode("bucket", "in"), FlowNode("function", "f")),
        (Step(FlowNode("bucket", "in"), FlowNode("function", "f"), 'a"<b>&*'),),
    )
    assert mermaid(flow) == (
        "flowchart LR\n"
        '    n0[("in")]\n'
        '    n1("f")\n'
        '    n0 -->|"a#quot;#lt;b#gt;#amp;*"| n1\n'
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "sink"), [("upload/*", "s3://processed/{key}"), ("s3://upload/*", "s3://processed/{kay}")]
)
def test_wrong_settings_name_their_function(source: str, sink: str) -> None:
    good = spec("good", "s3://entry/*", "s3://packed/{key}")
    with pytest.raises(ConfigError, match=r"^function wrong: S"):
        flow_of([good, spec("wrong", source, sink)])
