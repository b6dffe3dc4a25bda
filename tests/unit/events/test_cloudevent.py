"""What the bridge sends: one CloudEvent a record, by the S3 mapping, fit for Trigger filters."""

import json
from typing import Any

import pytest
from penstock.errors import EventError
from penstock.events import CloudEventFields, parse, source_of, to_cloudevents

from tests.paths import EVENTS


def event(name: str) -> bytes:
    return (EVENTS / f"{name}.json").read_bytes()


def with_record(**members: Any) -> bytes:
    body = json.loads(event("minio_put"))
    body["Records"][0].update(members)
    return json.dumps(body).encode()


def test_attributes_follow_the_s3_mapping() -> None:
    (made,) = to_cloudevents(event("minio_complete_multipart"))
    assert made.attributes == {
        "specversion": "1.0",
        "id": parse(event("minio_complete_multipart"), {})[0].id,
        "source": "minio:s3..upload",
        "type": "com.amazonaws.s3.ObjectCreated:CompleteMultipartUpload",
        "subject": "data/donors.csv",
        "datacontenttype": "application/json",
        "time": "2026-11-21T02:34:43.517Z",
    }
    assert json.loads(made.data) == json.loads(event("minio_complete_multipart"))


def test_each_record_becomes_an_event_of_its_own() -> None:
    made = to_cloudevents(event("several_records"))
    whole = parse(event("several_records"), {})
    assert [parse(one.data, one.http_headers()) for one in made] == [[notification] for notification in whole]
    assert [one.attributes["id"] for one in made] == [notification.id for notification in whole]
    assert [one.attributes["type"].rpartition(".")[2] for one in made] == ["ObjectCreated:Put", "ObjectRemoved:Delete"]
    assert json.loads(made[1].data)["EventName"] == "s3:ObjectRemoved:Delete"
    assert json.loads(made[1].data)["Key"] == "upload/data/small.csv"


def test_aws_records_keep_their_source_and_region() -> None:
    (made,) = to_cloudevents(event("aws_put"))
    assert made.attributes["source"] == source_of("upload", region="eu-central-1", origin="aws:s3")
    assert made.attributes["source"] == "aws:s3.eu-central-1.upload"
    assert made.attributes["type"] == "com.amazonaws.s3.ObjectCreated:Put"


def test_headers_are_percent_encoded_as_the_http_binding_says() -> None:
    (made,) = to_cloudevents(event("kafka_value"))
    assert made.attributes["subject"] == "dir/日本 x+y.csv"
    assert made.http_headers() == {
        "ce-specversion": "1.0",
        "ce-id": made.attributes["id"],
        "ce-source": "minio:s3..upload",
        "ce-type": "com.amazonaws.s3.ObjectCreated:Put",
        "ce-subject": "dir/%E6%97%A5%E6%9C%AC%20x+y.csv",
        "ce-time": "2026-11-21T02:55:03.268000Z",
        "content-type": "application/json",
    }


@pytest.mark.parametrize("key", ["two\r\nlines", 'quo"te', "100%", "日本語", "a\x7fb"])
def test_header_values_are_printable_ascii_and_decode_to_the_key(key: str) -> None:
    from cloudevents.core.bindings.http import HTTPMessage, from_http_event

    body = json.loads(event("minio_put"))
    body["Records"][0]["s3"]["object"]["key"] = "".join(f"%{byte:02X}" for byte in key.encode())
    (made,) = to_cloudevents(json.dumps(body).encode())
    headers = made.http_headers()
    assert all("!" <= character <= "~" for value in headers.values() for character in value)
    assert from_http_event(HTTPMessage(headers, made.data)).get_subject() == key


def test_same_notification_gives_the_same_bytes() -> None:
    def sent(events: list[CloudEventFields]) -> list[tuple[dict[str, str], bytes]]:
        return [(one.http_headers(), one.data) for one in events]

    timeless = with_record(eventTime=None)
    assert sent(to_cloudevents(event("kafka_value"))) == sent(to_cloudevents(event("kafka_value")))
    assert sent(to_cloudevents(timeless)) == sent(to_cloudevents(timeless))


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-13-01T00:00:00Z", "2026-11-21", "2026-11-21T02:34:26"])
def test_time_that_is_none_is_left_out(time: str | None) -> None:
    (made,) = to_cloudevents(with_record(eventTime=time))
    assert "time" not in made.attributes
    assert "ce-time" not in made.http_headers()


def test_sending_does_not_change_the_event() -> None:
    (made,) = to_cloudevents(with_record(eventTime=None))
    before = dict(made.attributes)
    made.http_headers()
    assert made.attributes == before


def test_records_about_buckets_are_left_out() -> None:
    body = json.loads(with_record(eventName="s3:BucketRemoved:*"))
    body["Records"][0]["s3"]["object"]["key"] = ""
    assert to_cloudevents(json.dumps(body).encode()) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the event is empty"),
        (b"[]", 'expected a notification with "Records", got a list'),
        (event("reference"), 'expected a notification with "Records"'),
        (b'{"Records": []}', "Records: is empty"),
        (with_record(eventName="s3:ObjectEaten:Whole"), "event name 's3:ObjectEaten:Whole' is unknown"),
        (with_record(eventSource=None), r"Records\[0\]\.eventSource: expected a string, got nothing"),
        (with_record(awsRegion=3), r"Records\[0\]\.awsRegion: expected a string, got a number"),
        (with_record(source="X").replace(b'"X"', b"1e999"), r"Records\[0\]: cannot be passed on as JSON"),
    ],
)
def test_bad_notification_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(EventError, match=message):
        to_cloudevents(body)
