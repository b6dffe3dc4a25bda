"""The one place that decides: skip, run, retry or refuse.

An event is a hint and the object is the truth. Whatever a notification said, the runtime makes the target of
the named key agree with its source as it is now (the eight rules of docs/architecture.md). It is level-triggered,
so lost, doubled, late and reordered events all lead to the same end.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from penstock.errors import EventError, Forbidden, SourceChanged, TargetChanged, TemporaryError
from penstock.handler.options import parse_options
from penstock.process.deadline import within
from penstock.runtime.agreement import Outcome, Parts, Visit, make_context
from penstock.runtime.writing import Writing, run_alone, run_together
from penstock.sinks import BatchSink, Sink
from penstock.store import Store
from penstock.streams import Body
from penstock.types import Event, ObjectRef, ObjectState, Result

ROUNDS = 3
# Documents held at a time until they are stored together; more of them make a commit hardly cheaper.
BATCH = 250


class Runtime:
    """Runs events through one handler, one store and one sink. Any number may work at once: only the pace is shared."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._log = logging.getLogger("penstock.runtime")

    def agree(self, ref: ObjectRef, *, adopt: bool = False) -> Outcome:
        """Make the targets of one object agree with it, and return how that ended.

        `adopt` lets it overwrite a target that carries no mark, which it otherwise never does.

        Raises `Forbidden` for a bucket that is no source of this function, and `TemporaryError` when it must be tried
        again: unreachable store or sink, or a source that keeps changing.
        """
        store, sink = self.parts.store, self.parts.sink
        if store is None or sink is None:
            raise TemporaryError(f"{self.parts.config.function} takes no events: set SOURCE, SINK and MINIO_ENDPOINT")
        return run_alone(self._work(ref, store, sink, adopt=adopt), sink)

    def agree_all(self, refs: Sequence[ObjectRef]) -> list[Outcome | Exception]:
        """As `agree` for each of several objects; in their order, errors not raised.

        A sink of documents gets them in batches: they cost one commit together, and not one each.
        """
        store, sink = self.parts.store, self.parts.sink
        if len(refs) < 2 or store is None or not isinstance(sink, BatchSink):
            return [self._attempt(ref) for ref in refs]
        batches = (refs[start : start + BATCH] for start in range(0, len(refs), BATCH))
        return [result for batch in batches for result in self._together(batch, store, sink)]

    def _together(self, refs: Sequence[ObjectRef], store: Store, sink: BatchSink) -> list[Outcome | Exception]:
        with within(self.parts.config.deadline_seconds):
            return run_together([self._work(ref, store, sink) for ref in refs], sink)

    def _attempt(self, ref: ObjectRef) -> Outcome | Exception:
        try:
            with within(self.parts.config.deadline_seconds):
                return self.agree(ref)
        except Exception as exc:  # noqa: BLE001 - one object must not take the others of its request down
            return exc

    def _work(self, ref: ObjectRef, store: Store, sink: Sink, *, adopt: bool = False) -> Writing[Outcome]:
        config = self.parts.config
        if not any(rule.bucket == ref.bucket for rule in config.sources):
            known = ", ".join(sorted({rule.bucket for rule in config.sources})) or "none"
            raise Forbidden(f"{ref}: bucket {ref.bucket!r} is no source of {config.function}; its sources: {known}")
        if not config.takes(ref):
            return Outcome("ignored", ref, reason="not one of this function's sources", status=204)
        visit = Visit(self.parts, store, sink, ref, adopt=adopt)
        for _ in range(ROUNDS):
            try:
                outcome = yield from visit.once()
            except (SourceChanged, TargetChanged) as exc:
                self._log.info("%s: %s; looking again", ref, exc)
                continue
            # Whoever wrote or deleted looks again: another worker may have acted on a newer state meanwhile,
            # and only a look after the write can tell. Acknowledged is what was seen to agree.
            if not visit.wrote or _same(store.stat(ref), outcome.source):
                return replace(outcome, changed=True) if visit.changed else outcome
        visit.give_up()
        raise TemporaryError(f"{ref}: kept changing while it was processed", retry_after=1)

    def transform(
        self, name: str, size: int, content_type: str, options: Mapping[str, str], chunks: Iterable[bytes]
    ) -> Result:
        """Body mode: run the handler on bytes that came with a request, and return its result.

        `options` override the configured ones, `rendition` among them chooses which. Raises what the handler raises.
        """
        function = self.parts.function
        given = dict(options)
        rendition = given.pop("rendition", None) or next(iter(function.renditions))
        if rendition not in function.renditions:
            known = ", ".join(str(known) for known in function.renditions if known) or "none"
            raise EventError(f"rendition {rendition!r} is unknown; {function.name} has: {known}")
        parsed = parse_options(function.options_type, given, function.renditions[rendition], tighten_only=True)
        body = Body(lambda: chunks, max_bytes=self.parts.config.max_body_bytes, name=name)
        event = Event(name, size, content_type, {}, parsed, body)
        return function.handle(event, make_context(function, rendition, {}))


def _same(now: ObjectState | None, then: ObjectState | None) -> bool:
    return now == then or (now.token if now else None) == (then.token if then else None)
