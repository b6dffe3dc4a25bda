"""How a delivery ended, as a CloudEvent for callbacks: what the function answered, or why the event is a dead letter.

| type | when | data |
|---|---|---|
| `penstock.object.processed`, `.removed`, `.refused` | a function ended with one object | the function's answer |
| `penstock.object.failed` | any other dead letter | `source`, `status`, `error`, `reason` and so on |

The extension `status` is the status of the answer. A refusal with 4xx is a dead letter too.
An answer without an outcome tells of no end: a Broker only takes an event, and 202 says that a Job has the object.
"""

import hashlib
import json
from typing import Any, Final
from urllib.parse import quote

from penstock import events
from penstock.delivery.deliverer import Message
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import EventError
from penstock.json_text import encodable, read_json

_ENDS: Final = ("processed", "removed", "refused")
_STATE: Final = ("bucket", "key", "etag", "version_id")


def outcome_of(message: Message[object], verdict: Verdict) -> events.CloudEventFields | None:
    """The CloudEvent that tells how the delivery of a message ended; None where no end of an object is known.

    The id comes from the event that was delivered and from what became of it, so one that is told twice has the same.
    """
    dead = verdict.outcome is DeliveryOutcome.DEAD
    document, data = _answered(verdict.data), verdict.data
    if dead and (document is None or document["outcome"] != "refused"):
        document, data = _failed(message, verdict), b""
    if document is None:
        return None
    source, function = document["source"], document["function"]
    state = [each if isinstance(each := source.get(name), str) else "" for name in _STATE]
    parts = [message.target, message.headers.get("ce-id") or message.origin, function, document["outcome"], *state]
    return events.CloudEventFields(
        {
            "specversion": "1.0",
            "id": hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32],
            "type": f"penstock.object.{document['outcome']}",
            "source": f"/penstock/functions/{quote(function, errors='replace')}",
            "subject": encodable(f"{source['bucket']}/{source['key']}"),
            "datacontenttype": "application/json",
            "status": str(verdict.code),
        },
        data or json.dumps(document).encode(),
    )


def _answered(body: bytes) -> dict[str, Any] | None:
    """The outcome that a function answered with, None for any other answer."""
    try:
        document = read_json(body)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("outcome") not in _ENDS:
        return None
    source, function = document.get("source"), document.get("function")
    if not isinstance(source, dict) or not isinstance(function, str) or not function:
        return None
    named = all(isinstance(source.get(name), str) and source[name] for name in ("bucket", "key"))
    return document if named else None


def _failed(message: Message[object], verdict: Verdict) -> dict[str, Any] | None:
    """Why an event became a dead letter, None where it is about no object."""
    try:
        refs = [each.ref for each in events.parse(message.value, dict(message.headers)) if each.ref.key]
    except EventError:
        return None
    if not refs:
        return None
    document: dict[str, Any] = {
        "outcome": "failed",
        "function": message.target,
        "source": {"bucket": refs[0].bucket, "key": refs[0].key},
        "status": verdict.code,
        "reason": encodable(verdict.reason),
    }
    try:
        answer = read_json(verdict.data)
    except ValueError:
        return document
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        document["error"] = encodable(answer["error"])
    return document
