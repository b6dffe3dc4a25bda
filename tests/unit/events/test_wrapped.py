"""The events of every store: shape, names and keys.

Each payload of tests/events is made in the shape that its store documents; events/wrapped.py and events/keys.py name
the pages.
"""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from penstock.errors import EventError, InputTooLarge
from penstock.events import Kind, kind_of, parse, parse_each, parsing, to_cloudevents, to_cloudevents_each, wrapped
from penstock.events import cloudevent as cloudevents
from penstock.events.cloudevent import CloudEventFields
from penstock.events.record import OddRecord, load_json
from penstock.types import ObjectRef

from tests.paths import EVENTS
from tests.store_contract import KEYS

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
REF = ObjectRef("upload", "dir/日本 x+y 100%.csv")
Made = Callable[[str], Any]


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_bytes())


@pytest.mark.parametrize(
    "name",
    [
        "rustfs_put",
        "ceph_put",
        "ceph_synced",
        "versity_put",
        "aws_put_all_characters",
        "aws_sns",
        "aws_sns_lambda",
        "aws_sqs_message",
        "aws_sqs_lambda",
        "aws_sns_in_sqs_message",
        "aws_eventbridge",
        "cloudevent_eventbridge",
        "cloudevent_gcs",
        "cloudevent_azure",
    ],
)
def test_event_of_each_store_names_its_object(name: str) -> None:
    headers = STRUCTURED if name.startswith("cloudevent") else {}
    (found,) = parse(json.dumps(event(name)).encode(), headers)
    assert (found.ref, found.kind) == (REF, Kind.CREATED)


def of_record(name: str, write: Callable[[str], str]) -> Made:
    def make(key: str) -> Any:
        body = event(name)
        record = body[0] if isinstance(body, list) else body["Records"][0]
        record["s3"]["object"]["key"] = write(key)
        return body

    return make


def of_versity_under_load(key: str) -> Any:
    """As 1.8.0 sends it: only the ARN is sure to be about this request (tests/integration/test_stores.py)."""
    body = event("versity_put")
    s3 = body[0]["s3"]
    s3["bucket"] = s3["bucket"] | {"name": "uplthe", "arn": f"arn:aws:s3:::/upload/{key}"}
    s3["object"]["key"] = "b.csvcsv"
    return body


def in_text(name: str, *path: str | int) -> Made:
    """An envelope that holds AWS's own notification as text."""

    def make(key: str) -> Any:
        body = event(name)
        parent = body
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = json.dumps(of_record("aws_put_all_characters", quote_plus)(key))
        return body

    return make


def of_detail(name: str, member: str) -> Made:
    def make(key: str) -> Any:
        body = event(name)
        body[member]["object"]["key"] = key
        return body

    return make


def of_subject(name: str, start: str) -> Made:
    return lambda key: event(name) | {"subject": start + key}


def in_a_path(key: str) -> str:
    return quote(key, safe="/")


def as_it_is(key: str) -> str:
    return key


# Each with whether the store leaves a doubt about the key.
SHAPES: dict[str, tuple[Made, bool]] = {
    "MinIO": (of_record("minio_put", quote_plus), False),
    "RustFS": (of_record("rustfs_put", quote_plus), False),
    "AWS": (of_record("aws_put_all_characters", quote_plus), False),
    "Ceph": (of_record("ceph_put", as_it_is), True),
    "Ceph that encodes": (of_record("ceph_put", quote_plus), True),
    "Versity": (of_record("versity_put", in_a_path), True),
    "Versity, bulk delete": (of_record("versity_put", as_it_is), True),
    "Versity, many writers": (of_versity_under_load, True),
    "SNS": (in_text("aws_sns", "Message"), False),
    "SNS in Lambda": (in_text("aws_sns_lambda", "Records", 0, "Sns", "Message"), False),
    "SQS": (in_text("aws_sqs_message", "Body"), False),
    "SQS in Lambda": (in_text("aws_sqs_lambda", "Records", 0, "body"), False),
    "EventBridge": (of_detail("aws_eventbridge", "detail"), True),
    "EventBridge as CloudEvent": (of_detail("cloudevent_eventbridge", "data"), True),
    "Google": (of_subject("cloudevent_gcs", "objects/"), False),
    "Azure": (of_subject("cloudevent_azure", "/blobServices/default/containers/upload/blobs/"), False),
}


@pytest.mark.long
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_key_is_among_what_the_event_names(shape: str, key: str) -> None:
    make, has_doubt = SHAPES[shape]
    body = make(key)
    (found,) = parse(json.dumps(body).encode(), STRUCTURED if "specversion" in body else {})
    assert ObjectRef("upload", key) in found.refs
    assert has_doubt or found.other is None


