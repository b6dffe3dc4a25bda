"""Deploying, replacing and removing functions through the gateway."""

from typing import Any

import pytest
from penstock.types import ObjectRef

from tests.unit.local.gateway.conftest import Running


def test_deploying_maps_the_name_to_its_folder_and_says_so(gateway: Running) -> None:
    document = {
        "service": "another",
        "image": "registry/another:2",
        "envVars": {"OPTION_NEW": "yes"},
        "labels": {"a": "b"},
    }
    assert gateway.request("PUT", "/system/functions", document).status == 404
    answer = gateway.request("POST", "/system/functions", document)

    assert answer.status == 202
    assert f"runs from {gateway.bench.folder / 'another'}" in answer.text
    assert "image registry/another:2 is not pulled" in answer.text
    assert gateway.changes == 1
    spec = gateway.functions.get("another").spec
    assert (spec.environment["OPTION_NEW"], spec.labels) == ("yes", {"a": "b"})


def test_deploying_keeps_what_only_this_stack_knows(gateway: Running) -> None:
    document = {"service": "echo", "image": "x", "envVars": {"KEPT": "here", "OPTION_LEVEL": "3"}}
    assert gateway.request("PUT", "/system/functions", document).status == 202
    environment = gateway.functions.get("echo").spec.environment
    assert (environment["KEPT"], environment["OPTION_LEVEL"]) == ("ours", "3")


def test_image_may_name_the_folder(gateway: Running) -> None:
    document = {"service": "copy", "image": "registry.example.com/penstock-another:0.1.0"}
    assert gateway.request("POST", "/system/functions", document).status == 202
    assert gateway.functions.get("copy").spec.handler == gateway.bench.folder / "another"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "service: missing"),
        ({"service": "x", "image": "nginx"}, "neither the name nor the image 'nginx' is in"),
        ({"service": "another", "envVars": {"A": 1}}, "envVars: expected an object whose values are text"),
        ({"service": "another", "envVars": {"SOURCE": "upload"}}, "SOURCE: 'upload'"),
    ],
)
def test_deployment_that_cannot_work_is_refused(gateway: Running, document: dict[str, Any], reason: str) -> None:
    answer = gateway.request("POST", "/system/functions", document)
    assert answer.status == 400
    assert reason in answer.text
    assert len(list(gateway.functions)) == 2


def test_removed_function_is_gone(gateway: Running) -> None:
    assert gateway.request("DELETE", "/system/functions", {"functionName": "echo"}).status == 202
    assert gateway.request("GET", "/function/echo").status == 404
    assert gateway.request("DELETE", "/system/functions", {"functionName": "echo"}).status == 404
    assert not gateway.router.wanted("s3:ObjectCreated:Put", ObjectRef("upload", "a.csv"))
