"""What an overlay may choose of a kustomize base: addresses out of one file, one way in only, servers elsewhere.

A component is a folder that an overlay names: https://github.com/kubernetes-sigs/kustomize, its page "components".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from penstock.jobs.pod import Document
from penstock.render.bridge import BRIDGE
from penstock.render.manifest import COMPONENT, NAME
from penstock.render.network import policy, to_ports
from penstock.settings.connector_table import OUTCOME_URLS
from penstock.settings.table import MINIO_ENDPOINT, SINK
from penstock.sinks.address import parse_sink

# The ConfigMap of the addresses. It stays in the overlay: kustomize leaves it out of what it prints.
VALUES: Final = "penstock-values"
KAFKA: Final = "KAFKA_BOOTSTRAP_SERVERS"
_PODS: Final = {
    "Deployment": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
# Object stores and search servers, PostgreSQL, Cassandra; Kafka: on their usual ports.
_STORES: Final = (80, 443, 5432, 8443, 9000, 9042, 9200)
_BROKERS: Final = (9092, 9093, 9094)
# Receivers of outcomes, as Services and as pods.
_RECEIVERS: Final = (80, 443, 8080, 8443)
# Of the two components for outcomes, the one that only opens the way.
_TO_OUTSIDE: Final = "outcomes-to-outside"


def component(**members: Any) -> Document:
    """A component's kustomization."""
    return {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", **members}


def values(documents: Sequence[Document]) -> Document:
    """The component that takes the addresses of servers from the ConfigMap `VALUES`, one key for each.

    `MINIO_ENDPOINT` is one key where all functions have one store, else a key for each function. A SINK on a server is
    `INDEX_SINK` for the function `index`; a SINK in a bucket stays.
    """
    places: dict[str, list[Document]] = {}
    for found in documents:
        for key, path in _addresses(found, one_store=_has_one_store(documents)):
            select = {"kind": found["kind"], "name": found["metadata"]["name"]}
            places.setdefault(key, []).append({"select": select, "fieldPaths": [path]})
    return component(replacements=[_replacement(key, targets) for key, targets in places.items()])


def difference(before: Sequence[Document], after: Sequence[Document]) -> Document:
    """The component that makes `after` of `before`: deletes what is not there any more, and patches what differs.

    `after` may have nothing that `before` does not have.
    """
    wanted = {(each["kind"], each["metadata"]["name"]): each for each in after}
    patches: list[Document] = []
    for found in before:
        kind, name = found["kind"], found["metadata"]["name"]
        if (kind, name) not in wanted:
            gone = {"$patch": "delete", "apiVersion": found["apiVersion"], "kind": kind, "metadata": {"name": name}}
            patches.append({"patch": _text(gone)})
        elif steps := list(_steps(found, wanted[kind, name], "")):
            patches.append({"target": {"kind": kind, "name": name}, "patch": _text(steps)})
    return component(patches=patches)


def outside_policies(namespace: str) -> list[Document]:
    """NetworkPolicies beside the others: functions may reach stores, and the connector brokers, at any address."""
    reach = {"function": _STORES, "reconcile": _STORES, "connector": _BROKERS}
    return [_way(f"{pods}-to-outside", {COMPONENT: pods}, ports, namespace) for pods, ports in reach.items()]


def _way(name: str, pods: dict[str, str], ports: Sequence[int], namespace: str) -> Document:
    """A NetworkPolicy of a component. A base gives its namespace to its own files only, so this one names it."""
    made = policy(name, pods, egress=[to_ports(*ports)])
    made["metadata"]["namespace"] = namespace
    return made


def outcomes(namespace: str) -> dict[str, list[Document]]:
    """Files of two components for what the bridge tells of ends; `namespace` is the bridge's.

    `outcomes` takes OUTCOME_URLS from the ConfigMap `VALUES` and lets the bridge reach receivers at any address;
    `outcomes-to-outside` only lets it reach them, for URLs in the Secret outcome-urls.
    """
    way = _way("bridge-to-outside", {NAME: BRIDGE}, _RECEIVERS, namespace)
    bridge = {"kind": "StatefulSet", "name": BRIDGE}
    container = {"name": "bridge", "env": [{"name": OUTCOME_URLS.name, "value": ""}]}
    setting: Document = {
        "apiVersion": "apps/v1",
        "kind": bridge["kind"],
        "metadata": {"name": BRIDGE},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    place = f"spec.template.spec.containers.[name=^bridge$].env.[name=^{OUTCOME_URLS.name}$].value"
    told = component(
        components=[f"../{_TO_OUTSIDE}"],
        patches=[{"target": bridge, "patch": _text(setting)}],
        replacements=[_replacement(OUTCOME_URLS.name, [{"select": bridge, "fieldPaths": [place]}])],
    )
    return {
        "components/outcomes/kustomization.yaml": [told],
        f"components/{_TO_OUTSIDE}/kustomization.yaml": [component(resources=["policies.yaml"])],
        f"components/{_TO_OUTSIDE}/policies.yaml": [way],
    }


def _replacement(key: str, targets: list[Document]) -> Document:
    return {"source": {"kind": "ConfigMap", "name": VALUES, "fieldPath": f"data.{key}"}, "targets": targets}


def _has_one_store(documents: Iterable[Document]) -> bool:
    return len({value for each in documents for name, value, _ in _settings(each) if name == MINIO_ENDPOINT.name}) == 1


def _addresses(found: Document, *, one_store: bool) -> Iterator[tuple[str, str]]:
    """Which keys of the values a manifest reads, and where they go."""
    owner = str(found["metadata"].get("labels", {}).get(NAME, "")).upper().replace("-", "_")
    for name, value, path in _settings(found):
        if name == KAFKA or (name == MINIO_ENDPOINT.name and one_store):
            yield name, path
        elif name == MINIO_ENDPOINT.name or (name == SINK.name and parse_sink(value).url):
            yield f"{owner}_{name}", path
    if found["kind"] == "ScaledObject" and any(each["type"] == "kafka" for each in found["spec"]["triggers"]):
        yield KAFKA, "spec.triggers.[type=^kafka$].metadata.bootstrapServers"


def _settings(found: Document) -> Iterator[tuple[str, str, str]]:
    """Name, value and place of each setting of a workload's containers."""
    if found["kind"] not in _PODS:
        return
    pod: Mapping[str, Any] = found
    for step in _PODS[found["kind"]]:
        pod = pod[step]
    path = ".".join(_PODS[found["kind"]])
    for container in pod["containers"]:
        for each in container.get("env", []):
            # kustomize searches with a regular expression: `SINK` alone would also find SINK_CA_FILE.
            place = f"{path}.containers.[name=^{container['name']}$].env.[name=^{each['name']}$].value"
            yield each["name"], str(each.get("value", "")), place


def _steps(before: Any, after: Any, path: str) -> Iterator[Document]:
    """The steps of a JSON patch (RFC 6902). Values that stay are left as an overlay may have set them by then."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in after:
                yield {"op": "remove", "path": place}
            else:
                yield from _steps(value, after[key], place)
        for key in [each for each in after if each not in before]:
            place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            yield {"op": "add", "path": place, "value": after[key]}
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _steps(old, new, f"{path}/{index}")
    elif isinstance(before, list) and isinstance(after, list) and [each for each in before if each in after] == after:
        # From the last one, so that the places of the others stay true.
        for index in reversed([index for index, each in enumerate(before) if each not in after]):
            yield {"op": "remove", "path": f"{path}/{index}"}
    else:
        yield {"op": "replace", "path": path, "value": after}


def _text(patch: Any) -> str:
    return yaml.safe_dump(patch, sort_keys=False, width=1000)