def test_raw_key_that_could_be_an_encoded_one_names_both() -> None:
    (found,) = parse(json.dumps(of_record("ceph_put", as_it_is)("a+b.csv")).encode(), {})
    assert [ref.key for ref in found.refs] == ["a+b.csv", "a b.csv"]
    (found,) = parse(json.dumps(of_record("ceph_put", as_it_is)("a b.csv")).encode(), {})
    assert [ref.key for ref in found.refs] == ["a b.csv"]


def test_store_that_is_not_known_may_mean_either() -> None:
    body = of_record("ceph_put", as_it_is)("a+b.csv")
    body["Records"][0]["eventSource"] = "other:s3"
    (found,) = parse(json.dumps(body).encode(), {})
    assert [ref.key for ref in found.refs] == ["a b.csv", "a+b.csv"]


def test_reading_that_cannot_be_a_key_is_left_out() -> None:
    body = of_record("ceph_put", as_it_is)("x" * 1000 + "%41" * 10)
    (found,) = parse(json.dumps(body).encode(), {})
    assert [ref.key for ref in found.refs] == ["x" * 1000 + "A" * 10]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ObjectSynced:Create", Kind.CREATED),
        ("ObjectSynced:Delete", Kind.REMOVED),
        ("s3:Replication:Create", Kind.CREATED),
        ("ObjectLifecycle:Expiration:Current", Kind.REMOVED),
        ("ObjectLifecycle:Expiration:AbortMPU", Kind.REMOVED),
        ("ObjectLifecycle:Transition:Current", Kind.OTHER),
        ("s3:ObjectRemoved:DeleteObjects", Kind.REMOVED),
    ],
)
def test_names_that_other_stores_have(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    ("detail_type", "kind"),
    [
        ("Object Created", Kind.CREATED),
        ("Object Deleted", Kind.REMOVED),
        ("Object Tags Added", Kind.OTHER),
        ("Object Storage Class Changed", Kind.OTHER),
    ],
)
def test_detail_type_says_what_happened(detail_type: str, kind: Kind) -> None:
    (found,) = parse(json.dumps(event("aws_eventbridge") | {"detail-type": detail_type}).encode(), {})
    assert found.kind is kind


@pytest.mark.parametrize("spelling", ["aws.s3.object.created", "com.amazon.s3.objectcreated", "aws.s3.ObjectCreated"])
def test_type_of_a_cloudevent_made_of_eventbridge_may_be_spelled_otherwise(spelling: str) -> None:
    (found,) = parse(json.dumps(event("cloudevent_eventbridge") | {"type": spelling}).encode(), STRUCTURED)
    assert (found.ref, found.kind) == (REF, Kind.CREATED)


def test_cloudevent_may_carry_the_whole_event_of_eventbridge() -> None:
    body = event("cloudevent_eventbridge") | {"data": event("aws_eventbridge")}
    (found,) = parse(json.dumps(body).encode(), STRUCTURED)
    assert found.ref == REF


def test_binary_cloudevent_of_google_needs_no_data() -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "//storage.googleapis.com/projects/_/buckets/upload",
        "ce-type": "google.cloud.storage.object.v1.deleted",
        "ce-subject": f"objects/{quote(REF.key)}",
        "content-type": "application/protobuf",
    }
    (found,) = parse(b"\x0a\x03any", headers)
    assert (found.ref, found.kind, found.origin) == (REF, Kind.REMOVED, "gcs")


def wrong() -> Iterator[tuple[Any, dict[str, str], str]]:
    yield event("aws_sns_confirmation"), {}, "confirm a subscription; Penstock opens no URL"
    yield event("aws_sns") | {"Message": 3}, {}, "Message: expected a string with the event in JSON, got a number"
    yield event("aws_sns") | {"Message": "hello"}, {}, "not JSON"
    yield event("aws_eventbridge") | {"source": "aws.ec2"}, {}, "'aws.ec2' is not S3; the rule must match 'aws.s3'"
    yield event("aws_eventbridge") | {"detail-type": "Object Exploded"}, {}, "'Object Exploded' is unknown; known are"
    yield event("aws_eventbridge") | {"detail": []}, {}, "detail: expected an object, got a list"
    yield event("aws_eventbridge") | {"detail": {}}, {}, "bucket: expected an object, got nothing"
    yield event("cloudevent_eventbridge") | {"type": "weather"}, STRUCTURED, "ends like none of Object Created"
    yield event("cloudevent_gcs") | {"type": "google.cloud.storage.object.v1.eaten"}, STRUCTURED, "is unknown"
    yield event("cloudevent_gcs") | {"source": "//pubsub"}, STRUCTURED, "names its object in source and subject"
    yield event("cloudevent_azure") | {"subject": "/blobs/a"}, STRUCTURED, "names its object in source and subject"
    deep = event("aws_put_all_characters")
    for _ in range(6):
        deep = event("aws_sns") | {"Message": json.dumps(deep)}
    yield deep, {}, "more than 4 envelopes"


