"""The one place that decides: skip, run, retry or refuse.

An event is a hint and the object is the truth. Whatever a notification said, the runtime makes the target of
the named key agree with its source as it is now (the eight rules of docs/architecture.md). It is level-triggered,
so lost, doubled, late and reordered events all lead to the same end.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from penstock.errors import EventError, Forbidden, SourceChanged, TargetChanged, TemporaryError
from penstock.options import parse_options
from penstock.streams import Body
from penstock.types import Event, ObjectRef, ObjectState, Result
from penstock.visit import Outcome, Parts, Visit, make_context

ROUNDS = 3


class Runtime:
    """Runs events through one handler, one store and one sink. Has no state of its own: any number may work at once."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._log = logging.getLogger("penstock.runtime")

    def agree(self, ref: ObjectRef, *, adopt: bool = False) -> Outcome:
        """Make the targets of one object agree with it, and return how that ended.

        `adopt` lets it overwrite a target that carries no mark, which it otherwise never does.

        Raises `Forbidden` for a bucket that is no source of this function, and `TemporaryError` when it must be tried
        again: unreachable store or sink, or a source that keeps changing.
        """
        config, store, sink = self.parts.config, self.parts.store, self.parts.sink
        if store is None or sink is None:
            raise TemporaryError(f"{config.function} takes no events: set SOURCE, SINK and MINIO_ENDPOINT")
        buckets = sorted({rule.bucket for rule in config.sources})
        if ref.bucket not in buckets:
            known = ", ".join(buckets) or "none"
            raise Forbidden(f"{ref}: bucket {ref.bucket!r} is no source of {config.function}; its sources: {known}")
        if not config.takes(ref):
            return Outcome("ignored", ref, reason="not one of this function's sources", status=204)
        visit = Visit(self.parts, store, sink, ref, adopt=adopt)
        for _ in range(ROUNDS):
            try:
                outcome = visit.once()
            except (SourceChanged, TargetChanged) as exc:
                self._log.info("%s: %s; looking again", ref, exc)
                continue
            # Whoever wrote or deleted looks again: another worker may have acted on a newer state meanwhile,
            # and only a look after the write can tell. Acknowledged is what was seen to agree.
            if not visit.wrote or _same(store.stat(ref), outcome.source):
                return replace(outcome, changed=visit.changed, handler_seconds=visit.handler_seconds)
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
        parsed = parse_options(function.options_type, given, function.renditions[rendition])
        body = Body(lambda: chunks, max_bytes=self.parts.config.max_body_bytes, name=name)
        event = Event(name, size, content_type, {}, parsed, body)
        return function.handle(event, make_context(function, rendition, {}))


def _same(now: ObjectState | None, then: ObjectState | None) -> bool:
    return (now.token if now else None) == (then.token if then else None)
