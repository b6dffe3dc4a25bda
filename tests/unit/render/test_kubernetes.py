"""What functions become on plain Kubernetes, where KEDA scales them."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from penstock.commands import bridge, connect_kafka
from penstock.connect.bridge.settings import load_bridge_config
from penstock.connect.settings import policy_from
from penstock.connect.sources import finder_from
from penstock.delivery.deliverer import Policy
from penstock.render.kubernetes import KubernetesSettings, render

from tests.rendering import Render, render_one

SLEEPS = {
    "topic": "upload",
    "penstock.dev/scale.zero": "true",
    "penstock.dev/scale.zero-duration": "7m",
    "penstock.dev/scale.max": "9",
    "penstock.dev/scale.type": "capacity",
    "penstock.dev/scale.target": "2",
}
SETTINGS = KubernetesSettings("registry.example/penstock:1")


@pytest.fixture
def rendered(tmp_path: Path) -> Render:
    return partial(render_one, tmp_path, platform=lambda plans: render(plans, SETTINGS))


def scaled(documents: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = documents["ScaledObject", "compress"]["spec"]
    return found


def container_of(document: dict[str, Any]) -> dict[str, Any]:
    [found] = document["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_annotations_say_between_which_numbers_keda_scales(rendered: Render) -> None:
    found = scaled(rendered(annotations=SLEEPS))
    assert found["scaleTargetRef"]["name"] == "compress"
    assert (found["minReplicaCount"], found["maxReplicaCount"], found["cooldownPeriod"]) == (0, 9, 420)


def test_function_without_the_annotation_keeps_its_minimum(rendered: Render) -> None:
    found = scaled(rendered(annotations={"penstock.dev/scale.min": "2"}))
    assert found["minReplicaCount"] == 2
    assert "cooldownPeriod" not in found


def test_lag_of_each_topic_and_what_waits_at_the_bridge_start_a_function(rendered: Render) -> None:
    found = scaled(rendered(annotations={**SLEEPS, "topic": "upload,other"}))
    lags = [each["metadata"] for each in found["triggers"] if each["type"] == "kafka"]
    assert [each["topic"] for each in lags] == ["upload", "other"]
    assert {each["lagThreshold"] for each in lags} == {"20"}
    # The connector's group is what KEDA must look at, and not the number of its partitions.
    assert {(each["consumerGroup"], each["allowIdleConsumers"]) for each in lags} == {("penstock", "true")}
    [pending] = [each["metadata"] for each in found["triggers"] if each["type"] == "metrics-api"]
    assert pending["valueLocation"] == 'penstock_inbox_target_pending{target="compress"}'


def test_keda_and_the_connector_log_in_where_kafka_asks_for_it(rendered: Render) -> None:
    documents = rendered(annotations=SLEEPS)
    [lag] = [each for each in scaled(documents)["triggers"] if each["type"] == "kafka"]
    assert lag["authenticationRef"] == {"name": "kafka"}
    assert ("TriggerAuthentication", "kafka") in documents
    names = {each["name"] for each in container_of(documents["Deployment", "kafka-connector"])["env"]}
    assert {"KAFKA_SASL_USERNAME", "KAFKA_SSL_CA_LOCATION"} <= names


def test_plain_listener_needs_no_secret(tmp_path: Path) -> None:
    plain = KubernetesSettings("registry.example/penstock:1", kafka="kafka:9092", kafka_secret="")
    documents = render_one(tmp_path, annotations=SLEEPS, platform=lambda plans: render(plans, plain))
    [lag] = [each for each in scaled(documents)["triggers"] if each["type"] == "kafka"]
    assert "authenticationRef" not in lag
    assert "tls" not in lag["metadata"]
    assert ("TriggerAuthentication", "kafka") not in documents
    sources = documents["Deployment", "kafka-connector"]["spec"]["template"]["spec"]["volumes"][1]["projected"]
    assert all(each["secret"]["optional"] for each in sources["sources"])


def test_function_without_a_topic_needs_no_connector(rendered: Render) -> None:
    documents = rendered()
    assert ("Deployment", "kafka-connector") not in documents
    assert [each["type"] for each in scaled(documents)["triggers"]] == ["metrics-api"]


def test_keda_alone_says_how_many_pods_there_are(rendered: Render) -> None:
    """With a number in the manifest, each `kubectl apply` would wake a function that sleeps."""
    assert "replicas" not in rendered(annotations=SLEEPS)["Deployment", "compress"]["spec"]


def test_index_in_a_file_has_one_pod_its_volume_and_no_second_pod_during_a_roll_out(rendered: Render) -> None:
    documents = rendered(
        environment={"SINK": "sqlite:///data/index.db"},
        annotations={"penstock.dev/volume": "1Gi", "penstock.dev/scale.max": "1"},
    )
    spec = documents["Deployment", "compress"]["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    assert {"name": "data", "mountPath": "/data"} in container_of(documents["Deployment", "compress"])["volumeMounts"]
    assert ("PersistentVolumeClaim", "compress-data") in documents
    assert ("PodDisruptionBudget", "compress") not in documents


def test_connector_reads_its_settings_and_retries_longer_than_a_function_wakes(rendered: Render) -> None:
    container = container_of(rendered(annotations=SLEEPS)["Deployment", "kafka-connector"])
    parser = argparse.ArgumentParser()
    connect_kafka.add_arguments(parser)
    args = parser.parse_args(container["args"][2:])
    env = {each["name"]: each["value"] for each in container["env"]}
    finder = finder_from(args, env)
    finder.start()
    while (found := finder.news()) is None:
        pass
    assert found.topics == {"upload": ("compress",)}
    assert found.targets["compress"].url == "http://compress.penstock.svc.cluster.local/event"
    assert_outlasts_a_start(policy_from(args, env))


def test_bridge_reads_its_settings_and_retries_as_long(rendered: Render) -> None:
    documents = rendered(annotations=SLEEPS)
    parser = argparse.ArgumentParser()
    bridge.add_arguments(parser)
    args = parser.parse_args(
        [*container_of(documents["StatefulSet", "penstock-bridge"])["args"][1:], "--allow-anonymous"]
    )
    config = load_bridge_config(args, {})
    assert [target.url for target in config.targets] == ["http://compress.penstock.svc.cluster.local/event"]
    assert [str(rule) for rule in config.filters["compress"]] == ["s3://upload/*.csv"]
    assert_outlasts_a_start(config.policy)


def assert_outlasts_a_start(policy: Policy) -> None:
    """Waits are drawn at random, so a start may take half of what they may be in all: ten minutes here."""
    longest = [min(policy.max_wait_seconds, policy.min_wait_seconds * 2**n) for n in range(policy.attempts - 1)]
    assert sum(longest) / 2 > 550
    assert policy.max_wait_seconds <= 5
    assert policy.timeout_seconds == 600


def test_only_what_carries_events_reaches_a_function(rendered: Render) -> None:
    documents = rendered(annotations=SLEEPS)
    rules = documents["NetworkPolicy", "compress"]["spec"]["ingress"]
    [names] = [each["from"][0]["podSelector"] for each in rules if "podSelector" in each["from"][0]]
    assert names["matchExpressions"][0]["values"] == ["penstock-bridge", "kafka-connector"]
    assert documents["NetworkPolicy", "default-deny"]["spec"]["podSelector"] == {}


def test_keda_may_ask_the_bridge(rendered: Render) -> None:
    [rule] = rendered()["NetworkPolicy", "penstock-bridge"]["spec"]["ingress"]
    assert "keda" in rule["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"]


def test_connector_reaches_functions_and_brokers_only(rendered: Render) -> None:
    functions, brokers = rendered(annotations=SLEEPS)["NetworkPolicy", "kafka-connector"]["spec"]["egress"]
    assert functions["to"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "compress"}}}]
    assert brokers["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kafka"}}}]
    assert brokers["ports"] == [{"protocol": "TCP", "port": 9093}]


def test_function_that_makes_jobs_gets_its_token(rendered: Render) -> None:
    offloads = {"OFFLOAD_ABOVE_BYTES": "1000", "JOB_IMAGE": "registry.example/compress:1"}
    documents = rendered(environment=offloads)
    pod = documents["Deployment", "compress"]["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("penstock-function", True)
    assert ("ServiceAccount", "compress") not in documents
