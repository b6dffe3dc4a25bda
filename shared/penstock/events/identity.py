"""Who uploaded an object, and from where: left out of what the bridge keeps and sends, and of all dead letters.

A record of MinIO or S3 carries the uploader's access key (`userIdentity`, `principalId`), the bucket owner's, and the
client's address and program (`sourceIPAddress`, `source`). Functions have no use for them, and dead letters, topics and
logs keep what they get for a long time. The ids of the request (`responseElements`) say nothing about a person.
"""

import json
from typing import Any

from penstock.errors import EventError
from penstock.events.record import load_json

_REQUEST_MEMBERS = frozenset({"principalId", "sourceIPAddress"})


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
    """The JSON of a notification without the identities in its records. Any other bytes come back as they are."""
    try:
        value = load_json(body)
        if not isinstance(value, dict) or not isinstance(records := value.get("Records"), list):
            return body
        value["Records"] = [without_identity(record) for record in records]
        if value["Records"] == records:
            return body
        return json.dumps(value, separators=(",", ":")).encode()
    except (EventError, RecursionError):
        return body
