"""Alerts and dashboard ask for metrics that exist: their names and labels are held against what /metrics says."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from penstock.connect.amqp.broker import AmqpBroker
from penstock.connect.amqp.connector import AmqpConnector
from penstock.connect.kafka.connector import Connector
from penstock.connect.kafka.records import openfaas
from penstock.connect.listing.measures import WatchMeasures
from penstock.connect.mqtt.broker import Broker
from penstock.connect.mqtt.connector import MqttConnector
from penstock.connect.nats.connector import NatsConnector
from penstock.connect.nats.server import NatsServers
from penstock.connect.redis.connector import RedisConnector
from penstock.connect.redis.server import RedisServer
from penstock.connect.sqs.account import SqsAccount
from penstock.connect.sqs.connector import SqsConnector
from penstock.connect.subscriptions import Finder, from_pairs
from penstock.delivery.deliverer import DeliveryOutcome, Message, Policy, Verdict
from penstock.delivery.inbox import Inbox
from penstock.delivery.measures import DeliveryMeasures
from penstock.jobs.measures import JobMeasures
from penstock.process.metrics import Metrics
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.processes import running
from tests.manifests import documents_in
from tests.paths import DEPLOY, ROOT
from tests.served import free_port

FOLDER = DEPLOY / "observability"
# Of kube-state-metrics: https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics/workload
KUBERNETES_METRICS = {
    "kube_job_status_failed": {"namespace", "job_name", "reason"},
    "kube_cronjob_status_last_successful_time": {"namespace", "cronjob"},
}
# Prometheus adds these to everything that it scrapes.
ADDED_LABELS = {"namespace", "pod", "le"}


def expressions() -> list[tuple[str, str]]:
    """Every expression with where it stands."""
    [rule] = documents_in(FOLDER / "alerts.yaml")
    alerts = [(each["alert"], each["expr"]) for group in rule["spec"]["groups"] for each in group["rules"]]
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    panels = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return alerts + panels


def names_of(text: str) -> dict[str, set[str]]:
    """The names of the series in a scrape, with their labels; {"*"} where there are no samples to see them in."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        for suffix in suffixes:
            found[family.name + suffix] = {"*"} if not family.samples else set()
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What functions, bridge, connectors and the watcher of Jobs say on /metrics."""
    folder = tmp_path_factory.mktemp("metrics")
    function = Metrics("compress")
    function.add("penstock_events", 1, "processed")
    function.add("penstock_requests", 1, "object", "200")
    for name in ("penstock_input_bytes", "penstock_output_bytes"):
        function.add(name)
    function.observe_seconds(0.1)
    texts = [function.render()[0].decode()]

    measures = DeliveryMeasures()
    finder = Finder(lambda: from_pairs(["upload=http://127.0.0.1:9/"], None))
    settings = {"bootstrap.servers": "127.0.0.1:9", "log_level": "0"}
    Connector(settings, openfaas("text/plain"), finder, "dead-letters", policy=Policy(), measures=measures)
    measures.observe(Message("k", b"", {}, "upload/0@1", "compress"), Verdict(DeliveryOutcome.DELIVERED, 200, ""), 0.1)
    texts.append(measures.render()[0].decode())

    inbox = Inbox(folder / "mqtt.db")
    mqtt = MqttConnector(Broker("127.0.0.1", 9, "x"), finder, inbox, policy=Policy())
    texts.append(mqtt.measures.render()[0].decode())
    inbox.close()

    inbox = Inbox(folder / "nats.db")
    nats = NatsConnector(NatsServers(("nats://127.0.0.1:9",)), finder, inbox, policy=Policy())
    texts.append(nats.measures.render()[0].decode())
    inbox.close()

    inbox = Inbox(folder / "amqp.db")
    amqp = AmqpConnector(AmqpBroker("127.0.0.1", 9), finder, inbox, policy=Policy())
    texts.append(amqp.measures.render()[0].decode())
    inbox.close()

    inbox = Inbox(folder / "redis.db")
    redis = RedisConnector(RedisServer("127.0.0.1", 9), finder, inbox, policy=Policy())
    texts.append(redis.measures.render()[0].decode())
    inbox.close()

    inbox = Inbox(folder / "sqs.db")
    sqs = SqsConnector(SqsAccount("eu-west-1"), finder, inbox, policy=Policy())
    texts.append(sqs.measures.render()[0].decode())
    inbox.close()

    texts.append(JobMeasures().render()[0].decode())
    texts.append(WatchMeasures().render()[0].decode())
    texts.append(scrape_bridge(folder))
    found: dict[str, set[str]] = {}
    for text in texts:
        for name, labels in names_of(text).items():
            found.setdefault(name, set()).update(labels)
    return found


def scrape_bridge(folder: Path) -> str:
    address = f"127.0.0.1:{free_port()}"
    command = ["bridge", "--to", "http://127.0.0.1:9/", "--inbox", str(folder / "bridge.db"), "--allow-anonymous"]
    told = {"OUTCOME_URLS": "shop=http://127.0.0.1:9/"}
    with running([*command, "--listen", address], folder / "bridge.log", told) as process:
        while True:
            assert process.poll() is None, (folder / "bridge.log").read_text()
            try:
                with urllib.request.urlopen(f"http://{address}/metrics") as answer:
                    return str(answer.read().decode())
            except OSError:
                continue


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=lambda value: str(value)[:40])
def test_metrics_and_their_labels_exist(exposed: dict[str, set[str]], where: str, expression: str) -> None:
    known: dict[str, set[str]] = {**exposed, **KUBERNETES_METRICS}
    used = re.findall(r"\b((?:penstock|kube)_\w+)(?:\{([^}]*)\})?", expression)
    assert used, f"{where}: asks for no metric of ours"
    by = {label.strip() for names in re.findall(r"\bby \(([^)]*)\)", expression) for label in names.split(",")}
    for name, matchers in used:
        assert name in known, f"{where}: nothing exposes {name}"
        labels = known[name] | ADDED_LABELS
        wanted = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\"", matchers)) | by
        assert "*" in labels or wanted <= labels, f"{where}: {name} has no {wanted - labels}"


def test_check_notices_a_metric_that_does_not_exist(exposed: dict[str, set[str]]) -> None:
    assert "penstock_events_total" in exposed
    assert "penstock_event_total" not in exposed


def test_dashboard_is_one_that_grafana_can_load() -> None:
    dashboard: Any = json.loads((FOLDER / "dashboard.json").read_text())
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identities)) == len(identities)
    assert all(panel["title"] for panel in dashboard["panels"])
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)


def test_every_alert_says_what_it_is_and_is_documented() -> None:
    [rule] = documents_in(FOLDER / "alerts.yaml")
    documentation = "".join(path.read_text() for path in (DEPLOY.parent / "docs").glob("deploying*.md"))
    for group in rule["spec"]["groups"]:
        for each in group["rules"]:
            assert set(each["annotations"]) == {"summary", "description"}
            assert each["labels"]["severity"] in ("warning", "critical")
            assert f"`{each['alert']}`" in documentation, each["alert"]


def test_the_monitor_selects_the_pods_of_every_connector() -> None:
    """One that it does not select raises no alert: this was so for SQS."""
    documents = documents_in(FOLDER / "monitors.yaml")
    [monitor] = [each["spec"] for each in documents if each["metadata"]["name"] == "penstock-delivery"]
    [selected] = monitor["selector"]["matchExpressions"]
    commands = {path.stem for path in (ROOT / "shared/penstock/commands").glob("connect_*.py")}
    assert {f"{name.removeprefix('connect_')}-connector" for name in commands} <= set(selected["values"])
