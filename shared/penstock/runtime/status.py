"""What is known about one object: its source, its targets, refusals, and a Job under way. Nothing is written.

ready       every rendition agrees with the source as it is now
pending     a target is missing, or was made from an older state: an event or reconcile brings it
refused     this state of the source has no target, and the reason is recorded
foreign     what is at the target's address was not made by this function, so it stays
gone        there is no such source
excluded    the source does not pass the filters of SOURCE, or SOURCE does not take its key
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from penstock.errors import EventError, PermanentError, TemporaryError
from penstock.runtime.agreement import agrees, marks_of, not_for_us, places_of
from penstock.runtime.assets import look_at
from penstock.runtime.filters import objection
from penstock.runtime.runtime import Runtime
from penstock.settings.config import key_problem
from penstock.sinks import Sink
from penstock.types import Entry, Mark, ObjectRef, ObjectState

TargetState = Literal["ready", "missing", "stale", "refused", "foreign"]
State = Literal["ready", "pending", "refused", "foreign", "gone", "excluded"]


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One rendition's target. `entry` is what is there, or the refusal; None for nothing."""

    rendition: str | None
    address: str
    state: TargetState
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """One object as one function sees it; `job` names a Job under way.

    `reason` says why it is excluded, or, of a pending one, why the last attempt failed where that is known.
    """

    ref: ObjectRef
    state: State
    source: ObjectState | None = None
    targets: tuple[TargetStatus, ...] = field(default=())
    job: str = ""
    reason: str = ""


def status_of(runtime: Runtime, ref: ObjectRef) -> Status:
    """Look at one object and its targets.

    Raises `EventError` for a key that no object can have, `Forbidden` for a bucket that is not a source of this
    function, and `TemporaryError` when store, sink or cluster cannot be reached.
    """
    config, store, sink = runtime.config, runtime.store, runtime.sink
    if store is None or sink is None:
        raise TemporaryError(f"{config.function} takes no events: set SOURCE, SINK and MINIO_ENDPOINT")
    if problem := key_problem(ref.key):
        raise EventError(f"{ref.bucket}: the key {ref.key[:80]!a} {problem}")
    if (outside := not_for_us(ref, config)) is not None:
        return Status(ref, "excluded", reason=outside.reason)
    source = store.stat(ref)
    prints = look_at(runtime.function, store).fingerprints
    places = places_of(ref, runtime.function, prints, sink, config.store_name)
    if source is None:
        marks: Mapping[str | None, Mark] = {name: mark for name, (_, mark) in places.items()}
    else:
        marks = marks_of(places, source)
    targets = tuple(_target(sink, name, places[name][0], mark) for name, mark in marks.items())
    if source is None:
        return Status(ref, "gone", targets=tuple(target for target in targets if target.state != "missing"))
    if config.has_filters and (why := objection(config, store, source)):
        return Status(ref, "excluded", source, targets, reason=why)
    state = _overall({target.state for target in targets})
    job = runtime.find_job(source) if runtime.find_job is not None and state == "pending" else ""
    return Status(ref, state, source, targets, job)


def _target(sink: Sink, name: str | None, address: str, mark: Mark) -> TargetStatus:
    try:
        [entry] = sink.read_many([(address, mark)])
    except PermanentError:
        entry = None  # nothing can ever be there; the refusal beside it says why
    if agrees(entry, mark):
        return TargetStatus(name, address, "ready", entry)
    if sink.refuses_beside and (entry is None or entry.refusal is None):
        beside = sink.beside(address, mark)
        entry = beside if entry is None else replace(entry, beside=beside)
    if entry is None:
        return TargetStatus(name, address, "missing")
    refusal = entry.refusal_of(mark)
    if refusal is not None and refusal.mark == mark:
        return TargetStatus(name, address, "refused", refusal)
    return TargetStatus(name, address, "foreign" if entry.is_foreign_to(mark) else "stale", entry)


def _overall(states: set[TargetState]) -> State:
    if states & {"missing", "stale"}:
        return "pending"
    if "foreign" in states:
        return "foreign"
    return "refused" if "refused" in states else "ready"


def status_document(status: Status, function: str) -> dict[str, Any]:
    """The JSON of a status; fields without a value are left out."""
    source: dict[str, Any] = {"bucket": status.ref.bucket, "key": status.ref.key}
    if (found := status.source) is not None:
        source |= {"etag": found.etag, "size": found.size, "content_type": found.content_type}
        if found.version_id:
            source["version_id"] = found.version_id
        if found.last_modified:
            source["last_modified"] = found.last_modified.isoformat()
    document: dict[str, Any] = {"state": status.state, "function": function, "source": source}
    if status.targets:
        document["targets"] = [_target_document(target) for target in status.targets]
    if status.job:
        document["job"] = status.job
    if status.reason:
        document["reason"] = status.reason
    return document


def _target_document(target: TargetStatus) -> dict[str, Any]:
    document: dict[str, Any] = {"address": target.address, "state": target.state}
    if target.rendition is not None:
        document["rendition"] = target.rendition
    entry = target.entry
    if entry is not None and entry.refusal is not None:
        document |= {"error": entry.refusal.error, "reason": entry.refusal.reason, "status": entry.refusal.status}
    elif entry is not None and entry.size is not None:
        document["size"] = entry.size
    return document
