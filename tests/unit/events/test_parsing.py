"""Every shape of tests/events/ is read to the same values."""

import doctest
import json
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from penstock.errors import EventError
from penstock.events import (
    Kind,
    Notification,
    cloudevent,
    kind_of,
    names,
    parse,
    parse_listen_line,
    parsing,
    reference,
)
from penstock.types import ObjectRef

from tests.paths import EVENTS

CONNECTOR = {"Content-Type": "text/plain", "X-Topic": "upload", "X-Kafka-Partition": "0", "X-Kafka-Offset": "0"}
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=UTF-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
BINARY = {
    "Ce-Specversion": "1.0",
    "Ce-Id": "18E9EFE751709903",
    "Ce-Source": "minio:s3..upload",
    "Ce-Type": "com.amazonaws.s3.ObjectCreated:Put",
    "Ce-Subject": "dir/%E6%97%A5%E6%9C%AC%20x+y.csv",
    "Ce-Time": "2026-11-21T02:55:03.268Z",
    "Content-Type": "application/json",
}
# As KafkaSource sends it: no content type.
KAFKA_SOURCE = {
    "ce-specversion": "1.0",
    "ce-id": "partition:0/offset:0",
    "ce-source": "/apis/v1/namespaces/lake/kafkasources/upload#upload",
    "ce-subject": "partition:0#0",
    "ce-type": "dev.knative.kafka.event",
    "ce-time": "2026-11-21T02:55:04.307Z",
    "ce-key": "upload/dir/%E6%97%A5%E6%9C%AC%20x+y.csv",
}
JAPANESE = ObjectRef("upload", "dir/日本 x+y.csv")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(name: str) -> bytes:
    return (EVENTS / f"{name}.json").read_bytes()


def changed(name: str, *path: str | int, to: Any) -> bytes:
    """A payload of tests/events with one member set to `to`."""
    body = json.loads(event(name))
    parent = body
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = to
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("name", "kind", "event_name", "key", "size"),
    [
        ("minio_put", Kind.CREATED, "s3:ObjectCreated:Put", "data/small.csv", 8),
        ("minio_put_empty", Kind.CREATED, "s3:ObjectCreated:Put", "data/empty.csv", 0),
        (
            "minio_complete_multipart",
            Kind.CREATED,
            "s3:ObjectCreated:CompleteMultipartUpload",
            "data/donors.csv",
            60_000_000,
        ),
        ("minio_copy", Kind.CREATED, "s3:ObjectCreated:Copy", "copied.csv", 8),
        ("minio_put_tagging", Kind.CREATED, "s3:ObjectCreated:PutTagging", "data/tagged.csv", 8),
        ("minio_head", Kind.ACCESSED, "s3:ObjectAccessed:Head", "data/small.csv", 8),
        ("minio_delete", Kind.REMOVED, "s3:ObjectRemoved:Delete", "data/small.csv", None),
        ("minio_delete_marker", Kind.REMOVED, "s3:ObjectRemoved:DeleteMarkerCreated", "v.csv", None),
        ("kafka_value", Kind.CREATED, "s3:ObjectCreated:Put", "dir/日本 x+y.csv", 8),
        ("mqtt_payload", Kind.CREATED, "s3:ObjectCreated:Put", "q/a b.csv", 8),
        ("elasticsearch_document", Kind.CREATED, "s3:ObjectCreated:Put", "a/é 1.csv", 8),
        ("s3_record", Kind.CREATED, "s3:ObjectCreated:Put", "dir/日本 x+y.csv", 8),
        ("aws_put", Kind.CREATED, "s3:ObjectCreated:Put", "dir/日本 x+y.csv", 8),
        ("reference", Kind.REFERENCE, "", "dir/日本 x+y.csv", None),
    ],
)
def test_payload_is_read(name: str, kind: Kind, event_name: str, key: str, size: int | None) -> None:
    (found,) = parse(event(name), {"Content-Type": "application/json"})
    assert (found.ref, found.kind, found.name, found.size) == (ObjectRef("upload", key), kind, event_name, size)


def test_byte_order_mark_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbf" + event("minio_put"), {}) == parse(event("minio_put"), {})


