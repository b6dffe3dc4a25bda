"""One object as a reader asks for it: the handler's result for the present state, or the stored target of that state.

What was read belongs to one state of the source. Its ETag names that state, the function, the rendition and the
options: an overwritten source gives another ETag and another answer.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from penstock.errors import (
    EventError,
    Forbidden,
    InputTooLarge,
    NothingToDo,
    PermanentError,
    TemporaryError,
    UnsupportedInput,
)
from penstock.handler.options import fingerprint, parse_options
from penstock.process.deadline import BoundedChunks, check_deadline
from penstock.runtime.agreement import check_size, marks_of, not_for_us, places_of
from penstock.runtime.assets import Assets, look_at
from penstock.runtime.filters import objection
from penstock.runtime.handling import checked, context_for, event_for
from penstock.runtime.outcome import Outcome
from penstock.runtime.runtime import ROUNDS, Runtime
from penstock.sinks.bucket import mark_of, target_ref
from penstock.streams import Body, close_quietly
from penstock.types import Mark, ObjectRef, ObjectState, Refusal, Result

_KINDS = {kind.status: kind for kind in (PermanentError, EventError, Forbidden, InputTooLarge, UnsupportedInput)}


@dataclass(frozen=True, slots=True)
class Variant:
    """What one reader asks for. `etag` is without quotes; `has_options` says whether it differs from the target."""

    source: ObjectState
    rendition: str | None
    options: Any
    assets: Assets
    etag: str
    has_options: bool


def check_readable(runtime: Runtime, ref: ObjectRef) -> None:
    """Raise `Forbidden` unless the object is one of this function's sources."""
    if (ignored := not_for_us(ref, runtime.config)) is not None:
        raise Forbidden(f"{ref}: {ignored.reason}")


def check_taken(runtime: Runtime, source: ObjectState) -> None:
    """Raise `Forbidden` unless the filters of SOURCE take the object in this state, as an event would."""
    config, store = runtime.config, runtime.store
    if config.has_filters and store is not None and (why := objection(config, store, source)):
        raise Forbidden(f"{source.ref}: SOURCE leaves it out: {why}")


def variant_of(runtime: Runtime, source: ObjectState, given: Mapping[str, str]) -> Variant:
    """What these options ask for, `rendition` among them; raises `EventError` for a wrong one."""
    function = runtime.function
    options = dict(given)
    rendition = function.rendition_named(options.pop("rendition", None))
    parsed = parse_options(function.options_type, options, function.renditions[rendition], tighten_only=True)
    assets = look_at(function, runtime.store)
    told = (source.ref.digest, source.token, function.name, rendition or "", fingerprint(parsed))
    text = "\n".join((*told, assets.fingerprints[rendition]))
    return Variant(source, rendition, parsed, assets, hashlib.sha256(text.encode()).hexdigest()[:32], bool(options))


def make(runtime: Runtime, variant: Variant, chunks: Iterable[bytes]) -> tuple[Result, Body]:
    """Run the handler on the bytes of the source; close the body after the result was read.

    Raises what the handler raises, and the error of reading the source rather than one that it caused.
    """
    source, config = variant.source, runtime.config
    check_size(source, config.max_input_bytes)
    bounded = BoundedChunks(chunks, source.ref)
    body = Body(lambda: bounded, max_bytes=config.max_input_bytes, name=str(source.ref))
    event = event_for(source, variant.options, body)
    context = context_for(variant.assets, runtime.cache, variant.rendition, {})
    try:
        return checked(runtime.function.handle(event, context), body), body
    except Exception as exc:
        body.close()
        if body.failure is not None and body.failure is not exc:
            raise body.failure from exc
        raise


def stored(runtime: Runtime, variant: Variant) -> tuple[ObjectState, Iterable[bytes]]:
    """The target of exactly this state of the source, written first where it does not agree.

    Raises the refusal of this state as it was raised first, and `TemporaryError` when the source changed meanwhile or
    a Job makes the target.
    """
    store, ref = runtime.store, variant.source.ref
    if store is None or runtime.sink is None:
        raise TemporaryError(f"{ref}: STORE_ON_READ needs SOURCE, SINK and MINIO_ENDPOINT")
    for _ in range(ROUNDS):
        check_deadline(ref)
        address, wanted = _place(runtime, variant)
        found = store.open(target_ref(address))
        if found is not None:
            if mark_of(found[0]) == wanted:
                return found
            close_quietly(found[1])
        outcome = runtime.agree(ref)
        if outcome.source is None or outcome.source.token != variant.source.token:
            break
        _raise_refusal(outcome, variant)
    raise TemporaryError(f"{ref}: changed while it was read", retry_after=1)


def _place(runtime: Runtime, variant: Variant) -> tuple[str, Mark]:
    """The address of the target, and the mark that it must have."""
    assert runtime.sink is not None
    prints, name = variant.assets.fingerprints, runtime.config.store_name
    places = places_of(variant.source.ref, runtime.function, prints, runtime.sink, name)
    return places[variant.rendition][0], marks_of(places, variant.source)[variant.rendition]


def _raise_refusal(outcome: Outcome, variant: Variant) -> None:
    """Raise why this state has no target."""
    if outcome.kind == "offloaded":
        raise TemporaryError(f"{outcome.ref}: a Job makes its target; read it again later", retry_after=30)
    entry = outcome.entries.get(variant.rendition)
    if entry is not None and entry.refusal is not None:
        raise _error_of(entry.refusal)


def _error_of(refusal: Refusal) -> PermanentError | NothingToDo:
    if refusal.status == HTTPStatus.OK:
        return NothingToDo(refusal.reason)
    return _KINDS.get(HTTPStatus(refusal.status), PermanentError)(refusal.reason)
