"""S3 records inside other envelopes: SNS, SQS, EventBridge, and the events of Google's and Microsoft's stores.

| envelope | format |
|---|---|
| SNS | https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html; in Lambda `Records[].Sns` |
| SQS | the message with its `Body`; in Lambda `Records[].body` |
| EventBridge | https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html |
| Google Cloud Storage | https://cloud.google.com/eventarc/docs/cloudevents, `google.cloud.storage.object.v1.*` |
| Azure Blob Storage | https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage, as CloudEvents |

What has no S3 record in it is made into one, so that one reader checks them all.
"""

import re
from collections.abc import Iterator
from typing import Any

from penstock.errors import EventError
from penstock.events.envelope import Envelope
from penstock.events.keys import AZURE, EVENTBRIDGE, GOOGLE
from penstock.events.record import OddRecord, kind_name, load_json, records_of

MAX_WRAPPERS = 4
OTHER_CLOUDS = frozenset({GOOGLE, AZURE})
"""Origins whose objects are read through an S3 endpoint that the operator names (`STORE_PROFILE`)."""

_CREATED, _COPIED, _REMOVED = "ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete"
# Kinds that say nothing about the bytes get a name of a family that functions ignore.
_IGNORED = "ObjectTagging:Put"
_DETAIL_TYPES = {
    "Object Created": _CREATED,
    "Object Deleted": _REMOVED,
    "Object Restore Initiated": _IGNORED,
    "Object Restore Completed": _IGNORED,
    "Object Restore Expired": _IGNORED,
    "Object Storage Class Changed": _IGNORED,
    "Object Access Tier Changed": _IGNORED,
    "Object ACL Updated": _IGNORED,
    "Object Tags Added": _IGNORED,
    "Object Tags Deleted": _IGNORED,
}
_PLAIN_TYPES = {re.sub(r"[^a-z]", "", name.lower()): name for name in _DETAIL_TYPES}
_GOOGLE_PREFIX = "google.cloud.storage.object.v1."
_GOOGLE = {
    "finalized": _CREATED,
    "metadataUpdated": _COPIED,
    "deleted": _REMOVED,
    "archived": _REMOVED,  # the live version became an old one
}
_GOOGLE_SOURCE = r"//storage\.googleapis\.com/projects/[^/]+/buckets/(?P<bucket>[^/]+)"
_AZURE_PREFIX = "Microsoft.Storage."
_AZURE = {"BlobCreated": _CREATED, "BlobRenamed": _CREATED, "BlobDeleted": _REMOVED}
_AZURE_IGNORED = frozenset(
    {
        "BlobTierChanged",
        "BlobInventoryPolicyCompleted",
        "LifecyclePolicyCompleted",
        "AsyncOperationInitiated",
        "DirectoryCreated",
        "DirectoryRenamed",
        "DirectoryDeleted",
    }
)
_AZURE_SUBJECT = r"(?s)/blobServices/default/containers/(?P<bucket>[^/]+)/blobs/(?P<key>.+)"


def text_inside(value: dict[str, Any], where: str, depth: int) -> str | None:
    """The text inside a message of SNS or SQS, which is JSON; None when `value` is neither.

    `depth` is how many envelopes are around it. Raises `EventError` for an envelope that holds no event.
    """
    text = _inside(value, where)
    if text is not None and depth >= MAX_WRAPPERS:
        raise EventError(f"{where}: an event in more than {MAX_WRAPPERS} envelopes; send it with fewer")
    return text


def _inside(value: dict[str, Any], where: str) -> str | None:
    kind = value.get("Type")
    if kind == "Notification" and "TopicArn" in value:
        return _text(value, "Message", where)
    if kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation") and "TopicArn" in value:
        raise EventError(
            f"{where}: SNS asks to confirm a subscription; Penstock opens no URL that a message names: confirm it with "
            "`aws sns confirm-subscription`, or in AWS's console"
        )
    source = value.get("eventSource") or value.get("EventSource")
    if source == "aws:sqs":
        return _text(value, "body", where)
    if source == "aws:sns" and isinstance(value.get("Sns"), dict):
        return _text(value["Sns"], "Message", f"{where}.Sns")
    if "Body" in value and ("ReceiptHandle" in value or "MessageId" in value):
        return _text(value, "Body", where)
    return None


