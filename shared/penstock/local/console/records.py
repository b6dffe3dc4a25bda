"""What happened, as the console tells it: one record for each object that a request to a function was about."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from penstock.local.gateway.invocations import Invocation

ConsoleRecord = dict[str, Any]
_OBJECTS: Final = "s3://"


def records_of(invocation: Invocation) -> Iterator[ConsoleRecord]:
    """The records of one request, ready for JSON. Sizes are in bytes, `ms` in milliseconds, `at` in epoch seconds.

    An event with several objects has one for each, with the time of all. A direct call has one, without bucket and
    key. A search has none, because it changes nothing.
    """
    if invocation.method in ("GET", "HEAD"):
        return
    answer = invocation.answer or {}
    results = answer.get("results")
    documents = [each for each in results if isinstance(each, Mapping)] if isinstance(results, list) else [answer]
    for document in documents or [{}]:
        yield _record(invocation, document)


def _record(invocation: Invocation, document: Mapping[str, Any]) -> ConsoleRecord:
    source = document.get("source") or {}
    targets = [each for each in document.get("targets") or [] if isinstance(each, Mapping)]
    reasons = [invocation.reason, document.get("reason"), *(target.get("reason") for target in targets)]
    notes = [*(note for target in targets for note in target.get("notes") or ()), *invocation.notes]
    named = bool(source.get("bucket") and source.get("key"))
    return {
        "function": invocation.function,
        "object": f"{source['bucket']}/{source['key']}" if named else f"{invocation.method} {invocation.path}",
        "bucket": source["bucket"] if named else "",
        "key": source["key"] if named else "",
        "method": invocation.method,
        "outcome": document.get("outcome") or ("answered" if invocation.status < 400 else "failed"),
        "reason": next((str(reason) for reason in reasons if reason), ""),
        "incident": document.get("incident") or "",
        "status": document.get("status") or invocation.status,
        "cold": invocation.cold,
        "ms": round(invocation.seconds * 1000, 1),
        "in": source.get("size", 0) if invocation.is_event else invocation.bytes_in,
        "out": sum(target.get("size") or 0 for target in targets) if invocation.is_event else invocation.bytes_out,
        "stored": sum(target.get("size") or 0 for target in targets if _is_object(target)),
        "saves": document.get("outcome") == "processed" and any(_is_object(target) for target in targets),
        "targets": [{"address": t.get("address", ""), "size": t.get("size")} for t in targets],
        "notes": list(dict.fromkeys(notes)),
        "at": invocation.finished,
    }


def _is_object(target: Mapping[str, Any]) -> bool:
    """Whether a target is an object of the store. What goes into an index replaces no object."""
    return str(target.get("address", "")).startswith(_OBJECTS)
