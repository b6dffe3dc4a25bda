"""What the examination of a gateway says, against the local gateway in both editions and a played foreign one."""

from typing import Any

import pytest
from penstock.connect.openfaas import OpenFaasGateway
from penstock.doctor.finding import Grade
from penstock.doctor.openfaas import examine
from penstock.errors import TemporaryError
from penstock.settings.stackfile import FunctionSpec, load_stack
from pytest_httpserver import HTTPServer

from tests.paths import ROOT

STACK = list(load_stack(ROOT / "stack.yml", {}).functions.values())


def play(server: HTTPServer, provider: str, functions: list[dict[str, Any]], secrets: tuple[str, ...]) -> str:
    """A gateway's answers, as faas-netes gives them."""
    info = {"provider": {"provider": provider, "version": {"release": "0.18.15"}}, "version": {"release": "0.27.13"}}
    server.expect_request("/system/info").respond_with_json(info)
    server.expect_request("/system/functions").respond_with_json(functions)
    listed = [{"name": name, "namespace": "openfaas-fn"} for name in secrets]
    server.expect_request("/system/secrets").respond_with_json(listed)
    return server.url_for("").rstrip("/")


def said(url: str, specs: list[FunctionSpec], grade: Grade | None = None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in examine(OpenFaasGateway(url), specs):
        if grade in (None, each.grade):
            found.setdefault(each.subject, []).append(each.text)
    return found


STORE = ("minio-access-key", "minio-secret-key")
SINK = ("sink-username", "sink-password", "search-ca")


def test_free_edition_takes_the_committed_stack_file_and_keeps_one_replica(httpserver: HTTPServer) -> None:
    url = play(httpserver, "faas-netes-ce", [], (*STORE, *SINK))
    assert said(url, STACK, Grade.PROBLEM) == {}
    found = said(url, STACK)
    assert found[url] == ["faas-netes-ce 0.18.15: the free Community Edition"]
    assert found["scale to zero"] == [
        "compress, resize, index: one replica always runs, because replicas are never 0 in this edition"
    ]
    assert found["retries"] == ["the gateway does not retry: it ignores the annotations com.openfaas.retry..."]
    assert found["compress"] == ["is in the stack file and not deployed"]


def test_free_edition_refuses_the_stack_file_for_paid_ones(httpserver: HTTPServer) -> None:
    url = play(httpserver, "faas-netes-ce", [], (*STORE, *SINK))
    paid = list(load_stack(ROOT / "stack.pro.yml", {}).functions.values())
    refused = "a deployment is refused: com.openfaas.scale.zero not available for Community Edition"
    assert said(url, paid, Grade.PROBLEM) == {name: [refused] for name in ("compress", "resize", "index")}


def test_paid_edition_needs_the_labels(httpserver: HTTPServer) -> None:
    url = play(httpserver, "faas-netes-operator", [], STORE)
    assert "penstock.dev/scale.zero, " in said(url, STACK, Grade.NOTE)["compress"][0]
    paid = list(load_stack(ROOT / "stack.pro.yml", {}).functions.values())
    assert said(url, paid, Grade.NOTE)["compress"] == ["is in the stack file and not deployed"]


def test_missing_secrets_and_too_many_functions_are_problems(httpserver: HTTPServer) -> None:
    deployed = [{"name": f"f{number}", "availableReplicas": 1} for number in range(13)]
    url = play(httpserver, "faas-netes-ce", deployed, ("minio-access-key",))
    found = said(url, STACK, Grade.PROBLEM)
    assert found["functions"] == ["16 functions, deployed and in the stack file: it takes at most 15"]
    assert found["resize"] == ["a deployment is refused: there is no secret minio-secret-key"]


def test_deployed_functions_are_looked_at(httpserver: HTTPServer) -> None:
    deployed = [
        {"name": "asleep", "availableReplicas": 0, "annotations": {"topic": "upload"}},
        {"name": "deaf", "availableReplicas": 1},
        {"name": "well", "availableReplicas": 1, "annotations": {"topic": "upload"}},
    ]
    url = play(httpserver, "faas-netes-ce", deployed, ())
    found = {each.subject: each for each in examine(OpenFaasGateway(url), [])}
    assert (found["asleep"].grade, found["asleep"].text) == (Grade.PROBLEM, "does not become ready")
    assert found["deaf"].text == "has no annotation `topic`: no connector sends it events"
    assert found["well"].grade is Grade.GOOD


def test_unknown_provider_is_said_to_be_unknown(httpserver: HTTPServer) -> None:
    url = play(httpserver, "containerd", [], STORE)
    assert said(url, [])[url] == ["containerd 0.18.15: which edition's rules it keeps is not known here"]


def test_another_server_is_named(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/system/info").respond_with_data("<html>")
    with pytest.raises(TemporaryError, match="no description of itself"):
        examine(OpenFaasGateway(httpserver.url_for("")), [])
