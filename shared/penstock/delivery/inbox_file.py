"""What the file of an inbox holds: its tables, and how a message is a row of them."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from penstock.delivery.deliverer import Message
from penstock.json_text import encodable
from penstock.sqlite_file import Layout

_PENDING = ("id", "target", "key", "value", "headers", "origin", "received")
_DEAD = (*_PENDING, "died", "code", "reason", "data")
LAYOUT = Layout(
    # AUTOINCREMENT: a deleted row's number must not come back, because `claim` goes on after the last one it gave.
    (
        """CREATE TABLE pending (
            id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
            headers TEXT NOT NULL, origin TEXT NOT NULL, received REAL NOT NULL)""",
        """CREATE TABLE dead (
            id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
            headers TEXT NOT NULL, origin TEXT NOT NULL, received REAL NOT NULL,
            died REAL NOT NULL, code INTEGER NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL)""",
    ),
    version=1,
    application_id=int.from_bytes(b"PnIn", "big"),
    elsewhere="name another file, or move this one away",
    unversioned={"pending": _PENDING, "dead": _DEAD},
)
MESSAGE_COLUMNS = "target, key, value, headers, origin, received"
_MAX_ID = 2**63 - 1  # SQLite's largest integer
INSERT_DEAD = f"INSERT INTO dead ({MESSAGE_COLUMNS}, died, code, reason, data)"


def numbers_of(ids: Iterable[str]) -> list[int]:
    """The ids as numbers, without those that no row can have."""
    return [number for number in map(int, ids) if 0 < number <= _MAX_ID]


def row_of(message: Message[object], now: float) -> tuple[str, bytes | str, bytes, str, str, float]:
    """A message as the values of `MESSAGE_COLUMNS`."""
    key = message.key if isinstance(message.key, bytes) else encodable(message.key)
    return message.target, key, message.value, json.dumps(dict(message.headers)), encodable(message.origin), now


def message_of(row: Sequence[Any], receipt: Any) -> Message[Any]:
    """The message of a row that begins with `MESSAGE_COLUMNS`."""
    target, key, value, headers, origin = row[:5]
    return Message(key, value, json.loads(headers), origin, target, receipt)
