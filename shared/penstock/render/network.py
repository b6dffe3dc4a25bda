"""Which pods may connect to which: none at first, then each connection that the flow of events needs."""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from penstock.jobs.manifest import FUNCTION_LABEL
from penstock.jobs.pod import Document
from penstock.render.bridge import BRIDGE
from penstock.render.manifest import NAME, document, labels
from penstock.render.plan import FunctionPlan
from penstock.settings.table import PORT
from penstock.sinks.address import parse_sink

_NAMESPACE: Final = "kubernetes.io/metadata.name"
# Requests reach a function from Knative's activator and from the gateway inside the cluster; Kourier is Knative's own.
_KNATIVE: Final = ("knative-serving", "knative-eventing", "kourier-system", "istio-system")
MONITORING: Final = "monitoring"
# queue-proxy's ports in a function's pod: HTTP/1, HTTP/2, TLS, and what the autoscaler reads
# (knative/serving, pkg/networking/constants.go).
_QUEUE_PROXY: Final = (8012, 8013, 8112, 9090)
# The receiver of a Broker, plain and with TLS.
_BROKER: Final = (8080, 8443)
# Policies see the pods' ports and not the Service's. A Service on one of these stands in front of another port, which
# its URL does not tell: these are the usual ones of object stores, search servers and Brokers.
_BEHIND: Final = {80: (80, 8080, 9000, 9200), 443: (443, 8443, 9000, 9200)}
_IN_CLUSTER: Final = re.compile(r"[^.]+\.(?P<namespace>[^.]+)\.svc(\.cluster\.local)?")


def network_policies(plans: Sequence[FunctionPlan], namespace: str, outcomes: Iterable[str] = ()) -> list[Document]:
    """Deny everything in the namespace, then allow what functions and bridge need on Knative.

    `outcomes` are what the bridge tells, as `NAME=URL`.
    """
    return [
        *basic_policies(),
        policy(
            BRIDGE,
            {NAME: BRIDGE},
            ingress=bridge_callers(plans, namespace, "knative-eventing"),
            egress=[to_namespaces("knative-eventing", ports=_BROKER), *to_outcomes(outcomes, namespace)],
        ),
        *(
            policy(
                plan.name,
                {NAME: plan.name},
                ingress=[from_namespaces(*_KNATIVE, ports=_QUEUE_PROXY), from_namespaces(MONITORING)],
                egress=function_egress(plan, namespace),
            )
            for plan in plans
        ),
        *job_policies(plans, namespace),
    ]


def basic_policies() -> list[Document]:
    """No connection for any pod of the namespace, but for DNS."""
    everything: Document = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    own = labels("network", "policy")
    return [
        document("networking.k8s.io/v1", "NetworkPolicy", "default-deny", labels=own, spec=everything),
        policy("allow-dns", {}, egress=[_dns()]),
    ]


def bridge_callers(plans: Sequence[FunctionPlan], namespace: str, *others: str) -> list[Document]:
    """Who may reach the bridge: the object stores, the monitoring, the namespaces `others`, and the watcher of Jobs."""
    stores = sorted({host for plan in plans if (host := _in_cluster(_store_url(plan), namespace))})
    watcher = [from_pods("penstock-jobs-watcher")] if any(plan.config.jobs for plan in plans) else []
    return [from_namespaces(*stores, *others, MONITORING), *watcher]


def function_egress(plan: FunctionPlan, namespace: str) -> list[Document]:
    """What a function may reach: its store, its sink, and the API server where it makes Jobs."""
    return [to_url(url, namespace) for url in _urls(plan)] + ([_to_api_server()] if plan.config.jobs else [])


def job_policies(plans: Sequence[FunctionPlan], namespace: str) -> list[Document]:
    """What the Jobs of functions may reach."""
    return [
        policy(
            f"{plan.name}-jobs",
            {FUNCTION_LABEL: plan.name},
            ingress=[],
            egress=[to_url(url, namespace) for url in (*_urls(plan), plan.config.jobs.answer_to) if url],
        )
        for plan in plans
        if plan.config.jobs
    ]


def policy(
    name: str, pods: dict[str, str], *, ingress: list[Document] | None = None, egress: list[Document] | None = None
) -> Document:
    spec: Document = {"podSelector": {"matchLabels": pods} if pods else {}}
    spec["policyTypes"] = [kind for kind, rules in (("Ingress", ingress), ("Egress", egress)) if rules is not None]
    if ingress is not None:
        spec["ingress"] = ingress
    if egress is not None:
        spec["egress"] = egress
    return document("networking.k8s.io/v1", "NetworkPolicy", name, labels=labels("network", "policy"), spec=spec)


def from_namespaces(*namespaces: str, ports: Sequence[int] = (PORT.default,)) -> Document:
    return {"from": [_namespaces(*namespaces)], "ports": _tcp(*ports)}


def from_pods(*names: str) -> Document:
    """From the pods of these names in the same namespace."""
    return {"from": [{"podSelector": _selector(NAME, names)}], "ports": _tcp(PORT.default)}


def to_pods(*names: str) -> Document:
    """To the pods of these names in the same namespace."""
    return {"to": [{"podSelector": _selector(NAME, names)}], "ports": _tcp(PORT.default)}


def to_ports(*ports: int) -> Document:
    """To these ports at any address."""
    return {"ports": _tcp(*ports)}


def to_namespaces(*namespaces: str, ports: Sequence[int]) -> Document:
    return {"to": [_namespaces(*namespaces)], "ports": _tcp(*ports)}


def _tcp(*ports: int) -> list[Document]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _namespaces(*names: str) -> Document:
    return {"namespaceSelector": _selector(_NAMESPACE, names)}


def _selector(label: str, values: Sequence[str]) -> Document:
    if len(values) == 1:
        return {"matchLabels": {label: values[0]}}
    return {"matchExpressions": [{"key": label, "operator": "In", "values": list(values)}]}


def _dns() -> Document:
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {"to": [_namespaces("kube-system")], "ports": ports}


def _to_api_server() -> Document:
    # Its address differs in each cluster, and policies see the endpoint's port, not the Service's.
    return to_ports(443, 6443)


def to_outcomes(outcomes: Iterable[str], namespace: str) -> list[Document]:
    """One rule for each place that the URLs of `NAME=URL` lead to."""
    found = [to_url(each.partition("=")[2], namespace) for each in outcomes]
    return [each for number, each in enumerate(found) if each not in found[:number]]


def to_url(url: str, namespace: str) -> Document:
    """One rule for a URL: outside the cluster its port anywhere, inside it the port of the pods behind the Service."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = _in_cluster(url, namespace)
    if found:
        return to_namespaces(found, ports=_BEHIND.get(port, (port,)))
    return to_ports(port)


def _in_cluster(url: str, namespace: str) -> str:
    """The namespace of a Service's URL, "" for a host outside the cluster."""
    host = urlsplit(url).hostname or ""
    if host and "." not in host:
        return namespace
    found = _IN_CLUSTER.fullmatch(host)
    return found["namespace"] if found else ""


def _urls(plan: FunctionPlan) -> list[str]:
    urls = [_store_url(plan), parse_sink(plan.config.sink).url]
    return [url for url in dict.fromkeys(urls) if url]


def _store_url(plan: FunctionPlan) -> str:
    endpoint = plan.spec.environment.get("MINIO_ENDPOINT", "")
    return endpoint if "://" in endpoint or not endpoint else f"http://{endpoint}"
