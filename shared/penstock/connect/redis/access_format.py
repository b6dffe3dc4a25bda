"""The items that MinIO appends to a Redis list, as the notifications that it sends to every other kind of target.

With `format: access` an item is `[{"Event": [record, ...], "EventTime": ...}]`.
Source: minio/minio, internal/event/target/redis.go, RedisAccessEvent and RedisTarget.send, February 2026.
"""

import json
from typing import Any

from penstock import events
from penstock.errors import EventError


def as_notification(item: bytes) -> bytes:
    """The item as `{"EventName", "Key", "Records"}`. Anything else comes back as it is: its function judges it."""
    try:
        records = _records(json.loads(item))
    except (ValueError, RecursionError):
        return item
    if not records:
        return item
    notification: dict[str, Any] = {"Records": records}
    try:
        found = events.parse(json.dumps(notification).encode(), {})
    except EventError:
        return item
    if found:
        first = found[0]
        notification = {"EventName": first.name, "Key": f"{first.ref.bucket}/{first.ref.key}", **notification}
    return json.dumps(notification, separators=(",", ":")).encode()


def _records(value: Any) -> list[Any]:
    """The records of an item; none when it has another shape."""
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return []
    lists = [entry.get("Event") for entry in value]
    if not all(isinstance(found, list) for found in lists):
        return []
    return [record for found in lists for record in found or ()]
