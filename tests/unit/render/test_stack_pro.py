"""The stack file for paid editions: the same functions, with labels in place of annotations about scaling."""

from pathlib import Path

import pytest
import yaml
from penstock.errors import ConfigError
from penstock.render.plan import make_plans
from penstock.render.stack_pro import HEADER, render
from penstock.settings.stackfile import load_stack

from tests.paths import ROOT


def test_functions_are_the_same_but_for_where_scaling_stands() -> None:
    for env in ({}, {"REGISTRY": "registry.example/team", "TAG": "9", "INDEX_SINK": "opensearch+http://other:9200/i"}):
        free = load_stack(ROOT / "stack.yml", env).functions
        paid = load_stack(ROOT / "stack.pro.yml", env).functions
        assert list(free) == list(paid)
        for name, spec in free.items():
            other = paid[name]
            assert other.scaling == spec.scaling != {}
            assert other.labels == {f"com.openfaas.scale.{key}": value for key, value in spec.scaling.items()}
            kept = {key: value for key, value in spec.annotations.items() if not key.startswith("penstock.dev/scale.")}
            assert other.annotations == kept
            for field in ("image", "environment", "secrets", "limits", "requests", "readonly_root_filesystem"):
                assert getattr(other, field) == getattr(spec, field), field


def test_what_is_made_for_knative_is_the_same_from_either() -> None:
    plans = [make_plans(load_stack(ROOT / name, {}).functions.values()) for name in ("stack.yml", "stack.pro.yml")]
    for free, paid in zip(*plans, strict=True):
        for field in ("min_scale", "max_scale", "concurrency", "target", "idle", "attempts", "schedule"):
            assert getattr(free, field) == getattr(paid, field), field


def test_values_keep_what_they_are_and_variables_stay(tmp_path: Path) -> None:
    stack = tmp_path / "stack.yml"
    stack.write_text(
        "version: 1.0\nfunctions:\n  a:\n    image: ${REGISTRY:-x}/a\n    readonly_root_filesystem: true\n"
        "    environment: {YES: 'yes', SIZE: 0x10}\n    labels: {team: lake}\n"
        "    annotations:\n      penstock.dev/scale.max: '3'\n      topic: upload\n  b: {image: b}\n"
    )
    text = render(stack)
    assert text.startswith(f"# {HEADER}\n")
    assert "image: ${REGISTRY:-x}/a\n" in text
    assert "YES: 'yes'" in text
    assert "SIZE: 0x10" in text
    found = yaml.load(text, yaml.CSafeLoader)
    assert list(found)[-1] == "functions"
    assert found["functions"]["a"]["labels"] == {"team": "lake", "com.openfaas.scale.max": "3"}
    assert found["functions"]["a"]["annotations"] == {"topic": "upload"}
    assert found["functions"]["b"] == {"image": "b"}


def test_a_file_that_is_yaml_only_when_filled_in_is_told_so(tmp_path: Path) -> None:
    stack = tmp_path / "stack.yml"
    stack.write_text("functions:\n  a: {image: ${A:-b: c}}\n")
    with pytest.raises(ConfigError, match=r"not YAML before \$\{NAME\} is filled in"):
        render(stack)