@pytest.mark.parametrize(("body", "headers", "message"), list(wrong()), ids=lambda value: str(value)[:30])
def test_event_that_names_nothing_is_refused_with_what_is_wrong(body: Any, headers: Any, message: str) -> None:
    with pytest.raises(EventError, match=message):
        parse(json.dumps(body).encode(), headers)


@pytest.mark.parametrize(
    "name",
    ["rustfs_put", "ceph_put", "versity_put", "aws_sns", "aws_sqs_lambda", "aws_sns_in_sqs_message", "aws_eventbridge"],
)
def test_bridge_makes_a_cloudevent_of_it_that_names_the_same_object(name: str) -> None:
    body = json.dumps(event(name)).encode()
    (made,) = to_cloudevents(body)
    assert made.attributes["subject"] == REF.key
    (before,), (after,) = parse(body, {}), parse(made.data, made.http_headers())
    assert (before.refs, before.id, before.kind) == (after.refs, after.id, after.kind)


def test_test_event_at_the_bridge_brings_nothing() -> None:
    assert to_cloudevents(json.dumps(event("aws_test_event")).encode()) == []


@pytest.mark.parametrize("name", [[], {}, [["Object Created"]], None, 1, True])
@pytest.mark.parametrize("read", [lambda body: parse(body, {}), to_cloudevents], ids=["function", "bridge"])
def test_detail_type_of_any_json_is_refused_with_words(name: Any, read: Callable[[bytes], object]) -> None:
    body = event("aws_eventbridge") | {"detail-type": name}
    with pytest.raises(EventError, match="detail-type"):
        read(json.dumps(body).encode())


def sqs(text: str) -> str:
    return json.dumps({"MessageId": "1", "Body": text})


def cloudevent(text: str) -> str:
    """A CloudEvent with the data in base64, so that it hides its braces and grows by a third only."""
    data = base64.b64encode(text.encode()).decode()
    return json.dumps({"specversion": "1.0", "type": "a", "source": "b", "id": "c", "data_base64": data})


def test_cloudevents_between_do_not_let_more_envelopes_be_opened() -> None:
    text = json.dumps({"bucket": "upload", "key": "a.csv"})
    for _ in range(4):
        text = cloudevent(sqs(text))
    assert [each.ref.key for each in parse(text.encode(), {})] == ["a.csv"]
    with pytest.raises(EventError, match="more than 4 envelopes"):
        parse(cloudevent(sqs(text)).encode(), {})


@pytest.mark.parametrize(
    "wrap",
    [cloudevent, lambda text: sqs(text).replace("[", r"\u005b"), lambda text: sqs(cloudevent(text))],
    ids=["in base64", "in escapes", "in both"],
)
def test_nested_values_are_counted_inside_each_envelope_before_they_are_read(
    wrap: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nested: list[int] = []

    def load_seen(text: bytes | str) -> Any:
        nested.append(text.count(b"[") if isinstance(text, bytes) else text.count("["))
        return load_json(text)

    for module in (parsing, wrapped, cloudevents):
        monkeypatch.setattr(module, "load_json", load_seen)
    with pytest.raises(InputTooLarge, match="at most 100"):
        parse_each(wrap("[" + ",".join(["[]"] * 3000) + "]").encode(), {}, 100)
    assert nested
    assert max(nested) < 3000


def test_message_that_cannot_be_read_does_not_take_the_good_ones_beside_it() -> None:
    body = event("aws_sqs_lambda")
    [good] = body["Records"]
    bad = [good | {"body": "{"}, good | {"body": None}, good | {"body": "[]"}]
    found = to_cloudevents_each(json.dumps({"Records": [bad[0], good, bad[1], good, bad[2]]}).encode())
    kinds = [OddRecord, CloudEventFields, OddRecord, CloudEventFields, OddRecord]
    assert [type(each) for each in found] == kinds
    assert [each.value for each in found if isinstance(each, OddRecord)] == bad
