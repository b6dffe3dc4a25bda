"""The local gateway keeps the rules of OpenFaaS's editions: what it takes, the real one takes too."""

from collections.abc import Iterator
from typing import Any

import pytest
from penstock.connect.edition import Edition
from penstock.local.gateway.access import Access

from tests.unit.connect.test_edition import LABELS
from tests.unit.local.conftest import Bench, until
from tests.unit.local.gateway.conftest import Running


@pytest.fixture(name="editions")
def editions_fixture(bench: Bench) -> Iterator[Any]:
    open_ones: list[Running] = []

    def make(edition: Edition, *names: str) -> Running:
        specs = [bench.spec(name) for name in ("echo", *names)]
        open_ones.append(Running(bench, bench.functions(*specs), Access(), edition))
        return open_ones[-1]

    yield make
    for each in open_ones:
        each.close()


def deploy(gateway: Running, **fields: Any) -> tuple[int, str]:
    answer = gateway.request("PUT", "/system/functions", {"service": "echo", "image": "example/echo:1", **fields})
    return answer.status, answer.text


def test_free_edition_answers_to_labels_as_its_rules_say(editions: Any) -> None:
    gateway = editions(Edition.CE)
    for label, value, refusal in LABELS:
        status, text = deploy(gateway, labels={label: value})
        assert status == (400 if refusal else 202), (label, value, text)
        if refusal:
            assert text == f"validation failed: {label}{refusal}\n"


def test_paid_editions_take_them_all(editions: Any) -> None:
    gateway = editions(Edition.PRO)
    for label, value, refusal in LABELS:
        if refusal and value:
            assert deploy(gateway, labels={label: value})[0] == 202, (label, value)
    assert deploy(gateway, annotations={"topic": "a,b"})[0] == 202


def test_free_edition_takes_one_topic_and_one_namespace(editions: Any) -> None:
    gateway = editions(Edition.CE)
    assert deploy(gateway, annotations={"topic": "a,b"}) == (
        400,
        "the topic annotation may only support one value in the Community Edition\n",
    )
    assert deploy(gateway, namespace="other") == (400, "namespace must be: openfaas-fn\n")
    assert deploy(gateway, namespace="openfaas-fn")[0] == 202


def test_free_edition_never_sets_replicas_to_zero(editions: Any) -> None:
    gateway = editions(Edition.CE)
    answer = gateway.request("POST", "/system/scale-function/echo", {"serviceName": "echo", "replicas": 0})
    assert (answer.status, answer.text) == (400, "replicas cannot be set to 0 in OpenFaaS CE\n")
    assert gateway.request("POST", "/system/scale-function/echo", {"replicas": 3}).status == 202


def test_free_edition_has_at_most_fifteen_functions(editions: Any) -> None:
    gateway = editions(Edition.CE, *(f"f{number}" for number in range(14)))
    document = {"service": "another", "image": "example/another:1"}
    answer = gateway.request("POST", "/system/functions", document)
    assert answer.status == 400
    assert answer.text.startswith("unable to create function, maximum: 15, visit https://openfaas.com/pricing")
    assert deploy(gateway)[0] == 202  # an update adds none
    gateway.request("DELETE", "/system/functions", {"functionName": "f0"})
    assert gateway.request("POST", "/system/functions", document).status == 202


@pytest.mark.parametrize("edition", Edition)
def test_functions_are_stopped_when_idle_in_both(bench: Bench, edition: Edition) -> None:
    gateway = Running(bench, bench.functions(bench.spec(zero="15m"), zero_after=0.05), Access(), edition)
    try:
        assert gateway.request("GET", "/function/echo").status == 200
        until(lambda: gateway.functions.get("echo").replicas == 0)
        assert gateway.request("GET", "/system/info").json["provider"]["edition"] == edition.value
    finally:
        gateway.close()
