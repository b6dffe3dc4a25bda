"""The rules of agreement, as plain functions: they compare what is there with what should be there.

None of them reads or writes. The runtime does that, and asks them in between (the rules of docs/architecture.md).
"""

from collections.abc import Mapping

from penstock.errors import EventError, Forbidden, InputTooLarge, NothingToDo, PermanentError, TemporaryError
from penstock.handler.loading import Function
from penstock.runtime.outcome import Outcome
from penstock.settings.config import Config, key_problem
from penstock.sinks import Sink
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal

# A handler may put the whole input into the text of its error. People read the beginning.
_MAX_REASON_CHARS = 2000


Places = Mapping[str | None, tuple[str, Mark]]
"""The address of each rendition of one source, and its mark, which names no state."""


def places_of(
    ref: ObjectRef, function: Function, fingerprints: Mapping[str | None, str], sink: Sink, store_name: str
) -> Places:
    """Where the results of this object go.

    Raises `PermanentError` when the sink has no address for them, and `EventError` for a key that no object can have.
    """
    try:
        digest = ref.digest_in(store_name)
    except UnicodeEncodeError as exc:
        raise EventError(f"{ref.bucket}: the key {ref.key[:80]!a} {key_problem(ref.key)}") from exc
    return {
        name: (sink.address(ref, name), Mark("", function.name, options, digest))
        for name, options in fingerprints.items()
    }


def marks_of(places: Places, source: ObjectState) -> dict[str | None, Mark]:
    """The marks of what is made from this state."""
    token = source.token
    return {name: Mark(token, mark.function, mark.options, mark.source) for name, (_, mark) in places.items()}


def not_for_us(ref: ObjectRef, config: Config) -> Outcome | None:
    """The outcome for an object that is outside this function's sources, or None when it is inside.

    Raises `Forbidden` when no source has its bucket.
    """
    if config.takes(ref):
        return None
    if not any(rule.bucket == ref.bucket for rule in config.sources):
        known = ", ".join(sorted({rule.bucket for rule in config.sources})) or "none"
        raise Forbidden(f"{ref}: bucket {ref.bucket!r} is not a source of {config.function}; its sources: {known}")
    return Outcome("ignored", ref, reason="not one of this function's sources", status=204)


def agrees(entry: Entry | None, mark: Mark) -> bool:
    """Whether nothing is to be done for one rendition.

    A refusal is tried again: the operator may have removed its cause, and sends the event anew for that reason.
    """
    return entry is not None and entry.refusal is None and entry.mark == mark


def reason_to_offload(config: Config, size_bytes: int, seconds: float | None) -> str | None:
    """Why an object goes to a Job, or None when it does not. "" says that its size alone decides.

    `seconds` is the estimate of its run, where there is one.
    """
    if config.offload_above_bytes is not None and size_bytes > config.offload_above_bytes:
        return ""
    if config.offload_above_seconds is None or not seconds or seconds <= config.offload_above_seconds:
        return None
    return f"about {seconds:.0f} seconds, "


def check_size(source: ObjectState, max_input_bytes: int) -> None:
    """Raise `InputTooLarge` for a source over the limit."""
    if source.size > max_input_bytes:
        raise InputTooLarge(f"{source.ref}: {source.size} bytes; MAX_INPUT_BYTES is {max_input_bytes}")


def check_owner(ref: ObjectRef, address: str, previous: Entry | None, mark: Mark, *, adopt: bool) -> None:
    """Raise `PermanentError` when what is at this address is not ours.

    `adopt` takes over what has no mark, and what this function made before its store had a name.
    """
    if previous is None or not previous.is_foreign_to(mark):
        return
    made_by = previous.mark
    take_over = f"remove it, or take it over with `penstock reconcile {mark.function} --adopt`"
    if made_by is None:
        may_adopt, whose, remedy = True, "carries no mark", take_over
    elif made_by.function != mark.function:
        may_adopt, whose = False, f"was made by {made_by.function}"
        remedy = "give each function its own target in SINK, keep FUNCTION_NAME as it was, or remove it"
    elif made_by.source == ref.digest:
        may_adopt, whose, remedy = True, "was made before STORE_NAME was set", take_over
    else:
        may_adopt, whose = False, f"was made by {made_by.function} from another source"
        remedy = "give each source its own target in SINK, or remove it"
    if not (adopt and may_adopt):
        raise PermanentError(f"{address}: exists and {whose}, so {mark.function} will not overwrite it; {remedy}")


def refusal_for(error: PermanentError | NothingToDo, basis: str) -> Refusal:
    """The refusal to record for an error; `basis` says what the refusal rests on."""
    # Bounded, and without halves of surrogate pairs, which UTF-8 has no bytes for.
    reason = str(error)[:_MAX_REASON_CHARS].encode("utf-8", "replace").decode()
    return Refusal(type(error).__name__, reason, int(error.status), basis)


def recorded_already(previous: Entry | None, mark: Mark, refusal: Refusal) -> Entry | None:
    """The entry that holds this same refusal already, or None when it must be written."""
    if previous is None or previous.is_target_of(mark):
        return None
    recorded = previous.refusal_of(mark)
    return recorded if recorded is not None and (recorded.mark, recorded.refusal) == (mark, refusal) else None


def removals(entry: Entry | None, mark: Mark, *, removes_with_source: bool) -> tuple[list[Entry], str]:
    """What to remove of one rendition when its source is gone, and why its target is kept, or ""."""
    remove: list[Entry] = []
    kept = ""
    for found in (entry, entry.beside if entry else None):
        if found is None:
            continue
        if found.is_foreign_to(mark):
            kept = f"was not made by {mark.function} and stays"
        elif found.refusal is not None or removes_with_source:
            remove.append(found)
        else:
            kept = "is kept as configured"
    return remove, kept


def outcome_when_gone(ref: ObjectRef, kept: list[str], *, changed: bool) -> Outcome:
    """The outcome for a source that is gone; `kept` says why targets stay."""
    if kept:
        reason = f"the source is gone; its target {kept[0]}"
        return Outcome("ignored", ref, reason=reason, status=204, changed=changed)
    return Outcome("removed", ref, reason="the source is gone", changed=changed)


def outcome_of(source: ObjectState, entries: Mapping[str | None, Entry], *, changed: bool) -> Outcome:
    """The outcome for a source with what each of its renditions ended with."""
    refusals = [entry.refusal for entry in entries.values() if entry.refusal is not None]
    if not refusals:
        return Outcome("processed", source.ref, source, entries, changed=changed)
    reason = "; ".join(dict.fromkeys(refusal.reason for refusal in refusals))
    status = max(refusal.status for refusal in refusals)
    return Outcome("refused", source.ref, source, entries, reason, status, changed)


def is_same(now: ObjectState | None, then: ObjectState | None) -> bool:
    """Whether a source is still in the state that was worked on. An answer that was cut differs in its size alone."""
    if now is None or then is None:
        return now is then
    return now == then or (now.size == then.size and now.token == then.token)


def check_was_whole(now: ObjectState | None, then: ObjectState) -> None:
    """Raise `TemporaryError` when one state has two sizes: what was read was cut, or this look is wrong."""
    if now is not None and now.size != then.size and now.token == then.token:
        raise TemporaryError(
            f"{then.ref}: {then.size} bytes were read and {now.size} are there; see what is in between"
        )
