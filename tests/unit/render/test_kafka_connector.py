"""The connector and the bridge as they are rendered read their settings, and wait while a function wakes."""

import argparse

from penstock.commands import bridge, connect_kafka
from penstock.connect.bridge.settings import load_bridge_config
from penstock.connect.kafka.connector import BROKER_SECONDS
from penstock.connect.settings import policy_from
from penstock.connect.sources import finder_from
from penstock.delivery.deliverer import Policy

from tests.manifests import manifests
from tests.rendering import SLEEPS, Render, container_of, scaled


def test_function_without_a_topic_needs_no_connector(deployed: Render) -> None:
    documents = deployed()
    assert ("Deployment", "kafka-connector") not in documents
    assert [each["type"] for each in scaled(documents)["triggers"]] == ["metrics-api"]


def test_connector_reads_its_settings_and_retries_longer_than_a_function_wakes(deployed: Render) -> None:
    container = container_of(deployed(annotations=SLEEPS)["Deployment", "kafka-connector"])
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


def test_bridge_reads_its_settings_and_retries_as_long(deployed: Render) -> None:
    documents = deployed(annotations=SLEEPS)
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


def test_connector_has_the_time_that_it_waits_for_a_broker_before_it_listens(deployed: Render) -> None:
    """The kubelet ended it after 27 seconds, so that its pod's log never said which broker had not answered."""
    [shipped] = [
        each.document
        for each in manifests()
        if each.file == "deploy/openfaas/base/kafka-connector.yaml" and each.kind == "Deployment"
    ]
    for document in (deployed(annotations=SLEEPS)["Deployment", "kafka-connector"], dict(shipped)):
        container = container_of(document)
        starting = container["startupProbe"]
        assert starting["httpGet"] == container["livenessProbe"]["httpGet"]
        assert starting["periodSeconds"] * starting["failureThreshold"] > 2 * BROKER_SECONDS
