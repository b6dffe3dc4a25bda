"""One visit to one object: compare the targets with the source, and write, refuse or remove what does not agree."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from penstock.errors import InputTooLarge, NothingToDo, PermanentError, SourceChanged
from penstock.handler.loading import Function
from penstock.runtime.basis import basis_of
from penstock.runtime.estimate import Pace
from penstock.runtime.writing import Writing
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.store import Store
from penstock.streams import Body, Replay, as_chunks, close_quietly
from penstock.types import Context, Entry, Event, Look, Mark, ObjectRef, ObjectState, Refusal, Write

# A handler may put the whole input into its error's text; people read the beginning.
_MAX_REASON_CHARS = 2000

OutcomeKind = Literal["processed", "removed", "refused", "ignored", "offloaded"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one object ended. `changed` is false when everything agreed already; the answer is the same then.

    `entries` holds what each rendition's address has now; `reason` says why for all but "processed".
    """

    kind: OutcomeKind
    ref: ObjectRef
    source: ObjectState | None = None
    entries: Mapping[str | None, Entry] = field(default_factory=dict)
    reason: str = ""
    status: int = 200
    changed: bool = False


Offload = Callable[[ObjectState], str]
"""Hands a large object to a Job and says so in a sentence that names the Job."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a function works with: its handler and settings, the store its sources are in, the sink for its results.

    Without a store or a sink it serves direct calls only.
    """

    function: Function
    config: Config
    store: Store | None = None
    sink: Sink | None = None
    offload: Offload | None = None
    pace: Pace = field(default_factory=Pace)


