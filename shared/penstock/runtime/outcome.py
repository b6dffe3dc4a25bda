"""How one object ended, and the id that every delivery of the same source state gives it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from penstock.types import Entry, ObjectRef, ObjectState

_MAX_NOTES = 20
_MAX_NOTE_CHARS = 500

OutcomeKind = Literal["processed", "removed", "refused", "ignored", "offloaded"]

Offload = Callable[[ObjectState], str]
"""Hands a large object to a Job and returns a sentence that names the Job."""

FindJob = Callable[[ObjectState], str]
"""Names the Job that waits or runs for this state of an object, "" for none."""


class Outcome(NamedTuple):
    """How one object ended. `changed` is false when everything agreed already.

    `entries` holds what each rendition's address has now; `reason` says why for all but "processed".
    """

    kind: OutcomeKind
    ref: ObjectRef
    source: ObjectState | None = None
    entries: Mapping[str | None, Entry] = MappingProxyType({})
    reason: str = ""
    status: int = 200
    changed: bool = False


def bounded(notes: Sequence[str]) -> tuple[str, ...]:
    """A handler's notes as an answer can carry them: each once, few, short, and without halves of surrogate pairs."""
    given = (notes,) if isinstance(notes, str) else notes
    short = (str(note)[:_MAX_NOTE_CHARS].encode("utf-8", "replace").decode() for note in given)
    return tuple(dict.fromkeys(short))[:_MAX_NOTES]


def outcome_id(outcome: Outcome, function: str) -> str:
    """The same for every delivery that finds the same source state: 32 hex digits."""
    state = outcome.source.token if outcome.source else "gone"
    return hashlib.sha256(f"{function}\n{outcome.kind}\n{outcome.ref}\n{state}".encode()).hexdigest()[:32]
