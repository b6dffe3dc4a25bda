"""What the Prometheus operator makes of PodMonitors and ServiceMonitors: the scrapes of a Prometheus.

https://prometheus-operator.dev/docs/api-reference/api/ says what each field means; the fields that
deploy/observability has are read here, and another one is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Where the kinds differ: role of the discovery, label of what is selected, name and number of the port.
_ROLES = {
    "PodMonitor": ("pod", "pod_label", "pod_container_port_name", "pod_container_port_number", "podMetricsEndpoints"),
    "ServiceMonitor": ("endpointslice", "service_label", "endpointslice_port_name", "", "endpoints"),
}
_FIELDS = {"port", "portNumber", "path", "interval", "honorLabels", "authorization"}


def scrapes(monitor: Mapping[str, Any], secrets: str = "") -> Iterator[dict[str, Any]]:
    """The scrapes of one monitor; the folder `secrets` has a file `NAME/KEY` for each token that it names."""
    role, selected, port_name, port_number, endpoints = _ROLES[monitor["kind"]]
    spec = monitor["spec"]
    for number, endpoint in enumerate(spec[endpoints]):
        assert endpoint.keys() <= _FIELDS, (
            f"{monitor['metadata']['name']}: {endpoint.keys() - _FIELDS} is not read here"
        )
        port = (port_name, endpoint["port"]) if "port" in endpoint else (port_number, str(endpoint["portNumber"]))
        scrape: dict[str, Any] = {
            "job_name": f"{monitor['metadata']['name']}/{number}",
            "metrics_path": endpoint["path"],
            "honor_labels": endpoint.get("honorLabels", False),
            "kubernetes_sd_configs": [{"role": role, "namespaces": {"names": spec["namespaceSelector"]["matchNames"]}}],
            "relabel_configs": [
                *_selection(spec["selector"], selected),
                _keep(*port),
                {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Failed|Succeeded", "action": "drop"},
                {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
                {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
            ],
        }
        if token := endpoint.get("authorization"):
            file = f"{secrets}/{token['credentials']['name']}/{token['credentials']['key']}"
            scrape["authorization"] = {"type": token["type"], "credentials_file": file}
        yield scrape


def _selection(selector: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for name, value in selector.get("matchLabels", {}).items():
        yield _keep(f"{kind}_{_sanitised(name)}", value)
    for each in selector.get("matchExpressions", []):
        name = _sanitised(each["key"])
        if each["operator"] == "Exists":
            yield _keep(f"{kind}present_{name}", "true")
        else:
            assert each["operator"] == "In", each["operator"]
            yield _keep(f"{kind}_{name}", *each["values"])


def _keep(label: str, *values: str) -> dict[str, Any]:
    regex = "|".join(map(re.escape, values))
    return {"source_labels": [f"__meta_kubernetes_{label}"], "regex": regex, "action": "keep"}


def _sanitised(label: str) -> str:
    return re.sub(r"\W", "_", label, flags=re.ASCII)