class Visit:
    """One event's work on one object: what was written so far, over at most `ROUNDS` rounds."""

    def __init__(self, parts: Parts, store: Store, sink: Sink, ref: ObjectRef, *, adopt: bool = False) -> None:
        self.ref = ref
        self.wrote = False
        self.changed = False
        self._parts = parts
        self._adopt = adopt
        self._function = parts.function
        self._sink = sink
        self._store = store
        self._limit = parts.config.max_input_bytes
        self._addresses = {name: self._sink.address(ref, name) for name in self._function.renditions}
        self._digest = ref.digest
        self._bare = {name: self._made_mark(name, "") for name in self._addresses}
        self._marks: dict[str | None, Mark] = {}
        self._marked: ObjectState | None = None
        self._refused: set[str | None] = set()
        self._ended = 0.0

    def once(self) -> Writing[Outcome]:
        """Look at targets and source, and bring each rendition into agreement with the source as it is now.

        What the sink is asked and what is to be stored is yielded: whoever runs this passes it on, at once or together
        with that of other visits.
        """
        self.wrote = False
        known: dict[str | None, Entry | None] = {}
        for name in self._addresses:
            known[name] = yield from self._read(name)
        opened: Iterable[bytes] | None = None
        # No target yet: the object is new, so one GET gives state and bytes. Otherwise HEAD may be all it takes.
        if all(entry is None for entry in known.values()):
            found = self._store.open(self.ref)
            source, opened = found if found is not None else (None, None)
        else:
            source = self._store.stat(self.ref)
        try:
            if source is None:
                return self._remove(known)
            pending = [name for name, entry in known.items() if not self._agrees(name, entry, source)]
            if pending and self._parts.offload and (why := self._reason_to_offload(source)) is not None:
                return Outcome("offloaded", self.ref, source, reason=why + self._parts.offload(source), status=202)
            entries = {name: entry for name, entry in known.items() if entry is not None and name not in pending}
            for name in set(entries) & self._refused:
                self._take_back(name)
            if pending:
                full = {name: self._with_refusal(name, known[name]) for name in pending}
                started = self._parts.pace.clock()
                made = yield from self._run(pending, source, opened, full)
                entries |= made
                # A part of the renditions, or a refusal half-way, says nothing about the whole.
                if len(made) == len(self._addresses) and not any(entry.refusal for entry in made.values()):
                    self._parts.pace.add(source.size, self._ended - started)
        finally:
            close_quietly(opened)
        return self._outcome(source, entries)

    def _reason_to_offload(self, source: ObjectState) -> str | None:
        """Why an object goes to a Job, beyond its size, or None when it does not."""
        config = self._parts.config
        if config.offload_above_bytes is not None and source.size > config.offload_above_bytes:
            return ""
        if config.offload_above_seconds is None:
            return None
        seconds = self._parts.pace.seconds_for(source.size)
        return f"about {seconds:.0f} seconds, " if seconds and seconds > config.offload_above_seconds else None

    def give_up(self) -> None:
        """Take the refusals of this visit back: the next one, at redelivery, would not look for them."""
        for name in self._refused:
            self._take_back(name)

    def _take_back(self, name: str | None) -> None:
        """Remove the refusal that this visit recorded, since the target agrees now: it was overtaken.

        Only the visit's own is looked for. One of a worker that died here costs nobody a request: reconcile finds it.
        """
        refusal = self._sink.beside(self._addresses[name], self._mark(name, None))
        if refusal is not None:
            self.wrote = self.changed = True
            self._sink.remove(self._addresses[name], self._mark(name, None), refusal)

    def _with_refusal(self, name: str | None, entry: Entry | None) -> Entry | None:
        """A target together with the refusal beside it, for whoever is about to change either."""
        if entry is None or entry.refusal is not None:
            return entry
        return replace(entry, beside=self._sink.beside(self._addresses[name], self._mark(name, None)))

    def _read(self, name: str | None) -> Writing[Entry | None]:
        try:
            entry: Entry | None = yield Look(self._addresses[name], self._mark(name, None))
            return entry
        except PermanentError:
            # Nothing can ever be at this address, for example because the store refuses its key: the write says why.
            return None

    def _agrees(self, name: str | None, entry: Entry | None, source: ObjectState) -> bool:
        # A refusal is tried again: the operator may have mended what caused it, and a redelivery asks for just that.
        return entry is not None and entry.refusal is None and entry.mark == self._mark(name, source)

    def _remove(self, known: Mapping[str | None, Entry | None]) -> Outcome:
        kept: list[str] = []
        for name, looked in known.items():
            mark = self._mark(name, None)
            entry = self._with_refusal(name, looked)
            for found in (entry, entry.beside if entry else None):
                if found is None:
                    continue
                ours = found.is_target_of(mark)
                if found.refusal is None and not (ours and self._sink.removes_with_source):
                    kept.append("is kept as configured" if ours else f"was not made by {mark.function} and stays")
                    continue
                self.wrote = self.changed = True
                self._sink.remove(self._addresses[name], mark, found)
        if kept:
            return Outcome("ignored", self.ref, reason=f"the source is gone; its target {kept[0]}", status=204)
        return Outcome("removed", self.ref, reason="the source is gone")

    def _run(
        self,
        pending: list[str | None],
        source: ObjectState,
        opened: Iterable[bytes] | None,
        known: Mapping[str | None, Entry | None],
    ) -> Writing[dict[str | None, Entry]]:
        """Run the handler for each pending rendition, on exactly the state `source`; the bytes are fetched once."""
        memo: dict[Any, Any] = {}
        entries: dict[str | None, Entry] = {}
        body = self._body(source, opened)
        replay = Replay(body)
        try:
            for name in pending:
                self.wrote = True  # from here on a failure may have left something behind: look again
                given = body if len(pending) == 1 else Body(replay)
                entries[name] = yield from self._bring(name, source, given, memo, known[name])
        finally:
            replay.close()
            body.close()
        return entries

    def _body(self, source: ObjectState, opened: Iterable[bytes] | None) -> Body:
        def get() -> Iterable[bytes]:
            if opened is not None:
                return opened
            found = self._store.open(self.ref, if_etag=source.etag)
            if found is None:
                raise SourceChanged(f"{self.ref}: removed before it was read")
            # The ETag covers the bytes only; new metadata on the same bytes is a new state too.
            if found[0] != source and found[0].token != source.token:
                close_quietly(found[1])
                raise SourceChanged(f"{self.ref}: changed before it was read")
            return found[1]

        return Body(get, max_bytes=self._limit, name=str(self.ref))

    def _bring(
        self, name: str | None, source: ObjectState, body: Body, memo: dict[Any, Any], previous: Entry | None
    ) -> Writing[Entry]:
        """Make one rendition: write its result, or record why it has none."""
        address, mark = self._addresses[name], self._mark(name, source)
        try:
            self._refuse_what_needs_no_look(address, mark, source, previous)
            entry = yield from self._make(name, source, body, memo, previous)
        except (PermanentError, NothingToDo) as exc:
            basis = basis_of(exc, previous, mark, self._limit)
            refusal = Refusal(type(exc).__name__, _reason(exc), int(exc.status), basis)
            recorded = previous.recorded if previous is not None and not previous.is_target_of(mark) else None
            if recorded is not None and (recorded.mark, recorded.refusal) == (mark, refusal):
                return recorded
            self._refused.add(name)
            entry = self._sink.refuse(address, refusal, mark, source, previous)
        self.changed = True
        return entry

    def _make(
        self, name: str | None, source: ObjectState, body: Body, memo: dict[Any, Any], previous: Entry | None
    ) -> Writing[Entry]:
        """Run the handler and store its result. A failure to read the source goes before all that came of it."""
        event = Event(
            self.ref.key.rpartition("/")[2],
            source.size,
            source.content_type,
            source.metadata,
            self._function.renditions[name],
            body,
        )
        try:
            result = self._function.handle(event, make_context(self._function, name, memo))
            try:
                made = _whole(result.body, body)
                whole = result if made is result.body else replace(result, body=made)
                is_document = isinstance(made, Mapping)
                if is_document:
                    # It is made, and may wait for others: its source's connection need not, and its time is over.
                    body.close()
                    self._ended = self._parts.pace.clock()
                entry: Entry = yield Write(self._addresses[name], whole, self._mark(name, source), source, previous)
                if not is_document:
                    self._ended = self._parts.pace.clock()
                return entry
            finally:
                close_quietly(result.body)
        except Exception as exc:
            if body.failure is not None and body.failure is not exc:
                raise body.failure from exc
            raise

    def _refuse_what_needs_no_look(self, address: str, mark: Mark, source: ObjectState, previous: Entry | None) -> None:
        if source.size > self._limit:
            raise InputTooLarge(f"{self.ref}: {source.size} bytes; MAX_INPUT_BYTES is {self._limit}")
        if previous is None or previous.refusal is not None:
            return
        made_by = previous.mark
        if made_by is None and self._adopt:
            return
        if not previous.is_target_of(mark):
            whose, remedy = (
                ("carries no mark", f"remove it, or take it over with `penstock reconcile {mark.function} --adopt`")
                if made_by is None
                else (
                    f"was made by {made_by.function} from another source",
                    "give each source its own target in SINK, or remove it",
                )
            )
            raise PermanentError(f"{address}: exists and {whose}, so {mark.function} will not overwrite it; {remedy}")

    def _mark(self, name: str | None, source: ObjectState | None) -> Mark:
        """The mark of what is made from this state; made and hashed once a round, as several ask for it."""
        if source is None:
            return self._bare[name]
        if self._marked is not source:
            token = source.token
            self._marked, self._marks = source, {name: self._made_mark(name, token) for name in self._addresses}
        return self._marks[name]

    def _made_mark(self, name: str | None, state: str) -> Mark:
        return Mark(state, self._function.name, self._function.fingerprints[name], self._digest)

    def _outcome(self, source: ObjectState, entries: dict[str | None, Entry]) -> Outcome:
        ordered = {name: entries[name] for name in self._addresses}
        refusals = [entry.refusal for entry in ordered.values() if entry.refusal is not None]
        if refusals:
            reason = "; ".join(dict.fromkeys(refusal.reason for refusal in refusals))
            status = max(refusal.status for refusal in refusals)
            return Outcome("refused", self.ref, source, ordered, reason, status)
        return Outcome("processed", self.ref, source, ordered)


