"""What KEDA is told about a function."""

from pathlib import Path

from penstock.render.kubernetes import KubernetesSettings, render

from tests.rendering import SLEEPS, Render, container_of, render_one, scaled


def test_annotations_say_between_which_numbers_keda_scales(deployed: Render) -> None:
    found = scaled(deployed(annotations=SLEEPS))
    assert found["scaleTargetRef"]["name"] == "compress"
    assert (found["minReplicaCount"], found["maxReplicaCount"], found["cooldownPeriod"]) == (0, 9, 420)


def test_function_without_the_annotation_keeps_its_minimum(deployed: Render) -> None:
    found = scaled(deployed(annotations={"penstock.dev/scale.min": "2"}))
    assert found["minReplicaCount"] == 2
    assert "cooldownPeriod" not in found


def test_lag_of_each_topic_and_what_waits_at_the_bridge_start_a_function(deployed: Render) -> None:
    found = scaled(deployed(annotations={**SLEEPS, "topic": "upload,other"}))
    lags = [each["metadata"] for each in found["triggers"] if each["type"] == "kafka"]
    assert [each["topic"] for each in lags] == ["upload", "other"]
    assert {each["lagThreshold"] for each in lags} == {"20"}
    # The connector's group is what KEDA must look at, and not the number of its partitions.
    assert {(each["consumerGroup"], each["allowIdleConsumers"]) for each in lags} == {("penstock", "true")}
    [pending] = [each["metadata"] for each in found["triggers"] if each["type"] == "metrics-api"]
    assert pending["valueLocation"] == 'penstock_inbox_target_pending{target="compress"}'


def test_keda_and_the_connector_log_in_where_kafka_asks_for_it(deployed: Render) -> None:
    documents = deployed(annotations=SLEEPS)
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
