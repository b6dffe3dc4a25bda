"""From Kafka records to requests: OpenFaaS's headers, CloudEvents, and names that mean harm."""

import json
from collections.abc import Callable

import pytest
from penstock import events
from penstock.connect.kafka.records import cloudevents, openfaas
from penstock.delivery.deliverer import Message
from penstock.delivery.http import render_head

from tests.paths import EVENTS
from tests.unit.connect.fakes import FakeRecord

NOTIFICATION = (EVENTS / "kafka_value.json").read_bytes()


def request(record: FakeRecord) -> Message[str]:
    [message] = openfaas("text/plain")(record, "compress", "receipt")
    return message


def event(record: FakeRecord) -> Message[str]:
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


def test_header_of_a_record_cannot_contradict_the_connector() -> None:
    headers = request(FakeRecord(the_headers=[("Offset", b"0"), ("key", b"forged"), ("Key-Enc", b"b64")])).headers
    assert (headers["X-Kafka-Offset"], headers["X-Kafka-Key"]) == ("42", "upload/donors.csv")
    assert "X-Kafka-Key-Enc" not in headers


def test_header_of_a_record_cannot_break_into_the_request() -> None:
    headers = request(FakeRecord(the_headers=[("a: b\r\nX-Topic", b"c\r\nX-Topic: d"), ("empty", None)])).headers
    assert headers["X-Kafka-a--b--X-Topic"] == "c%0D%0AX-Topic:%20d"
    assert render_head("", headers).count(b"\r\n") == len(headers)


def test_records_with_one_key_share_a_lane_in_one_topic_only() -> None:
    assert request(FakeRecord()).key == request(FakeRecord(the_value=b"other")).key
    assert request(FakeRecord(the_key=b"other")).key != request(FakeRecord()).key
    assert request(FakeRecord(the_key=None)).key != request(FakeRecord(the_key=b"")).key


def test_notification_of_minio_becomes_an_s3_cloudevent() -> None:
    message = event(FakeRecord(NOTIFICATION))
    [expected] = events.to_cloudevents(NOTIFICATION)
    assert message.headers == expected.http_headers()
    assert json.loads(message.value)["Records"] == json.loads(NOTIFICATION)["Records"]


def test_notification_of_versity_becomes_an_s3_cloudevent() -> None:
    body = (EVENTS / "versity_put.json").read_bytes().replace(b"webhook-global", b"kafka-global")
    [expected] = events.to_cloudevents(body)
    assert event(FakeRecord(body)).headers == expected.http_headers()


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


