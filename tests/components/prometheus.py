"""Prometheus, which scrapes and evaluates, and its reader of alert rules alone as a command (go/rule-check/main.go)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
import yaml

from tests.components.http import HttpError, request_json
from tests.components.install import HERE, GoModule
from tests.components.process import LOOPBACK, Server, free_ports

RULE_CHECK = GoModule("rule-check", HERE / "go" / "rule-check", {"rule-check": "."})
PROMETHEUS = GoModule(
    "prometheus",
    HERE / "go" / "prometheus",
    {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
    linker_flags="-s -w",
    # Thirty clouds can tell it what to scrape. Of them only Kubernetes is built in here.
    tags="remove_all_sd,enable_kubernetes_sd",
)
# So often does it scrape and look at its rules here; a monitor of deploy/observability asks for every 15 s.
INTERVAL = "1s"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PrometheusApi:
    """What a Prometheus says (https://prometheus.io/docs/prometheus/latest/querying/api); `get` reads a path of it."""

    get: Callable[[str], Any]

    def query(self, expression: str) -> list[tuple[Labels, float]]:
        """The samples of an expression that gives a vector or a scalar."""
        data = self.get(f"/api/v1/query?query={quote(expression, safe='')}")["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def firing(self) -> dict[str, list[Labels]]:
        """The labels of the alerts that fire, by the alert's name."""
        found: dict[str, list[Labels]] = {}
        for alert in self.get("/api/v1/alerts")["data"]["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def targets(self) -> list[tuple[Labels, str]]:
        """What it scrapes: labels, and `up` or why the last scrape failed."""
        active = self.get("/api/v1/targets?state=active")["data"]["activeTargets"]
        return [(each["labels"], "up" if each["health"] == "up" else each["lastError"]) for each in active]


@dataclass(frozen=True, slots=True)
class PrometheusEndpoint:
    """Where it answers, without credentials."""

    url: str

    def api(self) -> PrometheusApi:
        return PrometheusApi(lambda path: request_json("GET", self.url + path))


def configuration(scrapes: Sequence[Mapping[str, Any]], rules: str) -> str:
    """prometheus.yml for these scrapes, with the rule file beside it that `rules` names."""
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": [rules],
            "scrape_configs": list(scrapes),
        }
    )


class PrometheusServer(Server[PrometheusEndpoint]):
    """Prometheus with scrapes, as `scrape_configs` of its configuration, and groups of rules."""

    name = "prometheus"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        scrapes: Sequence[Mapping[str, Any]] = (),
        groups: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(folder)
        self._scrapes = scrapes
        self._groups = groups

    def install(self) -> None:
        self._program = PROMETHEUS.install() / "prometheus"

    def prepare(self) -> PrometheusEndpoint:
        (self._port,) = free_ports(1)
        (self.folder / "rules.yml").write_text(yaml.safe_dump({"groups": list(self._groups)}), encoding="utf-8")
        (self.folder / "prometheus.yml").write_text(configuration(self._scrapes, "rules.yml"), encoding="utf-8")
        return PrometheusEndpoint(f"http://{LOOPBACK}:{self._port}")

    def launch(self) -> None:
        self.run(
            "prometheus",
            [
                self._program,
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{self._port}",
            ],
        )

    def is_ready(self) -> bool:
        """Tell whether it answers queries."""
        if not self.listens_on(self._port):
            return False
        try:
            request_json("GET", f"{self.endpoint.url}/-/ready")
        except (HttpError, urllib3.exceptions.HTTPError):
            return False
        return True
