"""Who may talk to whom: nothing at first, then each line that the flow of events needs."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from penstock.jobs.manifest import FUNCTION_LABEL
from penstock.render.bridge import BRIDGE
from penstock.render.manifest import NAME, Document, document, labels
from penstock.render.plan import Plan
from penstock.sinks.address import parse_sink

_NAMESPACE: Final = "kubernetes.io/metadata.name"
# Requests reach a function from Knative's activator and from the gateway inside the cluster; Kourier is Knative's own.
_KNATIVE: Final = ("knative-serving", "knative-eventing", "kourier-system", "istio-system")
_MONITORING: Final = "monitoring"
_IN_CLUSTER: Final = re.compile(r"[^.]+\.(?P<namespace>[^.]+)\.svc(\.cluster\.local)?")


def network_policies(plans: Sequence[Plan], namespace: str) -> list[Document]:
    """Deny everything in the namespace, then allow what functions and bridge need."""
    stores = sorted({host for plan in plans if (host := _in_cluster(_store_url(plan), namespace))})
    offloading = any(plan.config.jobs for plan in plans)
    everything: Document = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    made = [
        document(
            "networking.k8s.io/v1", "NetworkPolicy", "default-deny", labels=labels("network", "policy"), spec=everything
        ),
        _policy("allow-dns", {}, egress=[_dns()]),
        _policy(
            BRIDGE,
            {NAME: BRIDGE},
            ingress=[_from(*stores, "knative-eventing", _MONITORING), *([_from_watcher()] if offloading else [])],
            egress=[_to_namespaces("knative-eventing")],
        ),
    ]
    made += [
        _policy(
            plan.name,
            {NAME: plan.name},
            ingress=[_from(*_KNATIVE, _MONITORING)],
            egress=[_to_url(url, namespace) for url in _urls(plan)] + ([_to_api_server()] if plan.config.jobs else []),
        )
        for plan in plans
    ]
    made += [
        _policy(
            f"{plan.name}-jobs",
            {FUNCTION_LABEL: plan.name},
            ingress=[],
            egress=[_to_url(url, namespace) for url in (*_urls(plan), plan.config.jobs.answer_to) if url],
        )
        for plan in plans
        if plan.config.jobs
    ]
    return made


def _policy(
    name: str, pods: dict[str, str], *, ingress: list[Document] | None = None, egress: list[Document] | None = None
) -> Document:
    spec: Document = {"podSelector": {"matchLabels": pods} if pods else {}}
    spec["policyTypes"] = [kind for kind, rules in (("Ingress", ingress), ("Egress", egress)) if rules is not None]
    if ingress is not None:
        spec["ingress"] = ingress
    if egress is not None:
        spec["egress"] = egress
    return document("networking.k8s.io/v1", "NetworkPolicy", name, labels=labels("network", "policy"), spec=spec)


def _from(*namespaces: str) -> Document:
    return {"from": [_namespaces(*namespaces)]}


def _from_watcher() -> Document:
    """The letters of Jobs that failed for good: deploy/jobs/watcher.yaml."""
    return {"from": [{"podSelector": {"matchLabels": {NAME: "penstock-jobs-watcher"}}}]}


def _to_namespaces(*namespaces: str) -> Document:
    return {"to": [_namespaces(*namespaces)]}


def _namespaces(*names: str) -> Document:
    if len(names) == 1:
        return {"namespaceSelector": {"matchLabels": {_NAMESPACE: names[0]}}}
    wanted = {"key": _NAMESPACE, "operator": "In", "values": list(names)}
    return {"namespaceSelector": {"matchExpressions": [wanted]}}


def _dns() -> Document:
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {"to": [_namespaces("kube-system")], "ports": ports}


def _to_api_server() -> Document:
    # Its address is the cluster's own, and policies see the endpoint's port, not the Service's.
    return {"ports": [{"protocol": "TCP", "port": port} for port in (443, 6443)]}


def _to_url(url: str, namespace: str) -> Document:
    """Inside the cluster the whole namespace, because policies see the pods' ports and not the Service's."""
    found = _in_cluster(url, namespace)
    if found:
        return _to_namespaces(found)
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"ports": [{"protocol": "TCP", "port": port}]}


def _in_cluster(url: str, namespace: str) -> str:
    """The namespace of a Service's URL, "" for a host outside the cluster."""
    host = urlsplit(url).hostname or ""
    if host and "." not in host:
        return namespace
    found = _IN_CLUSTER.fullmatch(host)
    return found["namespace"] if found else ""


def _urls(plan: Plan) -> list[str]:
    urls = [_store_url(plan), parse_sink(plan.config.sink).url]
    return [url for url in dict.fromkeys(urls) if url]


def _store_url(plan: Plan) -> str:
    endpoint = plan.spec.environment.get("MINIO_ENDPOINT", "")
    return endpoint if "://" in endpoint or not endpoint else f"http://{endpoint}"
