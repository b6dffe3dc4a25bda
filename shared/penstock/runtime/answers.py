"""What a function answers: outcomes and errors as JSON, and as a CloudEvent for callers that sent one."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from penstock.errors import PenstockError, TemporaryError
from penstock.events import CloudEventFields
from penstock.runtime.outcome import Outcome, bounded, outcome_id
from penstock.types import ObjectRef

_MAX_NOTES_HEADER_BYTES = 2048


class Failure(NamedTuple):
    """One record that could not be finished; `incident` names the log line of an unexpected error."""

    ref: ObjectRef | None
    error: PenstockError | None
    incident: str = ""

    @property
    def status(self) -> int:
        return int(self.error.status) if self.error else HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def retry_after(self) -> float | None:
        return self.error.retry_after if isinstance(self.error, TemporaryError) else None


def outcome_document(outcome: Outcome, function: str) -> dict[str, Any]:
    """The JSON for one finished record. Every delivery that finds the same source state gives the same one.

    `notes` are an exception. No target keeps them, so only the delivery that made the target can tell them.
    """
    source: dict[str, Any] = {"bucket": outcome.ref.bucket, "key": outcome.ref.key}
    if outcome.source is not None:
        source |= {"etag": outcome.source.etag, "size": outcome.source.size}
        if outcome.source.version_id:
            source["version_id"] = outcome.source.version_id
    document: dict[str, Any] = {"outcome": outcome.kind, "function": function, "source": source}
    targets = []
    for name, entry in outcome.entries.items():
        target: dict[str, Any] = {"address": entry.address}
        if name is not None:
            target["rendition"] = name
        if entry.refusal is not None:
            target |= {"error": entry.refusal.error, "reason": entry.refusal.reason}
        elif entry.size is not None:
            target["size"] = entry.size
        if entry.notes:
            target["notes"] = list(entry.notes)
        targets.append(target)
    if targets:
        document["targets"] = targets
    if outcome.reason:
        document["reason"] = outcome.reason
    return document


def failure_document(failure: Failure) -> dict[str, Any]:
    """The JSON for one record that failed: class and text of the error, never a stack trace."""
    document: dict[str, Any] = {"outcome": "failed", "status": failure.status}
    if failure.ref is not None:
        document["source"] = {"bucket": failure.ref.bucket, "key": failure.ref.key}
    if failure.error is None:
        document |= {
            "error": "InternalError",
            "reason": f"unexpected error; the log has it under incident {failure.incident}",
            "incident": failure.incident,
        }
    else:
        document |= {"error": type(failure.error).__name__, "reason": str(failure.error)}
    return document


def outcome_event(outcome: Outcome, function: str, document: bytes) -> CloudEventFields:
    """The CloudEvent of a finished record: type penstock.object.processed, .removed or .refused.

    Its id comes from the source's state, so a redelivery gives the same one and brokers can drop doubles.
    """
    return CloudEventFields(
        {
            "specversion": "1.0",
            "id": outcome_id(outcome, function),
            "type": f"penstock.object.{outcome.kind}",
            "source": f"/penstock/functions/{function}",
            "subject": f"{outcome.ref.bucket}/{outcome.ref.key}",
            "datacontenttype": "application/json",
        },
        document,
    )


def notes_header(notes: Sequence[str]) -> str:
    """The notes of a direct call's result as the header `x-penstock-notes` carries them: a JSON list in ASCII.

    Of a text that would be longer than 2048 bytes the last notes are left out.
    """
    kept = list(bounded(notes))
    while len(text := json.dumps(kept)) > _MAX_NOTES_HEADER_BYTES:
        kept.pop()
    return text


def overall_status(results: Sequence[Outcome | Failure]) -> int:
    """One status for a request with several records: one that is tried again, if any is, else the worst refusal."""
    statuses = [result.status for result in results]
    if any(status >= HTTPStatus.INTERNAL_SERVER_ERROR for status in statuses):
        return HTTPStatus.SERVICE_UNAVAILABLE if len(statuses) > 1 else max(statuses)
    refused = [status for status in statuses if status >= HTTPStatus.BAD_REQUEST]
    if refused:
        return max(refused)
    if statuses and all(status == HTTPStatus.ACCEPTED for status in statuses):
        return HTTPStatus.ACCEPTED
    if all(status == HTTPStatus.NO_CONTENT for status in statuses):
        return HTTPStatus.NO_CONTENT
    return HTTPStatus.OK
