"""A malformed event is answered with what is wrong in it."""

import json
from typing import Any

import pytest
from penstock.errors import EventError
from penstock.events import parse

from tests.paths import EVENTS

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
BINARY = {"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "minio:s3..upload", "Ce-Type": "com.amazonaws.s3.X"}


def event(name: str) -> bytes:
    return (EVENTS / f"{name}.json").read_bytes()


def short(value: object) -> str:
    """A test's name from its input, which may have 100,000 bytes."""
    return repr(value)[:40]


def changed(name: str, *path: str | int, to: Any) -> bytes:
    """A payload of tests/events with one member set to `to`."""
    body = json.loads(event(name))
    parent = body
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = to
    return json.dumps(body).encode()


RECORD = ("Records", 0)
OBJECT = ("Records", 0, "s3", "object")


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"", {}, "the event is empty; expected a notification"),
        (b" \n", {}, "the event is empty"),
        (b"{", {}, "not JSON: .* line 1 column 2"),
        (b"email,name\n", {}, "not JSON"),
        (b'{"bucket": "upload", "key": "\xff"}', {}, "not UTF-8 at byte 29"),
        (b'{"bucket": "upload", "key": NaN}', {}, "it has no NaN"),
        (b'{"bucket": "upload", "key": "a", "key": "b"}', {}, "has 'key' twice"),
        (b"[" * 100_000, {}, "nested too deeply"),
        (b'{"size": ' + b"1" * 5000 + b"}", {}, "number that is too long"),
        (b"3", {}, "expected a notification .* got a number"),
        (b"null", {}, "got nothing"),
        (b"{}", {}, "got an object with nothing in it"),
        (b'{"EventName": "s3:ObjectCreated:Put", "Key": "upload/a"}', {}, "got an object with 'EventName', 'Key'"),
        (b"[]", {}, "the list is empty"),
        (b"[[]]", {}, r"event\[0\]: expected .* got a list"),
        (b'{"Records": []}', {}, "Records: is empty"),
        (b'{"Records": {}}', {}, "Records: expected a list, got an object"),
        (b'{"Records": ["a"]}', {}, r"Records\[0\]: expected an object, got a string"),
        (b'[{"Records": [{"eventName": true}]}]', {}, r"event\[0\]\.Records\[0\]\.eventName: .* got true or false"),
        (changed("minio_put", *RECORD, "s3", to=None), {}, r"Records\[0\]\.s3: expected an object, got nothing"),
        (changed("minio_put", *RECORD, "s3", "bucket", to=[]), {}, r"s3\.bucket: expected an object, got a list"),
        (changed("minio_put", *RECORD, "s3", "bucket", "name", to=""), {}, "'' is not a bucket's name"),
        (changed("minio_put", *RECORD, "s3", "bucket", "name", to="a/b"), {}, "'a/b' is not a bucket's name"),
        (changed("minio_put", *OBJECT, "key", to=7), {}, r"s3\.object\.key: expected a string, got a number"),
        (changed("minio_put", *OBJECT, "key", to=""), {}, "the key is empty"),
        (changed("minio_put", *OBJECT, "key", to="100%.csv"), {}, "'%.c' in it is not percent-encoding"),
        (changed("minio_put", *OBJECT, "key", to="a%ff.csv"), {}, "does not decode to UTF-8"),
        (changed("minio_put", *OBJECT, "key", to="\ud800"), {}, "is not Unicode text"),
        (changed("minio_put", *OBJECT, "key", to="a" * 1025), {}, "1025 bytes, S3 allows 1024"),
        (changed("minio_put", *OBJECT, "key", to="..%2Fprivate%2Fa"), {}, "segment '.' or '..'"),
        (b'{"bucket": "upload", "key": "//a/b"}', {}, "'//a/b' begins with a slash, .* leave it out"),
        (b'{"bucket": "upload", "key": "/"}', {}, "'/' begins with a slash"),
        (changed("minio_put", *OBJECT, "key", to="a%00.csv"), {}, r"the key 'a\\x00.csv' has a NUL"),
        (changed("minio_put", *OBJECT, "size", to="8"), {}, r"size: expected a number of bytes, got a string"),
        (changed("minio_put", *OBJECT, "size", to=-1), {}, "size: expected a number of bytes"),
        (changed("minio_put", *OBJECT, "size", to=True), {}, "size: .* got true or false"),
        (changed("minio_put", *OBJECT, "eTag", to=1), {}, "eTag: expected a string, got a number"),
        (b'{"bucket": "upload"}', {}, r"event\.key: expected a string, got nothing"),
        (b'{"key": "a"}', {}, r"event\.bucket: expected a string, got nothing"),
        (b'[{"bucket": "upload", "key": "a"}, {"bucket": "", "key": "a"}]', {}, r"event\[1\]: '' is not a bucket's"),
        (b"", BINARY, "the CloudEvent has no data"),
        (b"not json", BINARY, "not JSON"),
        (b"{}", BINARY | {"Ce-Id": ""}, "not a CloudEvent: .*'id'"),
        (b"{}", BINARY | {"Ce-Specversion": "9"}, "not a CloudEvent: .*'specversion' must be '1.0'"),
        (b"{}", BINARY | {"Ce-Time": "nonsense"}, "not a CloudEvent: its time .* does not parse"),
        (b"{}", {"ce-specversion": "1.0"}, "not a CloudEvent: .*'type'"),
        (b"{}", STRUCTURED, "not a CloudEvent: .*'source'"),
        (b"[]", STRUCTURED, "expected a CloudEvent in JSON, got a list"),
        (b"{}", BATCH, "batch: expected a list of CloudEvents"),
        (b"[3]", BATCH, r"batch\[0\]: expected a CloudEvent in JSON, got a number"),
        (changed("cloudevent_s3", "id", to="\udfff"), STRUCTURED, r"event\.id: .* is not Unicode"),
        (changed("cloudevent_s3", "time", to=3), STRUCTURED, "its time .* does not parse"),
        (
            b'{"specversion": "0.3", "id": "1", "source": "s", "type": "t", "datacontentencoding": 3, "data": "a"}',
            STRUCTURED,
            "does not parse",
        ),
        (changed("cloudevent_s3", "data", to=3), STRUCTURED, "event: expected a notification .* got a number"),
        (changed("cloudevent_s3", "data_base64", to="e30="), STRUCTURED, "both data and data_base64"),
        (changed("cloudevent_kafka_source", "data_base64", to="!!!!"), STRUCTURED, "the event is empty"),
        (changed("cloudevent_kafka_source", "data_base64", to="é"), STRUCTURED, "data_base64 does not parse"),
        (changed("cloudevent_s3", "data", to=json.loads(event("cloudevent_s3"))), STRUCTURED, "got an object with"),
        (b"\x00\x01", {"Content-Type": "application/cloudevents+avro"}, "only JSON is read"),
    ],
    ids=short,
)
def test_bad_event_is_answered_with_what_is_wrong(body: bytes, headers: dict[str, str], message: str) -> None:
    with pytest.raises(EventError, match=message) as caught:
        parse(body, headers)
    str(caught.value).encode()  # it becomes an answer, so it must not carry half characters


@pytest.mark.parametrize("name", ["s3:ObjectCreated:Teleport", "s3:ObjectEaten:Whole", "ObjectCreated", "s3:", ""])
def test_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(EventError, match=r"unknown; known are s3:ObjectCreated:Put, .*s3:Replication") as caught:
        parse(changed("minio_put", "Records", 0, "eventName", to=name), {})
    assert name in str(caught.value)
