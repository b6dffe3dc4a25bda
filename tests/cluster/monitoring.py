"""Prometheus in the cluster, which scrapes what the monitors of deploy/observability name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import kube_state
from tests.cluster.lake import CONNECTORS_IMAGE, ClusterLake
from tests.cluster.monitors import scrapes
from tests.cluster.pages import block_with
from tests.components.crds import GO_CRDS
from tests.components.install import HERE
from tests.components.prometheus import PROMETHEUS, PrometheusApi, configuration
from tests.observability import rule_groups

NAMESPACE = "monitoring"
_PAGE = "deploying.md"
_MANIFEST = HERE / "cluster" / "manifests" / "prometheus.yaml"
# As kube-prometheus-stack has one for kube-state-metrics: its labels are those of the Job, not of its own pod.
_KUBE_STATE = {
    "kind": "PodMonitor",
    "metadata": {"name": "kube-state"},
    "spec": {
        "namespaceSelector": {"matchNames": [NAMESPACE]},
        "selector": {"matchLabels": {"app": "kube-state"}},
        "podMetricsEndpoints": [{"port": "http", "path": "/metrics", "honorLabels": True}],
    },
}


def start_prometheus(lake: ClusterLake) -> PrometheusApi:
    """The blocks of the page, and a Prometheus with what its operator would make of them."""
    server = lake.server
    definitions = next(each for each in GO_CRDS if each.name == "prometheus-operator").install()
    for file in sorted(definitions.iterdir()):
        server.apply(file.read_text(encoding="utf-8"))
    lake.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s")
    lake.run(block_with(_PAGE, "kubectl apply -k deploy/observability"))
    lake.run(block_with(_PAGE, "mc admin prometheus generate"))
    monitors = json.loads(lake.kubectl("get", "podmonitors,servicemonitors", "-n", NAMESPACE, "-o", "json"))["items"]
    wanted = [scrape for monitor in [*monitors, _KUBE_STATE] for scrape in scrapes(monitor, "/etc/secrets")]
    files = {
        "prometheus": {
            "prometheus.yml": configuration(wanted, "rules.yml"),
            "rules.yml": yaml.safe_dump({"groups": rule_groups()}),
        },
        "kube-state": {"kube_state.py": Path(kube_state.__file__).read_text(encoding="utf-8")},
    }
    server.apply_documents([_config_map(name, data) for name, data in files.items()])
    server.import_programs({"prometheus": PROMETHEUS.install() / "prometheus"})
    server.apply(_MANIFEST.read_text(encoding="utf-8").replace("@IMAGE@", CONNECTORS_IMAGE))
    lake.kubectl("-n", NAMESPACE, "wait", "deployment", "--all", "--for=condition=Available", "--timeout=180s")
    pod = lake.kubectl(
        "-n", NAMESPACE, "get", "pods", "-l", "app=prometheus", "-o", "jsonpath={.items[0].metadata.name}"
    )
    proxy = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy"
    return PrometheusApi(lambda path: server.endpoint.request("GET", proxy + path))


def _config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}
