"""Who uploaded an object, and from where: left out of what the bridge keeps and sends, and of all dead letters.

A record of MinIO or S3 carries the uploader's access key (`userIdentity`, `principalId`), the bucket owner's, and the
client's address and program (`sourceIPAddress`, `source`). Functions have no use for them, and dead letters, topics and
logs keep what they get for a long time. The ids of the request (`responseElements`) say nothing about a person.
"""

import base64
import json
from typing import Any

from penstock.errors import EventError
from penstock.events.record import load_json
from penstock.events.wrapped import is_detail

_REQUEST_MEMBERS = frozenset({"principalId", "sourceIPAddress"})
_DETAIL_MEMBERS = frozenset({"requester", "source-ip-address"})  # EventBridge
_HOLDS_EVENTS = frozenset({"Records", "Event", "data", "detail", "Sns"})
_HOLDS_TEXT = frozenset({"Message", "Body", "body", "data"})


def without_identity(record: Any) -> Any:
    """The record without its uploader and the client's address. What is not a record comes back as it is."""
    if not isinstance(record, dict):
        return record
    made = {name: value for name, value in record.items() if name not in ("userIdentity", "source")}
    if isinstance(parameters := made.get("requestParameters"), dict):
        made["requestParameters"] = {name: value for name, value in parameters.items() if name not in _REQUEST_MEMBERS}
    s3 = made.get("s3")
    if isinstance(s3, dict) and isinstance(bucket := s3.get("bucket"), dict):
        made["s3"] = s3 | {"bucket": {name: value for name, value in bucket.items() if name != "ownerIdentity"}}
    return made


def body_without_identity(body: bytes) -> bytes:
    """The JSON of an event without the identities in its records. Any other bytes come back as they are.

    Records are looked for in notifications, lists, CloudEvents, and messages of SNS, SQS and EventBridge.
    """
    try:
        value = load_json(body)
        cleaned = _cleaned(value)
        return body if cleaned == value else json.dumps(cleaned, separators=(",", ":")).encode()
    except (EventError, RecursionError):
        return body


def _cleaned(value: Any) -> Any:
    """The event in a value, in all its envelopes, without identities. What is no event comes back as it is."""
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "s3" in value:
        return without_identity(value)
    made = {name: _cleaned(part) if name in _HOLDS_EVENTS else part for name, part in value.items()}
    made |= {name: _cleaned_text(made[name]) for name in _HOLDS_TEXT & made.keys()}
    if isinstance(text := made.get("data_base64"), str):
        made["data_base64"] = _cleaned_base64(text)
    if is_detail(made):
        made = {name: part for name, part in made.items() if name not in _DETAIL_MEMBERS}
    return made


def _cleaned_text(text: Any) -> Any:
    """JSON in a string, as SNS and SQS carry it."""
    if not isinstance(text, str):
        return text
    try:
        value = load_json(text)
    except EventError:
        return text
    cleaned = _cleaned(value)
    return text if cleaned == value else json.dumps(cleaned, separators=(",", ":"))


def _cleaned_base64(text: str) -> str:
    try:
        inner = base64.b64decode(text, validate=True)
    except ValueError:
        return text
    cleaned = body_without_identity(inner)
    return text if cleaned == inner else base64.b64encode(cleaned).decode()
