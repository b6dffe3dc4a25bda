"""Set-ups that would never come to rest are refused, with the functions and keys that make them so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from penstock.errors import ConfigError
from penstock.lake.graph import Graph, Node, make_graph, refuse_loops
from penstock.lake.model import NotificationTarget, Rule, TargetRef
from penstock.settings.config import SourceRule
from penstock.settings.stackfile import FunctionSpec, load_stack

from tests.paths import STACK_YML

Problems = Callable[..., list[str]]


def graph(**functions: tuple[str, str]) -> Graph:
    """Functions with SOURCE and SINK."""
    return make_graph(
        FunctionSpec(name, Path(), environment={"SOURCE": source, "SINK": sink})
        for name, (source, sink) in functions.items()
    )


@pytest.mark.parametrize(
    ("functions", "loops"),
    [
        ({"a": ("s3://one/*", "s3://one/{key}.gz")}, ["a -> a"]),
        ({"a": ("s3://one/in/*", "s3://one/out/{key}")}, []),
        ({"a": ("s3://one/*.csv", "s3://one/{key}.gz")}, []),
        ({"a": ("s3://one/*", "s3://two/{key}"), "b": ("s3://two/*", "s3://one/{key}")}, ["a -> b -> a"]),
        ({"a": ("s3://one/*.csv", "s3://two/{key}.gz"), "b": ("s3://two/*.gz", "s3://one/{stem}.txt")}, []),
        (
            {
                "a": ("s3://one/*", "s3://two/{key}"),
                "b": ("s3://two/*", "s3://three/{key}"),
                "c": ("s3://three/*", "s3://one/{key}"),
            },
            ["a -> b -> c -> a"],
        ),
        (
            {
                "a": ("s3://one/*", "s3://two/{key}"),
                "b": ("s3://two/*", "s3://one/{key}"),
                "c": ("s3://two/*", "s3://one/{key}"),
            },
            ["a -> b -> a", "a -> c -> a"],
        ),
        ({"a": ("s3://one/* s3://two/*", "s3://two/{key}")}, ["a -> a"]),
        ({"a": ("s3://one/*", "sqlite:///index.db"), "b": ("", "")}, []),
    ],
)
def test_each_circle_of_functions_is_told_once(functions: dict[str, tuple[str, str]], loops: list[str]) -> None:
    found = list(graph(**functions).loops())

    assert [text.partition(":")[0] for text in found] == loops


def test_a_circle_is_told_with_what_closes_it() -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_loops(graph(pack=("s3://one/*.csv", "s3://two/{key}.gz"), unpack=("s3://two/*", "s3://one/{stem}")))

    assert str(caught.value) == (
        "pack -> unpack -> pack: an endless loop: pack writes s3://two/*.csv.gz and unpack reads s3://two/*; "
        "unpack writes s3://one/* and pack reads s3://one/*.csv; give one of them another bucket, prefix or suffix"
    )


def test_the_projects_own_functions_make_no_circle() -> None:
    refuse_loops(make_graph(load_stack(STACK_YML, {}).functions.values()))


def test_a_wrong_setting_names_the_function() -> None:
    with pytest.raises(ConfigError, match="function a: SOURCE: 'one': expected s3://BUCKET"):
        graph(a=("one", "s3://two/{key}"))


def test_a_circle_in_the_stack_is_told_in_the_lake_file(problems: Problems, tmp_path: Path) -> None:
    (tmp_path / "loop.yml").write_text(
        "functions:\n  a:\n    handler: .\n    environment: {SOURCE: s3://one/*, SINK: 's3://one/{key}.gz'}\n"
    )

    (problem,) = problems("name: n\nstack: loop.yml\n")

    assert problem.startswith(
        "lake.yml:2: stack: a -> a: an endless loop: a writes s3://one/*.gz and a reads s3://one/*"
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://gateway.openfaas:8080/function/compress",
        "http://gateway.openfaas:8080/function/compress/event",
        "http://gateway:8080/async-function/compress",
        "http://compress:8080/",
        "http://compress.default.svc.cluster.local/event",
        "https://compress.default.example.com",
    ],
)
def test_a_webhook_to_a_function_itself_is_refused(endpoint: str) -> None:
    functions = graph(compress=("s3://upload/*", "s3://processed/{key}"))

    ((key, text),) = functions.target_problems(NotificationTarget(TargetRef("webhook", "w"), {"endpoint": endpoint}))

    assert key == "endpoint"
    assert text.startswith("leads to the function compress itself")
    assert "penstock bridge" in text


@pytest.mark.parametrize("endpoint", ["http://bridge:8080/", "http://127.0.0.1:8080/events", "http://[", ""])
def test_a_webhook_elsewhere_is_fine(endpoint: str) -> None:
    functions = graph(compress=("s3://upload/*", "s3://processed/{key}"))

    assert not list(functions.target_problems(NotificationTarget(TargetRef("webhook", "w"), {"endpoint": endpoint})))


def rule_problems(kind: str, bucket: str, *events: str, topic: str = "", function: str = "") -> list[str]:
    source = SourceRule("upload", "", ".csv")
    functions = Graph({"compress": Node("compress", (source,), (), frozenset({"upload"}))})
    ref = TargetRef(kind, "t")  # type: ignore[arg-type]
    target = NotificationTarget(ref, {"topic": topic} if topic else {})
    return [key for key, _ in functions.rule_problems(Rule(bucket, ref, "", "", events), target, function)]


def test_accessed_events_never_reach_a_function() -> None:
    assert rule_problems("webhook", "upload", "s3:ObjectAccessed:Get") == ["events"]
    assert rule_problems("kafka", "other", "s3:ObjectAccessed:*", topic="upload") == ["events"]
    assert rule_problems("mqtt", "upload", "s3:ObjectCreated:*", "s3:ObjectAccessed:*", topic="t") == ["events"]
    assert rule_problems("kafka", "other", "s3:ObjectAccessed:*", function="compress") == ["events"]


def test_accessed_events_may_go_where_no_function_is() -> None:
    assert rule_problems("kafka", "other", "s3:ObjectAccessed:*", topic="audit") == []
    assert rule_problems("elasticsearch", "upload", "s3:ObjectAccessed:*") == []


def test_a_topic_that_the_function_does_not_take_is_refused() -> None:
    assert rule_problems("kafka", "upload", "s3:ObjectCreated:*", topic="uploads", function="compress") == ["target"]
    assert rule_problems("kafka", "upload", "s3:ObjectCreated:*", topic="upload", function="compress") == []