def _text(value: dict[str, Any], name: str, where: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise EventError(f"{where}.{name}: expected a string with the event in JSON, got {kind_name(text)}")
    return text


def is_eventbridge(value: dict[str, Any]) -> bool:
    """Whether it is an event of EventBridge, of any service."""
    return "detail-type" in value and "detail" in value


def eventbridge_record(value: dict[str, Any], where: str) -> dict[str, Any]:
    """The S3 record of an event that EventBridge brought; raises `EventError` when it is of another service."""
    if value.get("source") != EVENTBRIDGE:
        raise EventError(
            f"{where}.source: {str(value.get('source'))[:80]!r} is not S3; the rule must match {EVENTBRIDGE!r}"
        )
    name = value["detail-type"]
    if not isinstance(name, str) or name not in _DETAIL_TYPES:
        raise EventError(f"{where}.detail-type: {str(name)[:80]!r} is unknown; known are {', '.join(_DETAIL_TYPES)}")
    return _of_detail(value["detail"], name, f"{where}.detail", value.get("time"), value.get("region"))


def is_detail(value: dict[str, Any]) -> bool:
    """Whether it is the `detail` of an event of EventBridge, as a CloudEvent made of one carries it."""
    return isinstance(value.get("bucket"), dict) and isinstance(value.get("object"), dict)


def detail_record(value: dict[str, Any], envelope: Envelope, where: str) -> dict[str, Any]:
    """The S3 record of a CloudEvent whose data is such a `detail`, and whose type is the detail-type in any spelling.

    `aws.s3.object.created` and `com.amazon.s3.objectcreated` are "Object Created".
    """
    plain = re.sub(r"[^a-z]", "", envelope.type.lower())
    name = next((name for short, name in _PLAIN_TYPES.items() if plain.endswith(short)), None)
    if name is None:
        raise EventError(f"{where}: the type {envelope.type[:80]!r} ends like none of {', '.join(_DETAIL_TYPES)}")
    return _of_detail(value, name, where, None, None)


def _of_detail(detail: Any, name: str, where: str, time: Any, region: Any) -> dict[str, Any]:
    if not isinstance(detail, dict):
        raise EventError(f"{where}: expected an object, got {kind_name(detail)}")
    stored = detail.get("object")
    if isinstance(stored, dict):
        # EventBridge has its own spelling of three members.
        names = {"eTag": "etag", "versionId": "version-id", "sequencer": "sequencer", "size": "size", "key": "key"}
        stored = {ours: stored[theirs] for ours, theirs in names.items() if theirs in stored}
    made: dict[str, Any] = {
        "eventSource": EVENTBRIDGE,
        "awsRegion": region or "",
        "eventName": _DETAIL_TYPES[name],
        "s3": {"bucket": detail.get("bucket"), "object": stored},
    }
    return made | ({"eventTime": time} if time else {})


def other_cloud_record(envelope: Envelope, where: str) -> dict[str, Any] | None:
    """The S3 record of a CloudEvent of Google's or Microsoft's store; None when it is of neither.

    Bucket and key come from the attributes, which are there in every format of the data.
    """
    if envelope.type.startswith(_GOOGLE_PREFIX):
        name = _GOOGLE.get(envelope.type.removeprefix(_GOOGLE_PREFIX))
        bucket = re.fullmatch(_GOOGLE_SOURCE, envelope.source)
        key = envelope.subject.removeprefix("objects/") if envelope.subject.startswith("objects/") else ""
        return _of_cloud(GOOGLE, name, bucket["bucket"] if bucket else "", key, envelope, where)
    if envelope.type.startswith(_AZURE_PREFIX):
        short = envelope.type.removeprefix(_AZURE_PREFIX)
        found = re.fullmatch(_AZURE_SUBJECT, envelope.subject)
        if short in _AZURE_IGNORED:
            bucket_name, key = (found["bucket"], found["key"]) if found else ("none", "none")
            return _of_cloud(AZURE, _IGNORED, bucket_name, key, envelope, where)
        name = _AZURE.get(short)
        return _of_cloud(AZURE, name, found["bucket"] if found else "", found["key"] if found else "", envelope, where)
    return None


def _of_cloud(origin: str, name: str | None, bucket: str, key: str, envelope: Envelope, where: str) -> dict[str, Any]:
    if name is None:
        raise EventError(f"{where}: the type {envelope.type[:80]!r} of a CloudEvent is unknown")
    if not bucket or not key:
        raise EventError(
            f"{where}: a CloudEvent of type {envelope.type[:80]!r} names its object in source and subject; got "
            f"{envelope.source[:200]!r} and {envelope.subject[:200]!r}"
        )
    stored: dict[str, Any] = {"key": key, "sequencer": envelope.id}
    return {"eventSource": origin, "eventName": name, "s3": {"bucket": {"name": bucket}, "object": stored}}


def records_in(value: Any, where: str = "event", depth: int = 0) -> Iterator[tuple[Any, str]]:
    """Every S3 record in a notification, with its place for error texts, out of all envelopes around it.

    Raises `EventError` when it is not a notification. A record that is malformed is given as it is, and a message that
    cannot be opened as an `OddRecord`: those beside it are good.
    """
    if isinstance(value, list) and value and all(isinstance(each, dict) and "s3" in each for each in value):
        # Versity's gateway sends the records without anything around them.
        yield from ((each, f"{where}[{index}]") for index, each in enumerate(value))
        return
    if isinstance(value, dict):
        if "Records" in value:
            around = "" if where == "event" else f"{where}."
            for index, record in enumerate(records_of(value, around)):
                place = f"{around}Records[{index}]"
                try:
                    text = text_inside(record, place, depth) if isinstance(record, dict) else None
                    found = [(record, place)] if text is None else [*records_in(load_json(text), place, depth + 1)]
                except EventError as exc:
                    found = [(OddRecord(exc, record), place)]
                yield from found
            return
        if value.get("Event") == "s3:TestEvent":
            return
        if is_eventbridge(value):
            yield eventbridge_record(value, where), where
            return
        if (text := text_inside(value, where, depth)) is not None:
            yield from records_in(load_json(text), where, depth + 1)
            return
    raise EventError(f'{where}: expected a notification with "Records", got {kind_name(value)} without')