def test_hints_are_kept_as_sent() -> None:
    (found,) = parse(event("minio_complete_multipart"), {})
    assert found.etag == "235128edbbb89b4377e55f85ab133735-12"
    assert (found.sequencer, found.version_id) == ("18E9EECB52A111BA", None)
    assert found.time == "2026-11-21T02:34:43.517Z"
    (found,) = parse(event("minio_delete_marker"), {})
    assert found.version_id == "e1c112e0-e167-4f73-9dea-1f8aec011ed8"


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("kafka_value", CONNECTOR),
        ("kafka_value", KAFKA_SOURCE),
        ("kafka_value", BINARY),
        ("s3_record", BINARY),
        ("aws_put", {}),
        ("cloudevent_s3", STRUCTURED),
        ("cloudevent_s3", CONNECTOR),
        ("cloudevent_kafka_source", STRUCTURED),
    ],
)
def test_one_event_is_the_same_whichever_way_it_comes(name: str, headers: dict[str, str]) -> None:
    assert parse(event(name), headers) == parse(event("kafka_value"), {})


def test_listen_line_has_raw_keys() -> None:
    assert parse_listen_line(event("listen_line")) == parse(event("kafka_value"), {})


@pytest.mark.parametrize("line", [b"", b" ", b"\n", b" \r\n"])
def test_blank_listen_line_brings_nothing(line: bytes) -> None:
    assert parse_listen_line(line) == []


def test_listen_line_without_records_is_an_error() -> None:
    with pytest.raises(EventError, match=r"expected .*Records.* got an object with 'bucket', 'key'"):
        parse_listen_line(event("reference"))


def test_several_records_are_read_in_order() -> None:
    assert [found.kind for found in parse(event("several_records"), {})] == [Kind.CREATED, Kind.REMOVED]


def test_list_of_references_is_read_with_raw_keys() -> None:
    assert [found.ref.key for found in parse(event("reference_list"), {})] == ["dir/日本 x+y.csv", "100%.csv"]


def test_batch_brings_each_cloudevent() -> None:
    first, second = parse(event("cloudevent_batch"), BATCH)
    assert [first] == parse(event("kafka_value"), {})
    assert (second.kind, second.ref.key) == (Kind.REFERENCE, "100%.csv")


def test_empty_batch_is_valid_and_brings_nothing() -> None:
    assert parse(b"[]", BATCH) == []


def test_reference_in_a_cloudevent_is_identified_by_source_and_id() -> None:
    (found,) = parse(event("cloudevent_reference"), STRUCTURED)
    (other,) = parse(changed("cloudevent_reference", "id", to="2"), STRUCTURED)
    assert (found.ref, found.kind) == (JAPANESE, Kind.REFERENCE)
    assert found.id != other.id
    assert found.id != reference(JAPANESE).id


def test_own_answer_is_of_no_kind_to_act_on() -> None:
    (found,) = parse(event("cloudevent_own_answer"), STRUCTURED)
    assert (found.kind, found.name, found.ref) == (Kind.OTHER, "penstock.object.processed", JAPANESE)


@pytest.mark.parametrize("data", [None, "", "text", [], {}, {"source": {"bucket": "upload", "key": ""}}, {"source": 3}])
def test_own_answer_without_object_brings_nothing(data: object) -> None:
    assert parse(changed("cloudevent_own_answer", "data", to=data), STRUCTURED) == []


def test_own_answer_in_binary_mode_may_have_no_body() -> None:
    assert parse(b"", BINARY | {"Ce-Type": "penstock.object.ignored"}) == []


def test_aws_test_event_brings_nothing() -> None:
    assert parse(event("aws_test_event"), {}) == []


def test_record_about_a_bucket_brings_nothing() -> None:
    body = json.loads(changed("minio_put", "Records", 0, "eventName", to="s3:BucketCreated:*"))
    body["Records"][0]["s3"]["object"]["key"] = ""
    assert parse(json.dumps(body).encode(), {}) == []


def test_null_attributes_of_a_structured_cloudevent_count_as_unset() -> None:
    assert parse(changed("cloudevent_s3", "subject", to=None), STRUCTURED) == parse(event("kafka_value"), {})


def test_old_cloudevents_version_is_read() -> None:
    body = json.loads(event("cloudevent_kafka_source"))
    body |= {"specversion": "0.3", "datacontentencoding": "base64", "data": body.pop("data_base64")}
    assert parse(json.dumps(body).encode(), STRUCTURED) == parse(event("kafka_value"), {})


def test_structured_content_type_wins_over_stray_cloudevent_headers() -> None:
    assert parse(event("cloudevent_s3"), BINARY | STRUCTURED) == parse(event("kafka_value"), {})


