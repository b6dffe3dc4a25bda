"""Which events a Trigger lets through: every event type, awkward keys, Kafka's wrapping."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from penstock.connect.bridge.messages import to_messages
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError
from penstock.events import Kind, kind_of
from penstock.events.names import ACTED_ON, IGNORED
from penstock.render.knative import KnativeSettings

from tests.paths import EVENTS
from tests.rendering import Render, render_one
from tests.trigger_filters import all_match

PUT = json.loads((EVENTS / "minio_put.json").read_bytes())
SINK = HttpTarget("sink", "http://sink.example/")
NAMES = [f"s3:{family}:{action}" for family, (_, actions) in ACTED_ON.items() for action in actions.split()]


def bridged(bucket: str, key: str, name: str = "s3:ObjectCreated:Put", region: str = "") -> dict[str, str]:
    """The attributes that a Broker which does not decode headers sees of an event from the bridge."""
    from urllib.parse import quote_plus

    body = copy.deepcopy(PUT)
    record = body["Records"][0]
    record["eventName"] = name
    record["awsRegion"] = region
    record["s3"]["bucket"]["name"] = bucket
    record["s3"]["object"]["key"] = quote_plus(key)
    [message] = to_messages(json.dumps(body).encode(), (SINK,), {})
    return {field[3:]: value for field, value in message.headers.items() if field.startswith("ce-")}


def filters(documents: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = documents["Trigger", "compress"]["spec"]["filters"]
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", [*NAMES, "s3:ObjectCreated:CompleteMultipartUpload"])
def test_every_event_that_is_acted_on_passes(rendered: Render, name: str) -> None:
    assert kind_of(name) in (Kind.CREATED, Kind.REMOVED)
    assert all_match(filters(rendered()), bridged("upload", "donors.csv", name))


@pytest.mark.parametrize("name", ["s3:ObjectAccessed:Get", "s3:ObjectAccessed:Head", "s3:ObjectRestore:Post"])
def test_event_that_is_not_acted_on_wakes_no_function(rendered: Render, name: str) -> None:
    assert not all_match(filters(rendered()), bridged("upload", "donors.csv", name))


def test_filters_name_every_family_that_is_acted_on_and_no_other(rendered: Render) -> None:
    named = {each["prefix"]["type"] for each in filters(rendered())[0]["any"]}
    assert named == {f"com.amazonaws.s3.{family}:" for family in ACTED_ON}
    assert not set(ACTED_ON) & set(IGNORED)


@pytest.mark.parametrize(
    ("source", "key", "passes"),
    [
        ("s3://upload/*.csv", "a.csv", True),
        ("s3://upload/*.csv", "a.csv.gz", False),
        ("s3://upload/in/*", "in/a", True),
        ("s3://upload/in/*", "out/a", False),
        ("s3://upload/in/*.csv", "in/deep er/日本語.csv", True),
        ("s3://upload/猫/*.txt", '猫/100% "x".txt', True),
        ("s3://upload/100%/*", "100%/a", True),
        ("s3://upload/100%/*", "100/a", False),
        ("s3://upload/*", ".penstock/refused/compress/1.json", False),
        ("s3://upload", "anything", True),
    ],
)
def test_subject_filters_follow_the_source(rendered: Render, source: str, key: str, passes: bool) -> None:
    found = filters(rendered(environment={"SOURCE": source}))
    seen = bridged("upload", key)
    assert all_match(found, seen) is passes
    # A broker that decodes headers sees the key itself.
    assert all_match(found, {**seen, "subject": key}) is passes


def test_another_bucket_does_not_pass_even_if_its_name_begins_alike(rendered: Render) -> None:
    assert not all_match(filters(rendered()), bridged("upload2", "a.csv"))
    assert not all_match(filters(rendered()), bridged("x.upload", "a.csv"))


def test_region_of_the_server_is_part_of_the_source(rendered: Render) -> None:
    here = filters(rendered(settings=KnativeSettings("image", region="eu-north-1")))
    assert all_match(here, bridged("upload", "a.csv", region="eu-north-1"))
    assert not all_match(here, bridged("upload", "a.csv"))


def test_several_sources_are_alternatives(rendered: Render) -> None:
    found = filters(rendered(environment={"SOURCE": "s3://upload/*.csv s3://twitter/*"}))
    assert all_match(found, bridged("twitter", "anything"))
    assert all_match(found, bridged("upload", "a.csv"))
    assert not all_match(found, bridged("upload", "a.txt"))


def test_records_of_the_functions_topics_pass_and_no_others(rendered: Render) -> None:
    found = filters(rendered(annotations={"topic": "upload, extra"}))
    wrapped = {"type": "dev.knative.kafka.event", "subject": "partition:0#1", "id": "partition:0/offset:1"}
    source = "/apis/v1/namespaces/penstock/kafkasources/penstock#"
    assert all_match(found, {**wrapped, "source": f"{source}upload"})
    assert all_match(found, {**wrapped, "source": f"{source}extra"})
    assert not all_match(found, {**wrapped, "source": f"{source}processed"})
    assert all_match(found, bridged("upload", "a.csv"))


def test_functions_own_answers_go_to_no_function(rendered: Render) -> None:
    answer = {"type": "penstock.object.processed", "source": "penstock/compress", "subject": "donors.csv.gz", "id": "1"}
    assert not all_match(filters(rendered(environment={"SOURCE": "s3://upload"})), answer)


def test_every_delivery_has_retries_and_a_dead_letter_sink(rendered: Render) -> None:
    annotations = {"topic": "upload", "com.openfaas.retry.attempts": "4", "penstock.dev/timeout-seconds": "30"}
    documents = rendered(annotations=annotations)
    sink = {"ref": {"apiVersion": "v1", "kind": "Service", "name": "penstock-bridge"}, "uri": "/dead-letters"}
    expected = {"deadLetterSink": sink, "backoffPolicy": "exponential", "backoffDelay": "PT0.5S"}
    trigger = documents["Trigger", "compress"]["spec"]["delivery"]
    assert trigger == {**expected, "retry": 4, "timeout": "PT30S"}
    assert documents["Broker", "penstock"]["spec"]["delivery"] == {**expected, "retry": 10}
    assert documents["KafkaSource", "penstock"]["spec"]["delivery"] == {**expected, "retry": 10}


def test_kafka_source_reads_every_topic_from_its_beginning(rendered: Render) -> None:
    source = rendered(annotations={"topic": "upload,extra"})["KafkaSource", "penstock"]["spec"]
    assert source["topics"] == ["extra", "upload"]
    assert source["initialOffset"] == "earliest"


def test_kafka_source_takes_keys_as_bytes(rendered: Render) -> None:
    """A key with a control character is lost when the source puts it into a header as text."""
    metadata = rendered(annotations={"topic": "upload"})["KafkaSource", "penstock"]["metadata"]
    assert metadata["labels"]["kafkasources.sources.knative.dev/key-type"] == "byte-array"


def test_without_topics_there_is_no_kafka_source(rendered: Render) -> None:
    assert not [kind for kind, _ in rendered() if kind == "KafkaSource"]


@pytest.mark.parametrize(
    ("endpoint", "egress", "ports"),
    [
        (
            "minio.lake.svc:9000",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "lake"}}},
            [9000],
        ),
        # The Service's 80 is another port in the pods, which the URL does not tell.
        (
            "http://minio",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "penstock"}}},
            [80, 8080, 9000, 9200],
        ),
        ("https://s3.example.com", None, [443]),
    ],
)
def test_policies_let_a_function_reach_its_store(
    rendered: Render, endpoint: str, egress: Any, ports: list[int]
) -> None:
    [rule] = rendered(environment={"MINIO_ENDPOINT": endpoint})["NetworkPolicy", "compress"]["spec"]["egress"]
    allowed = [{"protocol": "TCP", "port": port} for port in ports]
    assert rule == ({"to": [egress], "ports": allowed} if egress else {"ports": allowed})


def test_only_penstock_s_own_senders_may_send_to_the_broker_with_an_event_policy(tmp_path: Path) -> None:
    made = render_one(tmp_path, settings=KnativeSettings("image", event_policy=True))
    [policy] = [each for (kind, _), each in made.items() if kind == "EventPolicy"]
    assert [each["ref"]["name"] for each in policy["spec"]["to"]] == ["penstock"]
    senders = {(each["ref"]["kind"], each["ref"]["name"]) for each in policy["spec"]["from"]}
    assert senders == {key for key in made if key[0] in ("SinkBinding", "KafkaSource", "Trigger")}
    assert ("Trigger", "compress") in senders
    assert not [key for key in render_one(tmp_path, settings=KnativeSettings("image")) if key[0] == "EventPolicy"]


def test_a_function_with_jobs_cannot_have_an_event_policy(tmp_path: Path) -> None:
    environment = {"OFFLOAD_ABOVE_SECONDS": "60", "JOB_IMAGE": "registry.example/compress:1"}
    with pytest.raises(ConfigError, match="leave out --event-policy"):
        render_one(tmp_path, environment=environment, settings=KnativeSettings("image", event_policy=True))


def test_kafka_without_users_needs_no_secret(tmp_path: Path) -> None:
    made = render_one(tmp_path, annotations={"topic": "upload"}, settings=KnativeSettings("image", kafka_secret=""))
    assert "net" not in made["KafkaSource", "penstock"]["spec"]
    assert "auth.secret.ref.name" not in made["ConfigMap", "penstock-broker"]["data"]
    secured = render_one(tmp_path, annotations={"topic": "upload"}, settings=KnativeSettings("image"))
    assert secured["ConfigMap", "penstock-broker"]["data"]["auth.secret.ref.name"] == "knative-kafka"
    assert secured["KafkaSource", "penstock"]["spec"]["net"]["sasl"]["enable"] is True
