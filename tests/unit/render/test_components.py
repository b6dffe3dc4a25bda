"""What an overlay may choose of the base for plain Kubernetes. kustomize itself: tests/integration/test_overlays.py."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml
from penstock.render import components, knative, openfaas
from penstock.render.kubernetes import KubernetesSettings, render
from penstock.render.plan import FunctionPlan, make_plans
from penstock.settings.stackfile import load_stack

from tests.manifests import documents_in
from tests.paths import ROOT

FUNCTIONS = load_stack(ROOT / "stack.yml", {}).functions
# A checkout may have more functions.
PLANS = make_plans(FUNCTIONS[name] for name in ("compress", "resize", "index"))
SETTINGS = KubernetesSettings("registry.example/penstock:1")
VALUES = "components/values/kustomization.yaml"


def rendered(plans: Sequence[FunctionPlan]) -> Mapping[str, str]:
    return render(plans, SETTINGS)


def keys(plans: Sequence[FunctionPlan]) -> dict[str, list[str]]:
    """The keys of the values, and the manifests that read them."""
    [found] = yaml.load_all(rendered(plans)[VALUES], yaml.CSafeLoader)
    return {
        each["source"]["fieldPath"].removeprefix("data."): [
            f"{target['select']['kind']}/{target['select']['name']}" for target in each["targets"]
        ]
        for each in found["replacements"]
    }


def with_environment(plan: FunctionPlan, **environment: str) -> FunctionPlan:
    return replace(plan, spec=replace(plan.spec, environment={**plan.spec.environment, **environment}))


def test_every_workload_that_names_a_server_reads_its_address_from_the_values() -> None:
    functions = [each for name in ("compress", "resize", "index") for each in (name, f"{name}-reconcile")]
    found = keys(PLANS)
    assert [each.partition("/")[2] for each in found["MINIO_ENDPOINT"]] == functions
    assert found["INDEX_SINK"] == ["Deployment/index", "CronJob/index-reconcile"]
    scaled = [f"ScaledObject/{plan.name}" for plan in PLANS]
    assert found["KAFKA_BOOTSTRAP_SERVERS"] == ["Deployment/kafka-connector", *scaled]
    assert len(found) == 3


def test_functions_of_two_stores_have_a_key_each() -> None:
    compress, resize, _ = PLANS
    found = keys([compress, with_environment(resize, MINIO_ENDPOINT="http://other:9000")])
    assert found["COMPRESS_MINIO_ENDPOINT"] == ["Deployment/compress", "CronJob/compress-reconcile"]
    assert found["RESIZE_MINIO_ENDPOINT"] == ["Deployment/resize", "CronJob/resize-reconcile"]
    assert "MINIO_ENDPOINT" not in found


def test_a_way_in_that_a_stack_cannot_do_without_is_not_left_out() -> None:
    deaf = [replace(plan, topics=()) for plan in PLANS]
    assert "components/webhook/kustomization.yaml" not in rendered(deaf)  # it is the base already
    assert "KAFKA_BOOTSTRAP_SERVERS" not in keys(deaf)
    # A function without topics would never wake without the bridge.
    assert "components/kafka/kustomization.yaml" not in rendered([*PLANS[:2], deaf[2]])
    assert {"components/webhook/kustomization.yaml", "components/kafka/kustomization.yaml"} <= rendered(PLANS).keys()


def document(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("before", "after", "steps"),
    [
        ({"a": [1, 2, 3, 4]}, {"a": [1, 4]}, [("remove", "/spec/a/2", None), ("remove", "/spec/a/1", None)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("replace", "/spec/a/0/b", 2)]),
        ({"a": {"x/y~z": 1}}, {"a": {"n/m": 1}}, [("remove", "/spec/a/x~1y~0z", None), ("add", "/spec/a/n~1m", 1)]),
        ({"a": [1, 2]}, {"a": [3]}, [("replace", "/spec/a", [3])]),
        ({"a": 1}, {"a": [1]}, [("replace", "/spec/a", [1])]),
    ],
)
def test_a_difference_names_its_places(
    before: dict[str, Any], after: dict[str, Any], steps: list[tuple[str, str, Any]]
) -> None:
    [patch] = components.difference([document("x", **before)], [document("x", **after)])["patches"]
    assert patch["target"] == {"kind": "Thing", "name": "x"}
    found = yaml.load(patch["patch"], yaml.CSafeLoader)
    assert [(each["op"], each["path"], each.get("value")) for each in found] == steps


def test_what_is_gone_is_deleted_and_what_is_equal_stays() -> None:
    [patch] = components.difference([document("x"), document("y")], [document("y")])["patches"]
    gone = yaml.load(patch["patch"], yaml.CSafeLoader)
    assert (gone["$patch"], gone["kind"], gone["metadata"]) == ("delete", "Thing", {"name": "x"})


def test_the_example_has_the_values_that_the_component_reads() -> None:
    [found] = documents_in(ROOT / "deploy/kubernetes/overlays/example/values.yaml")
    assert found["metadata"]["name"] == components.VALUES
    assert found["data"].keys() == keys(PLANS).keys()


@pytest.mark.parametrize(
    ("texts", "namespace"),
    [
        (rendered(PLANS), "penstock"),
        (knative.render(PLANS, knative.KnativeSettings("registry.example/penstock:1")), "penstock"),
        (openfaas.render(PLANS, "registry.example/penstock:1", "http://gateway.openfaas:8080"), "openfaas"),
    ],
    ids=["kubernetes", "knative", "openfaas"],
)
def test_each_platform_has_the_components_for_outcomes(texts: Mapping[str, str], namespace: str) -> None:
    [told] = yaml.load_all(texts["components/outcomes/kustomization.yaml"], yaml.CSafeLoader)
    assert told["components"] == ["../outcomes-to-outside"]
    [replacement] = told["replacements"]
    assert replacement["source"]["fieldPath"] == "data.OUTCOME_URLS"
    [way] = yaml.load_all(texts["components/outcomes-to-outside/policies.yaml"], yaml.CSafeLoader)
    assert way["metadata"]["namespace"] == namespace
    assert way["spec"]["policyTypes"] == ["Egress"]
    [bridge] = [each for each in yaml.load_all(texts["bridge.yaml"], yaml.CSafeLoader) if each["kind"] == "StatefulSet"]
    wanted = way["spec"]["podSelector"]["matchLabels"]
    assert wanted.items() <= bridge["spec"]["template"]["metadata"]["labels"].items()
