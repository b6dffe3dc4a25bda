"""Knative's own code on our manifests: its admission webhooks, and its filters on what the bridge emits."""

from __future__ import annotations

import copy
import io
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from minio.notificationconfig import NotificationConfig, QueueConfig, SuffixFilterRule
from penstock.connect.bridge.messages import to_messages
from penstock.delivery.http import HttpTarget
from penstock.events import Kind, kind_of
from penstock.render.knative import KnativeSettings
from penstock.settings.stackfile import load_stack
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.components import MinioServer
from tests.components.knative import KNATIVE_CHECK
from tests.integration.operators import Cluster, kustomized
from tests.paths import ROOT
from tests.rendering import render_one
from tests.trigger_filters import all_match

pytestmark = pytest.mark.crds
EVENTS = ROOT / "tests" / "events"
STACK = load_stack(ROOT / "stack.yml", {})


def ask_knative(documents: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The answer of Knative's own webhooks and filters (tests/components/go/knative-check/main.go)."""
    question = json.dumps({"documents": list(documents), "events": list(events)})
    program = KNATIVE_CHECK.install() / "knative-check"
    result = subprocess.run([program], input=question, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("overlay", ["base", "overlays/minimal", "overlays/production"])
def test_knatives_own_webhooks_take_the_manifests(cluster: Cluster, overlay: str) -> None:
    groups = ("serving.knative.dev", "eventing.knative.dev", "sources.knative.dev")
    found = kustomized(cluster, ROOT / "deploy" / "knative" / overlay)
    documents = [each for each in found if each["apiVersion"].partition("/")[0] in groups]
    kinds = {"Service", "Broker", "Trigger", "SinkBinding"}
    assert {each["kind"] for each in documents} == (kinds if "minimal" in overlay else kinds | {"KafkaSource"})
    assert ask_knative(documents)["problems"] == [""] * len(documents)


def test_a_function_that_hands_objects_to_jobs_is_taken_too(cluster: Cluster, tmp_path: Path) -> None:
    """The committed stack file has none: its own account with a token, a policy for the Jobs, the Broker's address."""
    settings = KnativeSettings("registry.example/penstock:1", namespace="with-jobs")
    environment = {"OFFLOAD_ABOVE_SECONDS": "60", "JOB_IMAGE": "registry.example/compress:1"}
    schedule = {"penstock.dev/reconcile": "7 * * * *"}
    rendered = render_one(tmp_path, environment=environment, annotations=schedule, settings=settings)
    documents = [each for each in rendered.values() if each["kind"] not in ("Kustomization", "Component")]
    for each in documents:
        if each["kind"] != "Namespace":
            each["metadata"]["namespace"] = "with-jobs"
    assert ("NetworkPolicy", "compress-jobs") in rendered
    cluster.apply(documents)
    knatives = [each for each in documents if each["apiVersion"].startswith(("serving.", "eventing."))]
    assert ask_knative(knatives)["problems"] == [""] * len(knatives)


def test_knatives_webhook_takes_the_event_policy(cluster: Cluster, tmp_path: Path) -> None:
    rendered = render_one(tmp_path, settings=KnativeSettings("registry.example/penstock:1", event_policy=True))
    [policy] = [each for (kind, _), each in rendered.items() if kind == "EventPolicy"]
    assert ask_knative([policy])["problems"] == [""]
    broken = copy.deepcopy(policy)
    broken["spec"]["from"].append({"sub": "system:*:everybody"})
    assert "is only allowed as suffix" in ask_knative([broken])["problems"][0]
    policy["metadata"]["namespace"] = "default"
    cluster.apply([policy])


def test_knatives_webhook_refuses_what_it_should(cluster: Cluster) -> None:
    found = kustomized(cluster, ROOT / "deploy/knative/base")
    documents = {each["kind"]: each for each in found if each["apiVersion"] != "v1"}
    service = copy.deepcopy(documents["Service"])
    service["spec"]["template"]["spec"]["timeoutSeconds"] = 601
    trigger = copy.deepcopy(documents["Trigger"])
    trigger["spec"]["filters"][0]["nosuch"] = {}
    problems = ask_knative([service, trigger])["problems"]
    assert "expected 0 <= 601 <= 600" in problems[0]
    assert 'unknown field "nosuch"' in problems[1]


# What is wrong with a KafkaSource's spec, and what the webhook says of it: every rule of its own, and of the types of
# Knative that it is made of (tests/components/go/knative-check/kafka.go).
WRONG_SOURCES: list[tuple[dict[str, Any], str]] = [
    ({"topics": []}, "missing field(s): spec.topics"),
    ({"bootstrapServers": []}, "missing field(s): spec.bootstrapServers"),
    ({"initialOffset": "first"}, "invalid value: first: spec.initialOffset"),
    ({"ordering": "any"}, "invalid value: any: spec.ordering"),
    ({"sink": {}}, "expected at least one, got none: spec.sink.ref, spec.sink.uri"),
    ({"sink": {"ref": {"kind": "Broker", "name": "penstock"}}}, "missing field(s): spec.sink.ref.apiVersion"),
    ({"ceOverrides": {"extensions": {"no-hyphens": "a"}}}, "invalid key name"),
    ({"delivery": {"retry": -1}}, "invalid value: -1: spec.delivery.retry"),
    ({"delivery": {"backoffPolicy": "none"}}, "invalid value: none: spec.delivery.backoffPolicy"),
    ({"delivery": {"backoffDelay": "half a second"}}, "spec.delivery.backoffDelay"),
    ({"net": {"sasl": {"enabled": True}}}, 'unknown field "enabled"'),
    ({"keyType": "byte-array"}, 'unknown field "keyType"'),
]


def test_knatives_webhook_refuses_a_kafka_source_that_is_wrong(cluster: Cluster) -> None:
    found = kustomized(cluster, ROOT / "deploy/knative/base")
    [source] = [each for each in found if each["kind"] == "KafkaSource"]
    assert source["metadata"]["labels"]["kafkasources.sources.knative.dev/key-type"] == "byte-array"
    wrong = [{**source, "spec": {**source["spec"], **change}} for change, _ in WRONG_SOURCES]
    problems = ask_knative(wrong)["problems"]
    assert [says for (_, says), said in zip(WRONG_SOURCES, problems, strict=True) if says not in said] == [], problems


@pytest.fixture(scope="module")
def triggers(cluster: Cluster) -> list[dict[str, Any]]:
    return [each for each in kustomized(cluster, ROOT / "deploy/knative/base") if each["kind"] == "Trigger"]


NAMES = (
    *(f"s3:ObjectCreated:{name}" for name in ("Put", "Post", "Copy", "CompleteMultipartUpload", "PutTagging")),
    *(f"s3:ObjectRemoved:{name}" for name in ("Delete", "DeleteMarkerCreated")),
    *(f"s3:ObjectAccessed:{name}" for name in ("Get", "Head")),
)
OBJECTS = (
    ObjectRef("upload", "donors.csv"),
    ObjectRef("upload", "donors.txt"),
    ObjectRef("upload", 'in/100% of "all"/dönørs 日本語.csv'),
    ObjectRef("images", "space/hubble/deep field.jpg"),
    ObjectRef("images", "rose.jpeg"),
    ObjectRef("processed", "donors.csv.gz"),
    ObjectRef("processed", ".penstock/refused/compress/1.json"),
    ObjectRef("twitter", "a.csv"),
)


def emitted(ref: ObjectRef, name: str) -> dict[str, Any]:
    """What the bridge sends for one of MinIO's notifications, recorded from a real server and renamed."""
    body = json.loads((EVENTS / "minio_complete_multipart.json").read_bytes())
    record = body["Records"][0]
    record["eventName"] = name
    record["s3"]["bucket"]["name"] = ref.bucket
    record["s3"]["object"]["key"] = quote_plus(ref.key)
    [message] = to_messages(json.dumps(body).encode(), (HttpTarget("sink", "http://broker/"),), {})
    return {"headers": dict(message.headers), "body": message.value.decode()}


def wanting(ref: ObjectRef, name: str) -> set[str]:
    """The functions that act on the event, by their own rules."""
    if kind_of(name) not in (Kind.CREATED, Kind.REMOVED):
        return set()
    configs = {key: spec.config() for key, spec in STACK.functions.items()}
    return {key for key, config in configs.items() if config.takes(ref)}


def test_triggers_let_through_what_functions_act_on_and_nothing_else(triggers: list[dict[str, Any]]) -> None:
    cases = [(ref, name) for ref in OBJECTS for name in NAMES]
    events = [emitted(ref, name) for ref, name in cases]
    passes = ask_knative(triggers, events)["passes"]
    for (ref, name), event, found in zip(cases, events, passes, strict=True):
        assert set(found) == wanting(ref, name), f"{name} {ref}"
        # The reading of the filters that the quick tests use says the same as Knative's own code.
        seen = {field[3:]: value for field, value in event["headers"].items() if field.startswith("ce-")}
        quick = {each["metadata"]["name"] for each in triggers if all_match(each["spec"]["filters"], seen)}
        assert quick == set(found), f"{name} {ref}"
    assert any(wanting(ref, name) for ref, name in cases)


def test_records_from_kafka_reach_their_function_alone(triggers: list[dict[str, Any]]) -> None:
    def record(topic: str) -> dict[str, Any]:
        headers = {
            "ce-specversion": "1.0",
            "ce-type": "dev.knative.kafka.event",
            "ce-source": f"/apis/v1/namespaces/penstock/kafkasources/penstock#{topic}",
            "ce-id": "partition:0/offset:1",
            "ce-subject": "partition:0#1",
        }
        return {"headers": headers, "body": (EVENTS / "kafka_value.json").read_text()}

    topics = ["upload", "my-topic", "processed", "dead-letters"]
    assert ask_knative(triggers, [record(topic) for topic in topics])["passes"] == [
        ["compress"],
        ["resize"],
        ["index"],
        [],
    ]


@pytest.fixture
def webhook(httpserver: HTTPServer) -> list[bytes]:
    """Bodies that MinIO's webhook target sent."""
    bodies: list[bytes] = []

    def take(request: Request) -> Response:
        bodies.append(request.get_data())
        return Response(status=202)

    httpserver.expect_request("/").respond_with_handler(take)
    return bodies


def test_donors_uploaded_in_parts_to_a_real_server_wake_compress(
    triggers: list[dict[str, Any]], webhook: list[bytes], httpserver: HTTPServer, tmp_path: Path
) -> None:
    settings = {"MINIO_NOTIFY_WEBHOOK_ENABLE_X": "on", "MINIO_NOTIFY_WEBHOOK_ENDPOINT_X": httpserver.url_for("/")}
    with MinioServer(tmp_path, env=settings) as server:
        client = server.endpoint.client()
        client.make_bucket(bucket_name="upload")
        rule = QueueConfig(
            queue="arn:minio:sqs::X:webhook",
            events=["s3:ObjectCreated:*"],
            suffix_filter_rule=SuffixFilterRule(".csv"),
        )
        client.set_bucket_notification(bucket_name="upload", config=NotificationConfig(queue_config_list=[rule]))
        data = io.BytesIO(bytes(6 * 1024 * 1024))
        client.put_object(
            bucket_name="upload", object_name="donors.csv", data=data, length=-1, part_size=5 * 1024 * 1024
        )
        server.wait_until(lambda: bool(webhook), "sending its event")
    [message] = to_messages(webhook[0], (HttpTarget("sink", "http://broker/"),), {})
    assert message.headers["ce-type"] == "com.amazonaws.s3.ObjectCreated:CompleteMultipartUpload"
    event = {"headers": dict(message.headers), "body": message.value.decode()}
    assert ask_knative(triggers, [event])["passes"] == [["compress"]]
