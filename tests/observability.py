"""What deploy/observability asks a Prometheus for: its rules, the queries of its dashboard, and whom it scrapes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.components.prometheus import PrometheusApi
from tests.manifests import documents_in
from tests.paths import DEPLOY

FOLDER = DEPLOY / "observability"


def rule_groups(times: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The groups of the PrometheusRule, in which an alert fires as soon as its expression holds.

    `times` are other lengths of time for some of the expressions: {"1h": "10s"} looks back for ten seconds.
    """
    [rules] = documents_in(FOLDER / "alerts.yaml")
    groups: list[dict[str, Any]] = rules["spec"]["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        rule["for"] = "0s"
        for old, new in (times or {}).items():
            rule["expr"] = re.sub(rf"\b{old}\b", new, rule["expr"])
    return groups


def dashboard_queries(without: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Title and expression of each query of the dashboard as Grafana sends it, without those about some metrics."""
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    found = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
    sent = [(title, expr.replace("$function", ".*").replace("$__rate_interval", "1m")) for title, expr in found]
    return [(title, expr) for title, expr in sent if not any(metric in expr for metric in without)]


def unanswered(api: PrometheusApi, queries: Iterable[tuple[str, str]]) -> list[str]:
    """The queries to which there is no number."""
    return [
        f"{title}: {expression}"
        for title, expression in queries
        if not any(math.isfinite(value) for _, value in api.query(expression))
    ]
