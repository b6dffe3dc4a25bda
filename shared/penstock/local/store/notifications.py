"""What MinIO sends when an object changes, built field for field as a real server does.

Source of the format: notifications recorded from a MinIO server of February 2026. What is easily got wrong: the
record's key is form-encoded (`+` for a space, `/` as `%2F`) and the top-level `Key` is not; `eTag` has no quotes;
`size` is absent when it is 0; a removal has neither size, eTag nor metadata.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from penstock.types import ObjectRef


@dataclass(frozen=True, slots=True)
class Origin:
    """The server that notifies, and the request that caused it."""

    endpoint: str
    deployment_id: str
    request_id: str
    principal: str
    address: str = "127.0.0.1"
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One event about one object.

    `name` is the event's, such as `s3:ObjectCreated:Put`. `headers` are the object's stored ones in lower case, user
    metadata as `x-amz-meta-...`; None for a removal. `sequencer_ns` is the object's modification time in ns.
    """

    name: str
    ref: ObjectRef
    time_ns: int
    sequencer_ns: int
    size: int = 0
    etag: str = ""
    headers: Mapping[str, str] | None = None
    version_id: str | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict)


def notification(change: ObjectChange, origin: Origin) -> dict[str, Any]:
    """The JSON document that MinIO's webhook, Kafka and MQTT targets carry: one record."""
    return {
        "EventName": change.name,
        "Key": f"{change.ref.bucket}/{change.ref.key}",
        "Records": [_record(change, origin)],
    }


def _record(change: ObjectChange, origin: Origin) -> dict[str, Any]:
    bucket = change.ref.bucket
    return {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": _milliseconds(change.time_ns),
        "eventName": change.name,
        "userIdentity": {"principalId": origin.principal},
        "requestParameters": {"principalId": origin.principal, "region": "", "sourceIPAddress": origin.address},
        "responseElements": {
            **change.response_headers,
            "x-amz-id-2": origin.deployment_id.replace("-", "") * 2,
            "x-amz-request-id": origin.request_id,
            "x-minio-deployment-id": origin.deployment_id,
            "x-minio-origin-endpoint": origin.endpoint,
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": origin.principal},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": _object(change),
        },
        "source": {"host": origin.address, "port": "", "userAgent": origin.user_agent},
    }


def _object(change: ObjectChange) -> dict[str, Any]:
    found: dict[str, Any] = {"key": quote_plus(change.ref.key)}
    if change.headers is not None:
        if change.size:
            found["size"] = change.size
        found["eTag"] = change.etag
        found["contentType"] = change.headers.get("content-type", "")
        found["userMetadata"] = {_header_name(name): value for name, value in change.headers.items()}
    if change.version_id is not None:
        found["versionId"] = change.version_id
    found["sequencer"] = f"{change.sequencer_ns:016X}"
    return found


def _header_name(name: str) -> str:
    """User metadata in the spelling of Go's canonical headers, the standard ones in lower case."""
    if name.startswith("x-amz-meta-"):
        return "-".join(part.capitalize() for part in name.split("-"))
    return name


def _milliseconds(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns // 10**6 % 1000:03d}Z"