def test_headers_that_cannot_be_attributes_are_left_alone() -> None:
    assert parse(event("kafka_value"), BINARY | {"Ce-Some-Proxy": "x"}) == parse(event("kafka_value"), {})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"TraceParent": TRACEPARENT}, TRACEPARENT),
        (BINARY | {"ce-traceparent": TRACEPARENT}, TRACEPARENT),
        (BINARY | {"ce-traceparent": TRACEPARENT.replace("b7", "aa"), "traceparent": TRACEPARENT}, TRACEPARENT),
        ({"traceparent": "00-nonsense"}, None),
        ({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, None),
        ({"traceparent": f"{TRACEPARENT}\r\nX-Evil: 1"}, None),
        ({}, None),
    ],
)
def test_traceparent_is_carried_when_valid(headers: dict[str, str], expected: str | None) -> None:
    assert [found.traceparent for found in parse(event("kafka_value"), headers)] == [expected]


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("eventName",), "s3:ObjectCreated:Copy"),
        (("s3", "bucket", "name"), "other"),
        (("s3", "object", "key"), "other.csv"),
        (("s3", "object", "versionId"), "e1c112e0-e167-4f73-9dea-1f8aec011ed8"),
        (("s3", "object", "sequencer"), "18E9EFE75178DE1D"),
    ],
)
def test_id_changes_with_the_event(path: tuple[str, ...], to: str) -> None:
    (before,), (after,) = parse(event("minio_put"), {}), parse(changed("minio_put", "Records", 0, *path, to=to), {})
    assert before.id != after.id
    assert len(before.id) == 32


def test_id_without_sequencer_comes_from_the_time() -> None:
    body = json.loads(changed("minio_put", "Records", 0, "s3", "object", "sequencer", to=None))
    (before,) = parse(json.dumps(body).encode(), {})
    body["Records"][0]["eventTime"] = "2026-11-21T03:00:00.000Z"
    (after,) = parse(json.dumps(body).encode(), {})
    assert before.id != after.id


@pytest.mark.parametrize(
    "action",
    ["Put", "Post", "Copy", "CompleteMultipartUpload", "PutTagging", "DeleteTagging", "PutRetention", "PutLegalHold"],
)
def test_everything_minio_calls_created_is_created(action: str) -> None:
    assert kind_of(f"s3:ObjectCreated:{action}") is Kind.CREATED


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("s3:ObjectRemoved:Delete", Kind.REMOVED),
        ("s3:ObjectRemoved:DeleteMarkerCreated", Kind.REMOVED),
        ("s3:ObjectRemoved:NoOP", Kind.REMOVED),
        ("s3:ObjectRemoved:DeleteAllVersions", Kind.REMOVED),
        ("LifecycleExpiration:Delete", Kind.REMOVED),
        ("s3:LifecycleDelMarkerExpiration:Delete", Kind.REMOVED),
        ("s3:ObjectAccessed:Get", Kind.ACCESSED),
        ("s3:ObjectAccessed:Attributes", Kind.ACCESSED),
        ("s3:Replication:OperationCompletedReplication", Kind.OTHER),
        ("s3:ObjectRestore:Completed", Kind.OTHER),
        ("s3:ObjectTransition:Failed", Kind.OTHER),
        ("s3:Scanner:BigPrefix", Kind.OTHER),
        ("s3:BucketCreated:*", Kind.OTHER),
        ("s3:LifecycleTransition", Kind.OTHER),
        ("ObjectTagging:Put", Kind.OTHER),
    ],
)
def test_kind_follows_from_the_name(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


def test_minio_json_is_read_without_importing_the_cloudevents_sdk() -> None:
    program = (
        "import sys; from penstock.events import parse, to_cloudevents; body = sys.stdin.buffer.read()\n"
        "assert parse(body, {}) and to_cloudevents(body) and not any(m.startswith('cloudevents') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], input=event("minio_put"), check=True)


def test_reference_is_a_notification_without_a_name() -> None:
    made = reference(JAPANESE)
    assert made == Notification(JAPANESE, Kind.REFERENCE, "", made.id)
    assert [made] == parse(event("reference"), {})


@pytest.mark.parametrize("module", [cloudevent, names, parsing])
def test_examples_in_the_documentation_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert (results.failed, results.attempted > 0) == (0, True)
