"""MQTT messages as messages to deliver: their order, their headers, and CloudEvents."""

import json

import pytest
from penstock.connect.messages import make_messages, ordering_key

from tests.paths import EVENTS

NOTIFICATION = (EVENTS / "mqtt_payload.json").read_bytes()


def test_a_message_names_its_topic() -> None:
    [message] = make_messages("läke/a b", b"body", "compress", "a#1", 7, kind="mqtt", cloudevents=False)
    assert message.headers == {"Content-Type": "text/plain", "X-Topic": "l%C3%A4ke/a b"}
    assert (message.value, message.target, message.origin, message.receipt) == (b"body", "compress", "a#1", 7)


def test_a_notification_becomes_a_cloudevent_for_each_record() -> None:
    [message] = make_messages("processed", NOTIFICATION, "compress", "a#1", None, kind="mqtt", cloudevents=True)
    assert message.headers["ce-type"].startswith("com.amazonaws.s3.ObjectCreated")
    assert message.key == ordering_key("processed", NOTIFICATION)


def test_any_other_message_is_wrapped_and_has_the_same_id_each_time() -> None:
    first, again, other = (
        make_messages("processed", body, "compress", "a#1", None, kind="mqtt", cloudevents=True)[0]
        for body in (b"x", b"x", b"y")
    )
    assert first.headers["ce-type"] == "dev.penstock.mqtt.message"
    assert first.headers["ce-source"] == "/penstock/connect/mqtt#processed"
    assert first.headers["ce-id"] == again.headers["ce-id"] != other.headers["ce-id"]


def test_messages_about_one_object_are_one_lane() -> None:
    first = ordering_key("processed", b'{"Key": "processed/a.gz", "EventName": "s3:ObjectCreated:Put"}')
    assert first == ordering_key("processed", b'{"Key": "processed/a.gz"}')
    assert first != ordering_key("processed", b'{"Key": "processed/b.gz"}')


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[1]", b"hello", b'{"Key": 1}', b"[" * 100_000])
def test_other_messages_of_a_topic_are_one_lane(payload: bytes) -> None:
    assert ordering_key("processed", payload) == "processed"


@pytest.mark.parametrize("cloudevents", [False, True])
@pytest.mark.parametrize("topic", ["lake/" + "t" * 20_000, "lake/" + "é" * 10_000, "lake/short"])
def test_topic_of_any_length_makes_a_request_that_servers_take(topic: str, cloudevents: bool) -> None:
    [message] = make_messages(topic, b"not an event", "compress", "lake#1", None, kind="mqtt", cloudevents=cloudevents)
    assert all(len(f"{name}: {value}") < 8190 for name, value in message.headers.items())
    if cloudevents:
        source = message.headers["ce-source"]
        assert source.startswith("/penstock/connect/mqtt#" + ("lake" if topic == "lake/short" else "sha256:"))
    else:
        assert ("X-Topic" in message.headers) is (topic == "lake/short")


def test_events_that_name_their_object_in_the_record_alone_are_ordered_by_it() -> None:
    record = {"s3": {"bucket": {"name": "upload"}, "object": {"key": "a%2Bb.csv"}}}
    direct = json.dumps({"Records": [record]}).encode()
    key = ordering_key("q", direct)
    assert key == "q\0upload/a%2Bb.csv"
    topic = {"Type": "Notification", "TopicArn": "arn:aws:sns:a:1:t", "Message": direct.decode()}
    assert ordering_key("q", json.dumps(topic).encode()) == key
    detail = {"bucket": {"name": "upload"}, "object": {"key": "a+b.csv"}}
    event = {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}
    assert ordering_key("q", json.dumps(event).encode()) == "q\0upload/a+b.csv"


def test_events_of_one_object_share_one_order_however_their_store_writes_its_name() -> None:
    """Versity writes the path of a request, what stood in the body of a bulk delete, or another request's text."""
    names = [
        ("upload", "a%20b.csv", "arn:aws:s3:::/upload/a%20b.csv"),
        ("upload", "a b.csv", "arn:aws:s3:::/upload"),
        ("uplthe", "b.csvcsv", "arn:aws:s3:::/upload/a%20b.csv"),
    ]
    orders = set()
    for bucket, key, arn in names:
        body = json.loads((EVENTS / "versity_put.json").read_bytes())
        body[0]["s3"] |= {"bucket": {"name": bucket, "arn": arn}, "object": {"key": key}}
        orders.add(ordering_key("q", json.dumps(body).encode()))
    assert orders == {"q\0upload/a b.csv"}


@pytest.mark.parametrize(
    "document",
    [{"Records": []}, {"Records": [{"s3": 7}]}, {"Records": [{"s3": {"bucket": {}, "object": {}}}] * 2}, [], 7, "a"],
)
def test_other_messages_of_a_topic_share_one_order(document: object) -> None:
    assert ordering_key("q", json.dumps(document).encode()) == "q"
