"""The monitors of deploy/observability select what is rendered and deployed: each process once, at the right port.

tests/cluster lets a real Prometheus scrape Knative's pods. Here the pods of all platforms are selected, by the meaning
of the fields: https://prometheus-operator.dev/docs/api-reference/api/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from penstock.commands.words import COMMANDS
from penstock.settings.stackfile import load_stack

from tests.manifests import documents_in
from tests.paths import DEPLOY, ROOT

Document = Mapping[str, Any]
STACK = load_stack(ROOT / "stack.yml", {})
FUNCTIONS = sorted(STACK.functions)


@dataclass(frozen=True, slots=True)
class Pod:
    """What a monitor sees of a pod: `ports` are numbers by the names that they have in the container."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]


def documents(folder: str) -> list[tuple[str, Document]]:
    """What `kubectl apply -k` sends from a folder of deploy/, each with its namespace."""
    [kustomization] = read(f"{folder}/kustomization.yaml")
    found = [each for name in kustomization["resources"] if name.endswith(".yaml") for each in read(f"{folder}/{name}")]
    return [(kustomization.get("namespace") or each["metadata"].get("namespace", ""), each) for each in found]


def read(path: str) -> list[Any]:
    return documents_in(DEPLOY / path)


def pods_of(sent: Sequence[tuple[str, Document]]) -> Iterator[Pod]:
    """One pod of each workload that serves for as long as it is there."""
    for namespace, each in sent:
        is_knatives = each["apiVersion"] == "serving.knative.dev/v1"
        if is_knatives or each["kind"] in ("Deployment", "StatefulSet"):
            template = each["spec"]["template"]
            [container] = template["spec"]["containers"]
            [port] = container["ports"]
            # Knative names the port itself (knative/serving, pkg/apis/serving/v1, UserPortName).
            name = "user-port" if is_knatives else port["name"]
            yield Pod(
                namespace, each["metadata"]["name"], template["metadata"]["labels"], {name: port["containerPort"]}
            )


def pods_of_openfaas() -> Iterator[Pod]:
    """Functions as OpenFaaS deploys them (openfaas/faas-netes, pkg/handlers/deploy.go)."""
    for name, spec in STACK.functions.items():
        yield Pod("openfaas-fn", name, {**spec.labels, "faas_function": name}, {"http": 8080})


KNATIVE, KUBERNETES, OPENFAAS = documents("knative/base"), documents("kubernetes/base"), documents("openfaas/base")
JOBS, MQTT = documents("jobs/functions"), documents("mqtt/connector")
PLATFORMS: dict[str, tuple[list[Pod], Sequence[tuple[str, Document]]]] = {
    "knative": (list(pods_of(KNATIVE)), KNATIVE),
    "kubernetes": (list(pods_of(KUBERNETES)), KUBERNETES),
    "openfaas": ([*pods_of_openfaas(), *pods_of([*OPENFAAS, *JOBS, *MQTT])], [*OPENFAAS, *JOBS, *MQTT]),
}
of_each_platform = pytest.mark.parametrize(("pods", "sent"), PLATFORMS.values(), ids=PLATFORMS)
# Those of the object store are not Penstock's own processes.
MONITORS = [each for each in read("observability/monitors.yaml") if each["metadata"]["name"] != "minio"]


def is_selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of Kubernetes takes these labels."""
    for each in selector.get("matchExpressions", []):
        wanted = {"Exists": labels.keys(), "In": each.get("values", [])}[each["operator"]]
        if (each["key"] if each["operator"] == "Exists" else labels.get(each["key"])) not in wanted:
            return False
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def asked_by(monitor: Document, pods: Sequence[Pod], sent: Sequence[tuple[str, Document]]) -> Iterator[tuple[str, int]]:
    """Name and port of each pod that the monitor lets Prometheus ask, once for each of its ways."""
    spec = monitor["spec"]
    namespaces = spec["namespaceSelector"]["matchNames"]
    for pod in (each for each in pods if each.namespace in namespaces):
        if monitor["kind"] == "PodMonitor":
            if is_selected(spec["selector"], pod.labels):
                for endpoint in spec["podMetricsEndpoints"]:
                    assert endpoint["path"] == "/metrics"
                    is_there = endpoint.get("portNumber") in pod.ports.values() or endpoint.get("port") in pod.ports
                    if is_there:
                        yield pod.name, endpoint.get("portNumber") or pod.ports[endpoint["port"]]
            continue
        for namespace, service in sent:
            if service["kind"] != "Service" or service["apiVersion"] != "v1" or namespace != pod.namespace:
                continue
            if not is_selected({"matchLabels": service["spec"]["selector"]}, pod.labels):
                continue
            if is_selected(spec["selector"], service["metadata"]["labels"]):
                for endpoint in spec["endpoints"]:
                    assert endpoint["path"] == "/metrics"
                    for port in service["spec"]["ports"]:
                        if port["name"] == endpoint["port"]:
                            yield pod.name, pod.ports[port["targetPort"]]


@of_each_platform
def test_every_process_is_asked_once_and_by_the_monitor_of_its_platform(
    pods: list[Pod], sent: Sequence[tuple[str, Document]], request: pytest.FixtureRequest
) -> None:
    platform = request.node.callspec.id
    found = {each["metadata"]["name"]: list(asked_by(each, pods, sent)) for each in MONITORS}
    others = sorted(pod.name for pod in pods if pod.name not in FUNCTIONS)
    assert sorted(found.pop(f"penstock-functions-{platform}")) == [(name, 8080) for name in FUNCTIONS]
    assert sorted(found.pop("penstock-delivery")) == [(name, 8080) for name in others]
    assert "penstock-bridge" in others
    assert set(map(tuple, found.values())) == {()}


@of_each_platform
def test_network_policies_let_the_monitoring_in(pods: list[Pod], sent: Sequence[tuple[str, Document]]) -> None:
    monitoring = {"kubernetes.io/metadata.name": MONITORS[0]["metadata"]["namespace"]}
    for pod in pods:
        policies = [
            each["spec"]
            for namespace, each in sent
            if each["kind"] == "NetworkPolicy"
            and namespace == pod.namespace
            and "Ingress" in each["spec"]["policyTypes"]
            and is_selected(each["spec"]["podSelector"], pod.labels)
        ]
        allowed = [
            port["port"]
            for policy in policies
            for rule in policy.get("ingress", [])
            if any(
                "namespaceSelector" in way and is_selected(way["namespaceSelector"], monitoring) for way in rule["from"]
            )
            for port in rule["ports"]
        ]
        assert not policies or set(allowed) & {8080, "http"}, pod.name


def test_every_connector_has_a_name_that_is_asked_for() -> None:
    [delivery] = [each for each in MONITORS if each["metadata"]["name"] == "penstock-delivery"]
    [expression] = delivery["spec"]["selector"]["matchExpressions"]
    connectors = {f"{each.words.split()[1]}-connector" for each in COMMANDS if each.words.startswith("connect ")}
    assert connectors <= set(expression["values"])
