"""What happened, as the console tells it: one record for each object that a request to a function was about."""

from collections.abc import Iterator, Mapping, Sequence
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
    source = _members(document.get("source"))
    targets = [each for each in _items(document.get("targets")) if isinstance(each, Mapping)]
    reasons = [invocation.reason, document.get("reason"), *(target.get("reason") for target in targets)]
    notes = [*(note for target in targets for note in _items(target.get("notes"))), *invocation.notes]
    named = bool(source.get("bucket") and source.get("key"))
    bucket, key = (str(source["bucket"]), str(source["key"])) if named else ("", "")
    return {
        "function": invocation.function,
        "object": f"{bucket}/{key}" if named else f"{invocation.method} {invocation.path}",
        "bucket": bucket,
        "key": key,
        "method": invocation.method,
        "outcome": str(document.get("outcome") or ("answered" if invocation.status < 400 else "failed")),
        "reason": next((str(reason) for reason in reasons if reason), ""),
        "incident": str(document.get("incident") or ""),
        "status": _number(document.get("status")) or invocation.status,
        "cold": invocation.cold,
        "ms": round(invocation.seconds * 1000, 1),
        "in": _number(source.get("size")) if invocation.is_event else invocation.bytes_in,
        "out": sum(_number(target.get("size")) for target in targets) if invocation.is_event else invocation.bytes_out,
        "stored": sum(_number(target.get("size")) for target in targets if _is_object(target)),
        "saves": document.get("outcome") == "processed" and any(_is_object(target) for target in targets),
        "targets": [{"address": str(t.get("address", "")), "size": _number(t.get("size"), None)} for t in targets],
        "notes": list(dict.fromkeys(map(str, notes))),
        "at": invocation.finished,
    }


# What answers at a function's address may send any JSON.
def _members(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _number(value: Any, other: Any = 0) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else other


def _is_object(target: Mapping[str, Any]) -> bool:
    """Whether a target is an object of the store. What goes into an index replaces no object."""
    return str(target.get("address", "")).startswith(_OBJECTS)
