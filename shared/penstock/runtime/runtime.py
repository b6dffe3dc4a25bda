"""The one place that decides: skip, run, retry or refuse.

An event is a hint and the object is the truth. Any notification leads to the same: the runtime makes the target of
the named key agree with its source as it is now (the eight rules of docs/architecture.md). So lost, doubled, late and
reordered events all lead to the same end.

It works on a list of objects, in rounds: look at all targets, then for each object look at the source and make what
does not agree, write, and look at each source again. One object is a list of one. A sink says how many it takes at
once: a bucket one, whose result is streamed while it is made; an index many, whose documents are written together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.errors import PermanentError, TemporaryError
from penstock.handler.loading import Function
from penstock.handler.options import parse_options
from penstock.process.deadline import check_caller, within
from penstock.runtime.assets import AssetCache, look_at
from penstock.runtime.estimate import Estimate
from penstock.runtime.handling import context_for
from penstock.runtime.outcome import FindJob, Offload, Outcome
from penstock.runtime.work import Waiting, Work
from penstock.settings.config import Config
from penstock.sinks import Sink
from penstock.store import Store
from penstock.streams import Body
from penstock.types import Entry, Event, Mark, ObjectRef, Result

ROUNDS = 3


@dataclass(eq=False, repr=False)
class Runtime:
    """Runs events through one handler: its settings, the store of its sources and the sink for its results.

    Without a store or a sink it serves direct calls only. Any number of threads may use it at once: only the estimate
    and the assets that were read are shared.
    """

    function: Function
    config: Config
    store: Store | None = None
    sink: Sink | None = None
    offload: Offload | None = None
    find_job: FindJob | None = None
    estimate: Estimate = field(default_factory=Estimate)
    cache: AssetCache = field(default_factory=AssetCache)

    def agree(self, ref: ObjectRef, *, adopt: bool = False) -> Outcome:
        """Make the targets of one object agree with it, and return how that ended.

        `adopt` lets it overwrite a target that carries no mark, which it otherwise never does.

        Raises `Forbidden` for a bucket that is not a source of this function, and `TemporaryError` when it must be
        tried again: unreachable store or sink, or a source that keeps changing.
        """
        [ended] = self._agree([ref], adopt=adopt)
        if isinstance(ended, Exception):
            raise ended
        return ended

    def agree_all(self, refs: Sequence[ObjectRef]) -> list[Outcome | Exception]:
        """As `agree` for each of several objects; in their order, errors not raised.

        Each batch that the sink takes at once has DEADLINE_SECONDS.
        """
        size = self.sink.batch_size if self.sink is not None else 1
        ended: list[Outcome | Exception] = []
        for start in range(0, len(refs), size):
            with within(self.config.deadline_seconds):
                ended += self._agree(refs[start : start + size])
        return ended

    def _agree(self, refs: Sequence[ObjectRef], *, adopt: bool = False) -> list[Outcome | Exception]:
        """As `agree_all`, for as many objects as the sink takes at once."""
        store, sink = self.store, self.sink
        if store is None or sink is None:
            error = TemporaryError(f"{self.config.function} takes no events: set SOURCE, SINK and MINIO_ENDPOINT")
            return [error] * len(refs)
        works = [
            Work(
                ref,
                function=self.function,
                config=self.config,
                store=store,
                sink=sink,
                offload=self.offload,
                estimate=self.estimate,
                cache=self.cache,
                adopt=adopt,
            )
            for ref in refs
        ]
        for work in works:
            work.step(work.begin)
        for _ in range(ROUNDS):
            going = [work for work in works if work.ended is None]
            if not going:
                break
            _round(going, sink)
        for work in works:
            if work.ended is None:
                work.step(work.give_up)
        return [work.ended or work.gave_up() for work in works]

    def transform(
        self, name: str, size: int, content_type: str, options: Mapping[str, str], chunks: Iterable[bytes]
    ) -> Result:
        """Body mode: run the handler on bytes that came with a request, and return its result.

        `options` override the configured ones. The one named `rendition` chooses the output. Raises what the handler
        raises.
        """
        function = self.function
        given = dict(options)
        rendition = function.rendition_named(given.pop("rendition", None))
        parsed = parse_options(function.options_type, given, function.renditions[rendition], tighten_only=True)
        body = Body(lambda: chunks, max_bytes=self.config.max_body_bytes, name=name)
        event = Event(name, size, content_type, {}, parsed, body)
        assets = look_at(function, self.store)
        return function.handle(event, context_for(assets, self.cache, rendition, {}))


def _round(works: Sequence[Work], sink: Sink) -> None:
    """Look at all targets, make what does not agree, write, and look at each source again."""
    answers = _look_all([place for work in works for place in work.places.values()], sink)
    waiting: list[Waiting] = []
    start = 0
    for work in works:
        end = start + len(work.places)
        work.new_round()
        work.step(work.bring, answers[start:end], waiting)
        start = end
    for start in range(0, len(waiting), sink.batch_size):
        batch = waiting[start : start + sink.batch_size]
        answered: Sequence[Entry | Exception]
        try:
            check_caller(f"{len(batch)} documents")
            answered = sink.write_many([one.write for one in batch])
        except TemporaryError as exc:
            answered = [exc] * len(batch)
        for one, stored in zip(batch, answered, strict=True):
            one.work.step(one.work.written, one, stored)


def _look_all(places: Sequence[tuple[str, Mark]], sink: Sink) -> list[Entry | Exception | None]:
    """What the sink has at each of these addresses, with an error for each that could not be asked for."""
    answers: list[Entry | Exception | None] = []
    for start in range(0, len(places), sink.batch_size):
        batch = places[start : start + sink.batch_size]
        try:
            answers += sink.read_many(batch)
        except PermanentError as exc:
            # Nothing can ever be at this address, for example because the store refuses its key: the write says why.
            # Of a batch it says nothing about any of them.
            many = TemporaryError(f"asked for {len(batch)} documents at once: {exc}")
            answers += [None] if len(batch) == 1 else [many] * len(batch)
        except Exception as exc:  # noqa: BLE001 - each object of the batch ends with it
            answers += [exc] * len(batch)
    return answers
