"""What faas-cli makes of stack.yml: requests to a gateway, Function resources. Its own binary is in no registry.

Source of the shapes: `faas-cli deploy` and `faas-cli generate` (openfaas/faas-cli, commands and schema), and
openfaas/faas-provider, types.FunctionDeployment.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from penstock.connect.edition import annotation_refusal, label_refusal
from penstock.settings.stackfile import FunctionSpec, load_stack

from tests.e2e.test_stack import Up
from tests.manifests import crd_folder, crd_schemas
from tests.paths import ROOT

STACK = load_stack(ROOT / "stack.yml", {})
SPECS = list(STACK.functions.values())
# Kubernetes' rule for label values: faas-netes puts a function's labels on its pods.
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def deployment(spec: FunctionSpec) -> dict[str, Any]:
    """The body that `faas-cli deploy` sends; fprocess comes from the template when the stack file has none."""
    template = yaml.load((ROOT / "template" / spec.lang / "template.yml").read_text(), yaml.CSafeLoader)
    body: dict[str, Any] = {
        "service": spec.name,
        "image": spec.image,
        "namespace": "openfaas-fn",
        "envProcess": spec.fprocess or template["fprocess"],
        "envVars": dict(spec.environment),
        "constraints": list(spec.constraints),
        "secrets": list(spec.secrets),
        "labels": dict(spec.labels),
        "annotations": dict(spec.annotations),
        "readOnlyRootFilesystem": spec.readonly_root_filesystem,
    }
    for name, given in (("limits", spec.limits), ("requests", spec.requests)):
        if given:
            body[name] = {"memory": given.memory, "cpu": given.cpu}
    return body


def function_resource(spec: FunctionSpec) -> dict[str, Any]:
    """The document that `faas-cli generate` prints."""
    body = deployment(spec)
    names = {"service": "name", "envVars": "environment", "envProcess": "process"}
    fields = {names.get(name, name): value for name, value in body.items() if name not in ("namespace", "envProcess")}
    return {
        "apiVersion": "openfaas.com/v1",
        "kind": "Function",
        "metadata": {"name": spec.name, "namespace": "openfaas-fn"},
        "spec": fields,
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up"))
    kept = {secret["name"] for secret in up.ask("/system/secrets")}
    for name in sorted({name for spec in SPECS for name in spec.secrets} - kept):
        assert send(up, "POST", {"name": name, "value": "a value"}, "secrets") == 202
    yield up
    assert up.stop() == 0


def send(up: Up, method: str, body: dict[str, Any], what: str = "functions") -> int:
    url = f"http://127.0.0.1:{up.port}/system/{what}"
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **up.login}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_gateway_takes_what_faas_cli_deploys(stack: Up, spec: FunctionSpec) -> None:
    """PUT first and POST after a 404, as faas-cli does; then `faas-cli describe` says the same again."""
    body = deployment(spec)
    assert send(stack, "PUT", body) == 202
    assert send(stack, "DELETE", {"functionName": spec.name}) == 202
    assert send(stack, "PUT", body) == 404
    assert send(stack, "POST", body) == 202
    found = stack.ask(f"/system/function/{spec.name}?usage=1")
    for name in ("image", "secrets", "labels", "limits", "requests", "readOnlyRootFilesystem"):
        assert found[name] == body[name], name
    assert found["annotations"] == body["annotations"]
    # This stack has a store of its own, and the index in a file: `describe` names them, and `diff` compares the list.
    elsewhere = ("SINK", "SINK_CA_FILE") if spec.name == "index" else ()
    sent = {name: value for name, value in body["envVars"].items() if name not in elsewhere}
    sent["MINIO_ENDPOINT"] = f"http://127.0.0.1:{stack.store_port}"
    assert sent.items() <= found["envVars"].items()
    [listed] = [each for each in stack.ask("/system/functions") if each["name"] == spec.name]
    assert listed["envVars"] == body["envVars"]
    assert listed["annotations"] == body["annotations"]


@pytest.mark.crds
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_function_resource_follows_openfaas_own_definition(spec: FunctionSpec) -> None:
    from jsonschema import Draft202012Validator  # takes seconds to import

    schema = crd_schemas(crd_folder())["openfaas.com", "v1", "Function"]
    assert [error.message for error in Draft202012Validator(schema).iter_errors(function_resource(spec))] == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_function_says_what_openfaas_needs_to_know(spec: FunctionSpec) -> None:
    assert spec.readonly_root_filesystem
    assert spec.annotations["com.openfaas.health.http.path"] == "/_/health"
    assert spec.annotations["com.openfaas.ready.http.path"] == "/_/ready"
    # 503 is how a function says "later"; it is not among OpenFaaS's default codes.
    assert "503" in spec.annotations["com.openfaas.retry.codes"].split(",")
    assert spec.scaling["zero"] == "true"
    # The free edition refuses labels about scaling, so the file as committed has none.
    assert not any(name.startswith("com.openfaas.scale.") for name in spec.labels)
    assert label_refusal(spec.labels) == annotation_refusal(spec.annotations) == ""
    assert spec.limits is not None
    assert spec.requests is not None
    assert all(LABEL_VALUE.fullmatch(value) and len(value) <= 63 for value in spec.labels.values())


def test_functions_are_the_last_key_because_faas_cli_new_appends() -> None:
    keys = list(yaml.load((ROOT / "stack.yml").read_text(), yaml.CSafeLoader))
    assert keys[-1] == "functions"


def test_template_is_where_faas_cli_looks_for_it() -> None:
    assert Path(ROOT / "template").is_symlink()
    assert (ROOT / "template" / SPECS[0].lang / "template.yml").is_file()
