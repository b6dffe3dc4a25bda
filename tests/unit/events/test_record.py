"""One odd record beside good ones: the good ones are read, and the odd one is returned with what is wrong in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from penstock.errors import EventError, InputTooLarge
from penstock.events import Notification, OddRecord, parse, parse_each, to_cloudevents, to_cloudevents_each

from tests.paths import EVENTS

RECORD = json.loads((EVENTS / "minio_put.json").read_bytes())["Records"][0]


def record(key: str, *, name: str = "s3:ObjectCreated:Put", **stored: Any) -> dict[str, Any]:
    """One S3 record; `stored` are members of its `s3.object`."""
    made: dict[str, Any] = json.loads(json.dumps(RECORD)) | {"eventName": name}
    made["s3"]["object"] |= {"key": key} | stored
    return made


ODD: dict[str, Any] = {
    "unknown name": record("odd", name="s3:ObjectExploded:Now"),
    "size that is text": record("odd", size="8"),
    "negative size": record("odd", size=-1),
    "time that is a number": record("odd") | {"eventTime": 5},
    "no object": {},
    "number": 5,
    "nothing": None,
    "key that does not decode": record("%zz"),
    "key that is too long": record("k" * 1025),
    "no s3": record("odd") | {"s3": None},
}
odd_records = pytest.mark.parametrize("odd", ODD.values(), ids=ODD)


def shapes(*records: Any) -> dict[str, tuple[bytes, dict[str, str]]]:
    """The same records as one notification, as a list of notifications and as a batch of CloudEvents."""
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    batch = "application/cloudevents-batch+json"
    return {
        "one notification": (json.dumps({"Records": records}).encode(), {}),
        "list": (json.dumps([{"Records": [each]} for each in records]).encode(), {}),
        "batch": (
            json.dumps([{**event, "data": {"Records": [each]}} for each in records]).encode(),
            {"content-type": batch},
        ),
    }


@odd_records
@pytest.mark.parametrize("shape", ["one notification", "list", "batch"])
def test_good_records_are_read_and_the_odd_one_is_returned_in_its_place(odd: Any, shape: str) -> None:
    body, headers = shapes(record("a"), odd, record("b"))[shape]
    first, second, third = parse_each(body, headers, 10)
    assert isinstance(first, Notification)
    assert isinstance(second, OddRecord)
    assert isinstance(third, Notification)
    assert (first.ref.key, third.ref.key) == ("a", "b")
    # A reader that wants all or nothing is told the same.
    with pytest.raises(EventError) as caught:
        parse(body, headers)
    assert str(caught.value) == str(second.error)


@odd_records
def test_odd_record_alone_is_refused_as_a_whole(odd: Any) -> None:
    with pytest.raises(EventError):
        parse_each(json.dumps({"Records": [odd]}).encode(), {}, 10)


@pytest.mark.parametrize("empty", [{"Records": []}, {}, {"Event": "unknown"}])
def test_empty_event_in_a_list_leaves_the_others(empty: Any) -> None:
    body = json.dumps([{"bucket": "upload", "key": "a"}, empty]).encode()
    first, second = parse_each(body, {}, 10)
    assert isinstance(first, Notification)
    assert isinstance(second, OddRecord)
    assert second.value == empty


@odd_records
def test_cloudevents_are_made_of_the_good_records(odd: Any) -> None:
    body = json.dumps({"Records": [record("a"), odd, record("b")]}).encode()
    first, second, third = to_cloudevents_each(body)
    assert isinstance(second, OddRecord)
    assert second.value == odd
    assert [each.attributes["subject"] for each in (first, third) if not isinstance(each, OddRecord)] == ["a", "b"]
    with pytest.raises(EventError):
        to_cloudevents(body)


@pytest.mark.parametrize("shape", ["one notification", "list", "batch"])
def test_more_objects_than_the_limit_are_refused_with_the_limit(shape: str) -> None:
    body, headers = shapes(*(record(str(number)) for number in range(4)))[shape]
    assert len(parse_each(body, headers, 4)) == 4
    with pytest.raises(InputTooLarge, match="more than 3 objects; send at most 3 at a time"):
        parse_each(body, headers, 3)


def test_limit_counts_the_records_of_all_notifications_in_a_list() -> None:
    body = json.dumps([{"Records": [record("a"), record("b")]}] * 3).encode()
    with pytest.raises(InputTooLarge):
        parse_each(body, {}, 5)


@pytest.mark.parametrize("bomb", [b"[" + b"[]," * 100_000 + b"[]]", b"[" + b"{}," * 100_000 + b"{}]"])
def test_json_of_nothing_but_brackets_is_refused_unread(bomb: bytes) -> None:
    with pytest.raises(InputTooLarge):
        parse_each(bomb, {}, 100)