def outcome_id(outcome: Outcome, function: str) -> str:
    """The same for every delivery that finds the same source state: 32 hex digits."""
    state = outcome.source.token if outcome.source else "gone"
    return hashlib.sha256(f"{function}\n{outcome.kind}\n{outcome.ref}\n{state}".encode()).hexdigest()[:32]


def _whole(
    made: bytes | Iterable[bytes] | Mapping[str, Any], body: Body
) -> bytes | Iterable[bytes] | Mapping[str, Any]:
    """A result's body that fails, at its end at the latest, when the input could not be read as it should."""
    if body.failure is not None:
        raise body.failure
    return made if isinstance(made, bytes | Mapping) else _checked(as_chunks(made), body)


def _checked(chunks: Iterable[bytes], body: Body) -> Iterator[bytes]:
    yield from chunks
    if body.failure is not None:
        raise body.failure


def _reason(exc: Exception) -> str:
    """The error's text as it can be stored: bounded, and without halves of surrogate pairs."""
    return str(exc)[:_MAX_REASON_CHARS].encode("utf-8", "replace").decode()


def make_context(function: Function, rendition: str | None, memo: dict[Any, Any]) -> Context[Any]:
    """What a handler may know when it makes one rendition; `memo` is shared by all renditions of one input."""
    named = {str(name): options for name, options in function.renditions.items() if name is not None}
    return Context(function.name, rendition, named, memo=memo)
