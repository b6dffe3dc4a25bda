"""The work on one object over the rounds: look, make, write or refuse or remove, and look again."""

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from penstock.errors import NothingToDo, PermanentError, SourceChanged, TargetChanged, TemporaryError
from penstock.handler.loading import Function
from penstock.process.deadline import check_caller, work_on
from penstock.runtime.agreement import (
    Places,
    agrees,
    check_owner,
    check_size,
    check_was_whole,
    is_same,
    marks_of,
    not_for_us,
    outcome_of,
    outcome_when_gone,
    places_of,
    reason_to_offload,
    recorded_already,
    refusal_for,
    removals,
)
from penstock.runtime.assets import AssetCache, look_at
from penstock.runtime.basis import basis_of
from penstock.runtime.estimate import Estimate
from penstock.runtime.filters import objection
from penstock.runtime.handling import body_of, checked, context_for, event_for
from penstock.runtime.outcome import Offload, Outcome, bounded
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.store import Store
from penstock.streams import Body, Replay, close_quietly
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Write

_LOG = logging.getLogger("penstock.runtime")


class Waiting(NamedTuple):
    """A complete document that is written together with those of other objects."""

    work: "Work"
    name: str | None
    write: Write


class Work:
    """The work on one object: what is known in this round, what was written in all of them, and how it ended."""

    # Slots, and set only when needed: one of these is made for each event.
    __slots__ = (
        "_adopt",
        "_assets",
        "_cache",
        "_changed",
        "_config",
        "_entries",
        "_estimate",
        "_finished",
        "_function",
        "_known",
        "_made",
        "_marks",
        "_offload",
        "_outcome",
        "_refused",
        "_sink",
        "_source",
        "_started",
        "_store",
        "_waits",
        "_written",
        "ended",
        "places",
        "ref",
        "wrote",
    )

    def __init__(
        self,
        ref: ObjectRef,
        *,
        function: Function,
        config: Config,
        store: Store,
        sink: Sink,
        offload: Offload | None,
        estimate: Estimate,
        cache: AssetCache,
        adopt: bool,
    ) -> None:
        self.ref = ref
        self.ended: Outcome | Exception | None = None
        self.places: Places
        self._function, self._config, self._store, self._sink = function, config, store, sink
        self._offload, self._estimate, self._adopt = offload, estimate, adopt
        self._cache = cache
        self._changed = False
        self._refused: set[str | None] = set()  # renditions for which a refusal was recorded here

    def new_round(self) -> None:
        """Forget what the last round saw."""
        self.wrote = False
        self._known: dict[str | None, Entry | None] = {}
        self._source: ObjectState | None = None
        self._marks: dict[str | None, Mark] = {}
        self._entries: dict[str | None, Entry] = {}
        self._written: list[str | None] = []
        self._made = 0
        self._waits = 0  # documents that wait to be written
        self._outcome: Outcome | None = None
        self._started = self._finished = 0.0

    def step(self, act: Callable[..., object], *given: Any) -> None:
        """Do one thing for this object. An error ends it, and leaves the other objects of its batch alone."""
        try:
            act(*given)
        except (SourceChanged, TargetChanged) as exc:
            _LOG.info("%s: %s; looking again", self.ref, exc)
        except Exception as exc:  # noqa: BLE001 - one object must not take the others of its request down
            self.ended = exc

    def begin(self) -> None:
        """Find out whether this object is for this function, and where its results go."""
        self.ended = not_for_us(self.ref, self._config)
        if self.ended is None:
            self._assets = look_at(self._function, self._store)
            prints, store_name = self._assets.fingerprints, self._config.store_name
            self.places = places_of(self.ref, self._function, prints, self._sink, store_name)

    def bring(self, answers: Sequence[Entry | Exception | None], waiting: list[Waiting]) -> None:
        """Look at the source, and make what does not agree with it.

        `answers` is what the sink said of each address. Documents that can wait for those of other objects go to
        `waiting`.
        """
        for name, answer in zip(self.places, answers, strict=True):
            if isinstance(answer, Exception):
                raise answer
            self._known[name] = answer
        opened: Iterable[bytes] | None = None
        has_filters = self._config.has_filters
        # No target yet: the object is new, so one GET gives state and bytes. Otherwise HEAD may be all it takes.
        if not any(self._known.values()) and not has_filters:
            found = self._store.open(self.ref)
            source, opened = found if found is not None else (None, None)
        else:
            source = self._store.stat(self.ref)
        try:
            self._source = source
            if source is None:
                self._remove()
            elif has_filters and (why := objection(self._config, self._store, source)):
                self._exclude(source, why)
            else:
                self._compare(source, opened, waiting)
        finally:
            close_quietly(opened)
        if not self._waits:
            self._finish()

    def _compare(self, source: ObjectState, opened: Iterable[bytes] | None, waiting: list[Waiting]) -> None:
        self._marks = marks = marks_of(self.places, source)
        pending: list[str | None] = []
        for name, entry in self._known.items():
            if entry is not None and agrees(entry, marks[name]):
                self._entries[name] = entry
            else:
                pending.append(name)
        if pending and self._is_offloaded(source):
            return
        for name in self._refused:
            if name in self._entries:
                self.take_back(name)
        if pending:
            self._run(pending, source, opened, waiting)

    def written(self, waiting: Waiting, answer: Entry | Exception) -> None:
        """Take what the sink says of one document: one that it refuses is recorded as refused."""
        self._waits -= 1
        if isinstance(answer, PermanentError | NothingToDo):
            self._refuse(waiting.name, answer)
        elif isinstance(answer, Exception):
            raise answer
        else:
            self._keep(waiting.name, waiting.write, answer)
        if not self._waits:
            self._finish()

    def _finish(self) -> None:
        """Say how it ended, if the source is still as it was.

        Every worker that wrote or deleted looks again: another one may have acted on a newer state meanwhile, and only
        a look after the write can tell. Only what was seen to agree is acknowledged.
        """
        source, outcome = self._source, self._outcome
        # A part of the renditions, or a refusal half-way, says nothing about the whole.
        if source is not None and self._made and self._made == len(self.places):
            self._estimate.add(source.size, self._finished - self._started)
        if self.wrote and not self._is_as_it_was(source):
            return
        if outcome is None:
            assert source is not None
            ordered = {name: self._entries[name] for name in self.places}
            outcome = outcome_of(source, ordered, changed=self._changed)
        self.ended = outcome

    def _is_as_it_was(self, source: ObjectState | None) -> bool:
        """Look at the source again. If it was not read to its end, remove what was made and raise `TemporaryError`."""
        now = self._store.stat(self.ref)
        if is_same(now, source):
            return True
        if source is not None:
            try:
                check_was_whole(now, source)
            except TemporaryError:
                for name in self._written:
                    self._sink.remove(self.places[name][0], self._marks[name], self._entries[name])
                raise
        return False

    def give_up(self) -> None:
        """Take the refusals of this work back: the work on the redelivery would not look for them."""
        for name in self._refused:
            self.take_back(name)
        self.ended = self.gave_up()

    def gave_up(self) -> TemporaryError:
        return TemporaryError(f"{self.ref}: kept changing while it was processed", retry_after=1)

    def _is_offloaded(self, source: ObjectState) -> bool:
        if self._offload is None:
            return False
        by_time = self._config.offload_above_seconds is not None
        seconds = self._estimate.seconds_for(source.size) if by_time else None
        why = reason_to_offload(self._config, source.size, seconds)
        if why is None:
            return False
        reason = why + self._offload(source)
        self._outcome = Outcome("offloaded", self.ref, source, reason=reason, status=202, changed=self._changed)
        return True

    def _remove(self) -> None:
        kept = self._take_away(removes_with_source=self._sink.removes_with_source)
        self._outcome = outcome_when_gone(self.ref, kept, changed=self._changed)

    def _exclude(self, source: ObjectState, why: str) -> None:
        """Remove what was made of an object that passed a filter of SOURCE before, and does not now."""
        self._take_away(removes_with_source=True)
        reason = f"not one of this function's sources: {why}"
        self._outcome = Outcome("ignored", self.ref, source, reason=reason, status=204, changed=self._changed)

    def _take_away(self, *, removes_with_source: bool) -> list[str]:
        """Remove what this function made of the object; returns why some of it stays."""
        reasons: list[str] = []
        for name, entry in self._known.items():
            address, mark = self.places[name]
            remove, kept = removals(self._with_refusal(name, entry), mark, removes_with_source=removes_with_source)
            reasons += [kept] if kept else []
            for found in remove:
                self.wrote = self._changed = True
                self._sink.remove(address, mark, found)
        return reasons

    def _run(
        self,
        pending: list[str | None],
        source: ObjectState,
        opened: Iterable[bytes] | None,
        waiting: list[Waiting],
    ) -> None:
        """Run the handler for each pending rendition, on exactly the state `source`; the bytes are fetched once."""
        work_on(self.ref, source.token)
        check_caller(self.ref)
        for name in pending:
            self._known[name] = self._with_refusal(name, self._known[name])
        self._started = self._estimate.clock()
        memo: dict[Hashable, Any] = {}
        body = body_of(self._store, source, opened, self._config.max_input_bytes)
        replay = Replay(body)
        try:
            for name in pending:
                self.wrote = True  # from here on a failure may have left something behind: look again
                self._bring_one(name, source, body if len(pending) == 1 else Body(replay), memo, waiting)
        finally:
            replay.close()
            body.close()

    def _bring_one(
        self, name: str | None, source: ObjectState, body: Body, memo: dict[Hashable, Any], waiting: list[Waiting]
    ) -> None:
        """Make one rendition: write its result, or record why it has none."""
        previous, mark = self._known[name], self._marks[name]
        try:
            check_size(source, self._config.max_input_bytes)
            check_owner(self.ref, self.places[name][0], previous, mark, adopt=self._adopt)
            self._make(name, source, body, memo, waiting)
        except (PermanentError, NothingToDo) as exc:
            self._refuse(name, exc)

    def _make(
        self, name: str | None, source: ObjectState, body: Body, memo: dict[Hashable, Any], waiting: list[Waiting]
    ) -> None:
        """Run the handler, and write what it returns now or together with others.

        If reading the source failed, that error is raised and not the one that it caused.
        """
        function, clock = self._function, self._estimate.clock
        event = event_for(source, function.renditions[name], body)
        try:
            result = function.handle(event, context_for(self._assets, self._cache, name, memo))
            try:
                address, mark = self.places[name][0], self._marks[name]
                write = Write(address, checked(result, body), mark, source, self._known[name])
                is_document = isinstance(result.body, Mapping)
                if is_document:
                    # The document is complete: close the source and stop the clock.
                    body.close()
                    self._finished = clock()
                    if self._sink.batch_size > 1:
                        waiting.append(Waiting(self, name, write))
                        self._waits += 1
                        return
                check_caller(self.ref)
                [answer] = self._sink.write_many([write])
                if isinstance(answer, Exception):
                    raise answer
                if not is_document:
                    self._finished = clock()
            finally:
                close_quietly(result.body)
        except Exception as exc:
            if body.failure is not None and body.failure is not exc:
                raise body.failure from exc
            raise
        self._keep(name, write, answer)

    def _keep(self, name: str | None, write: Write, entry: Entry) -> None:
        made, kept = write.result.notes, entry.notes
        self._entries[name] = replace(entry, notes=bounded([*bounded(made), *kept])) if made or kept else entry
        self._written.append(name)
        self._made += 1
        self._changed = True

    def _refuse(self, name: str | None, error: PermanentError | NothingToDo) -> None:
        address, mark, previous = self.places[name][0], self._marks[name], self._known[name]
        refusal = refusal_for(error, basis_of(error, previous, mark, self._config.max_input_bytes))
        entry = recorded_already(previous, mark, refusal)
        if entry is None:
            assert self._source is not None
            self._refused.add(name)
            entry = self._sink.refuse(address, refusal, mark, self._source, previous)
            self._written.append(name)
            self._changed = True
        self._entries[name] = entry

    def take_back(self, name: str | None) -> None:
        """Remove the refusal that this work recorded, since the target agrees now: another worker was faster.

        Only work that recorded a refusal looks for it, so other work sends no request. `reconcile` finds the refusal
        of a worker that died here.
        """
        address, mark = self.places[name]
        refusal = self._sink.beside(address, mark)
        if refusal is not None:
            self.wrote = self._changed = True
            self._sink.remove(address, mark, refusal)

    def _with_refusal(self, name: str | None, entry: Entry | None) -> Entry | None:
        """A target that is about to change, together with the refusal beside it."""
        if entry is None or entry.refusal is not None or not self._sink.refuses_beside:
            return entry
        return replace(entry, beside=self._sink.beside(*self.places[name]))
