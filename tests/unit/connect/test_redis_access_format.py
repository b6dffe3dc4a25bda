"""Items of MinIO's access format as notifications; everything else as it is."""

import json
from typing import Any

import pytest
from penstock import events
from penstock.connect.redis.access_format import as_notification

from tests.paths import EVENTS


def record(key: str = "a+b%2F%E6%97%A5.csv") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / "minio_put.json").read_text())["Records"][0]
    found["s3"]["object"]["key"] = key
    return found


def item(*records: dict[str, Any]) -> bytes:
    return json.dumps([{"Event": [each], "EventTime": each["eventTime"]} for each in records]).encode()


def test_an_item_is_the_notification_that_a_webhook_gets() -> None:
    found = json.loads(as_notification(item(record())))

    assert found == {"EventName": "s3:ObjectCreated:Put", "Key": "upload/a b/日.csv", "Records": [record()]}


def test_several_records_keep_their_order() -> None:
    made = as_notification(item(record("first"), record("second")))

    assert [each.ref.key for each in events.parse(made, {})] == ["first", "second"]


@pytest.mark.parametrize(
    "stranger",
    [
        b"",
        b"hello",
        b"\xff",
        b"7",
        b"null",
        b"[]",
        b"[7]",
        b'{"Event": []}',
        b'[{"Event": 7}]',
        b'[{"Event": []}]',
        b'[{"Event": [{"s3": {}}]}]',
        b'{"bucket": "upload", "key": "a"}',
        b"[" * 100_000,
        json.dumps([{"Event": [record()]}, {"other": 1}]).encode(),
    ],
)
def test_anything_else_stays_as_it_is(stranger: bytes) -> None:
    assert as_notification(stranger) == stranger
