"""From Kafka records to requests: OpenFaaS's headers, CloudEvents, and names that mean harm."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from penstock import events
from penstock.connect.kafka.records import cloudevents, openfaas
from penstock.delivery.deliverer import Message
from penstock.delivery.http import _render

from tests.paths import EVENTS

NOTIFICATION = (EVENTS / "kafka_value.json").read_bytes()


@dataclass
class FakeRecord:
    the_value: bytes | None = b"body"
    the_key: bytes | None = b"upload/donors.csv"
    the_headers: Sequence[tuple[str, bytes | None]] | None = None

    def topic(self) -> str:
        return "upload"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 42

    def key(self) -> bytes | None:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def headers(self) -> Sequence[tuple[str, bytes | None]] | None:
        return self.the_headers


def request(record: FakeRecord) -> Message:
    [message] = openfaas("text/plain")(record, "compress", "receipt")
    return message


def event(record: FakeRecord) -> Message:
    [message] = cloudevents("penstock")(record, "compress", "receipt")
    return message


def test_record_becomes_the_request_of_the_openfaas_connector() -> None:
    message = request(FakeRecord(the_headers=[("Trace-Id", b"a b")]))
    assert message.headers == {
        "Content-Type": "text/plain",
        "X-Topic": "upload",
        "X-Kafka-Partition": "3",
        "X-Kafka-Offset": "42",
        "X-Kafka-Key": "upload/donors.csv",
        "X-Kafka-Trace-Id": "a b",
    }
    assert (message.value, message.origin, message.target, message.receipt) == (
        b"body",
        "upload/3@42",
        "compress",
        "receipt",
    )


@pytest.mark.parametrize(("key", "text"), [(b"\xff\x00", "/wA="), ("日".encode(), "5pel"), (b"a\r\nb", "YQ0KYg==")])
def test_binary_key_is_base64_and_says_so(key: bytes, text: str) -> None:
    headers = request(FakeRecord(the_key=key)).headers
    assert (headers["X-Kafka-Key"], headers["X-Kafka-Key-Enc"]) == (text, "b64")


def test_record_without_a_key_has_no_key_header() -> None:
    assert "X-Kafka-Key" not in request(FakeRecord(the_key=None)).headers


def test_tombstone_is_an_empty_body() -> None:
    assert request(FakeRecord(the_value=None)).value == b""


def test_header_of_a_record_cannot_contradict_the_connector() -> None:
    headers = request(FakeRecord(the_headers=[("Offset", b"0"), ("key", b"forged"), ("Key-Enc", b"b64")])).headers
    assert (headers["X-Kafka-Offset"], headers["X-Kafka-Key"]) == ("42", "upload/donors.csv")
    assert "X-Kafka-Key-Enc" not in headers


def test_header_of_a_record_cannot_break_into_the_request() -> None:
    headers = request(FakeRecord(the_headers=[("a: b\r\nX-Topic", b"c\r\nX-Topic: d"), ("empty", None)])).headers
    assert headers["X-Kafka-a--b--X-Topic"] == "c%0D%0AX-Topic:%20d"
    assert _render("", headers).count(b"\r\n") == len(headers)


def test_records_with_one_key_share_a_lane_in_one_topic_only() -> None:
    assert request(FakeRecord()).key == request(FakeRecord(the_value=b"other")).key
    assert request(FakeRecord(the_key=b"other")).key != request(FakeRecord()).key
    assert request(FakeRecord(the_key=None)).key != request(FakeRecord(the_key=b"")).key


def test_notification_of_minio_becomes_an_s3_cloudevent() -> None:
    message = event(FakeRecord(NOTIFICATION))
    [expected] = events.to_cloudevents(NOTIFICATION)
    assert message.headers == expected.http_headers()
    assert json.loads(message.value)["Records"] == json.loads(NOTIFICATION)["Records"]


def test_any_other_record_is_wrapped_as_knatives_kafka_source_does() -> None:
    assert event(FakeRecord(the_key="a é".encode())).headers == {
        "ce-specversion": "1.0",
        "ce-type": "dev.knative.kafka.event",
        "ce-source": "/penstock/connect/penstock#upload",
        "ce-id": "partition:3/offset:42",
        "ce-subject": "partition:3#42",
        "ce-key": "a%20%C3%A9",
    }


def test_broken_notification_is_wrapped_for_the_receiver_to_refuse() -> None:
    message = event(FakeRecord(b'{"EventName": "s3:ObjectCreated:Put", "Records": [{}]}'))
    assert message.headers["ce-type"] == "dev.knative.kafka.event"


def test_record_that_is_a_cloudevent_passes_unchanged() -> None:
    given = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("content-type", b"application/json"), ("other", b"x")]
    message = event(FakeRecord(b"{}", the_headers=given))
    assert message.headers == {"ce-specversion": "1.0", "ce-id": "1", "content-type": "application/json"}
    assert message.value == b"{}"