@pytest.mark.parametrize("name", ["ce_a b", "ce_a\r\nce-type", "ce_type: forged", "ce_猫", "ce_"])
def test_an_attribute_whose_name_no_request_can_carry_is_left_out(name: str) -> None:
    required = {"ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"/s", "ce_type": b"t"}
    wanted = {f"ce-{name[3:]}": value.decode() for name, value in required.items()}
    headers = event(FakeRecord(b"{}", the_headers=[*required.items(), (name, b"v")])).headers
    assert headers == wanted
    assert render_head("", headers).count(b"\r\n") == len(headers)


CLOUDEVENT = {"ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"/s", "ce_type": b"t"}


@pytest.mark.parametrize(
    "headers",
    [
        {"ce_specversion": b"1.0"},
        {**CLOUDEVENT, "ce_id": b""},
        {**CLOUDEVENT, "ce_specversion": b"2.0"},
        {**CLOUDEVENT, "ce_time": b"1700000000"},
        {**CLOUDEVENT, "ce_time": b"2026-01-01 00:00:00"},
        {**CLOUDEVENT, "ce_subject": b""},
        {**CLOUDEVENT, "ce_dataschema": None},
        {**CLOUDEVENT, "ce_data": b"x"},
        {"content-type": b"application/cloudevents+json"},
        {"content-type": b"application/cloudevents+avro"},
    ],
    ids=repr,
)
def test_a_notification_needs_no_attributes_that_can_be_read(headers: dict[str, bytes | None]) -> None:
    given = list(headers.items())
    message = event(FakeRecord(NOTIFICATION, the_headers=given))
    assert message.headers == event(FakeRecord(NOTIFICATION)).headers
    assert len(events.parse(message.value, message.headers)) == 1
    other = event(FakeRecord(b"{}", the_headers=given))
    assert other.headers.keys() <= {name.lower().replace("ce_", "ce-") for name in headers}


def test_a_notification_keeps_attributes_that_can_be_read() -> None:
    message = event(FakeRecord(NOTIFICATION, the_headers=list(CLOUDEVENT.items())))
    assert (message.headers["ce-id"], message.value) == ("1", NOTIFICATION)


def test_a_content_type_keeps_its_parameters() -> None:
    """It is not an attribute: the HTTP binding (3.1.1) has it as it is."""

    def sent(content_type: bytes) -> str:
        given = [("ce_specversion", b"1.0"), ("Content-Type", content_type)]
        return event(FakeRecord(b"a", the_headers=given)).headers["content-type"]

    assert sent(b"text/csv; charset=iso-8859-1") == "text/csv; charset=iso-8859-1"
    assert sent(b'application/cloudevents+json; charset="UTF-8"') == 'application/cloudevents+json; charset="UTF-8"'
    assert sent(b"text/csv\r\nX: y") == "text/csv%0D%0AX:%20y"


MANY_HEADERS = [(f"h{number}", b"v") for number in range(200)]
LONG = b"x" * 10_000


def fits(message: Message[str]) -> bool:
    """Whether gunicorn's and nginx's limits take a message's headers, with room for those of gateways."""
    lines = [f"{name}: {value}" for name, value in message.headers.items()]
    return len(lines) <= 70 and all(len(line) < 8190 for line in lines) and sum(map(len, lines)) < 24 * 1024


@pytest.mark.parametrize("make", [request, event])
@pytest.mark.parametrize(
    "record",
    [
        FakeRecord(NOTIFICATION, the_headers=MANY_HEADERS),
        FakeRecord(NOTIFICATION, the_headers=[("long", LONG)]),
        FakeRecord(NOTIFICATION, the_headers=[(f"h{number}", LONG[:3000]) for number in range(20)]),
        FakeRecord(NOTIFICATION, the_key=LONG),
        FakeRecord(NOTIFICATION, the_key=b"\xff" * 4000),
        FakeRecord(b"{}", the_key=LONG),
        FakeRecord(b"{}", the_headers=[("ce_specversion", b"1.0"), *((f"ce_h{n}", LONG[:400]) for n in range(200))]),
    ],
    ids=["many", "long", "much", "key", "binary key", "wrapped", "cloudevent"],
)
def test_headers_that_no_server_takes_are_left_out(
    record: FakeRecord, make: Callable[[FakeRecord], Message[str]]
) -> None:
    message = make(record)
    assert fits(message)
    assert json.loads(message.value) is not None


def test_headers_that_fit_are_kept_in_their_order() -> None:
    headers = request(FakeRecord(the_headers=[("first", b"1"), ("long", LONG), *MANY_HEADERS])).headers
    kept = [name for name in headers if name.startswith("X-Kafka-h") or name == "X-Kafka-first"]
    assert kept == ["X-Kafka-first", *(f"X-Kafka-h{number}" for number in range(len(kept) - 1))]
    assert len(kept) == 50
    assert "X-Kafka-long" not in headers


def test_long_binary_key_leaves_no_note_of_its_encoding() -> None:
    headers = request(FakeRecord(the_key=b"\xff" * 4000)).headers
    assert not {"X-Kafka-Key", "X-Kafka-Key-Enc"} & headers.keys()


def test_attributes_that_a_cloudevent_must_have_are_never_left_out() -> None:
    required = [("ce_specversion", b"1.0"), ("ce_id", LONG), ("ce_source", b"/s"), ("ce_type", b"t")]
    headers = event(FakeRecord(b"{}", the_headers=[*((f"ce_a{n}", b"v") for n in range(99)), *required])).headers
    assert {"ce-specversion", "ce-id", "ce-source", "ce-type"} <= headers.keys()


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "content-type"])
def test_attribute_that_no_server_takes_goes_as_its_digest(name: str) -> None:
    def sent(value: bytes) -> Message[str]:
        given = {"ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"/s", "ce_type": b"t", name: value}
        return event(FakeRecord(b"{}", the_headers=list(given.items())))

    message, header = sent(LONG), name.replace("ce_", "ce-")
    assert fits(message)
    if name == "content-type":
        assert header not in message.headers
        return
    assert message.headers[header].startswith("sha256:")
    # Doubles are still told from other events.
    assert sent(LONG).headers == message.headers
    assert sent(LONG + b"y").headers[header] != message.headers[header]
