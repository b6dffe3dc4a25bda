"""Safeguards taken away, one at a time, at the seams that the runtime and the connector use."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from greenlet import getcurrent
from penstock import TemporaryError
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef, ObjectState

from tests.simulation.world import SteppedStore, Worker


class NoLookAfterTheWrite(SteppedStore):
    """A worker that has written sees its source as it was before."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._seen: dict[tuple[Any, ObjectRef], ObjectState | None] = {}
        self._wrote: set[Any] = set()

    def head(self, ref: ObjectRef) -> ObjectState | None:
        worker, place = getcurrent(), (getcurrent(), ref)
        if isinstance(worker, Worker) and worker in self._wrote and place in self._seen:
            return self._seen[place]
        self._seen[place] = found = super().head(ref)
        return found

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        found = super().open(ref, if_etag=if_etag)
        self._seen[getcurrent(), ref] = found[0] if found else None
        return found

    def put(self, ref: ObjectRef, chunks: Iterable[bytes], **how: Any) -> ObjectState:
        self._wrote.add(getcurrent())
        return super().put(ref, chunks, **how)

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        self._wrote.add(getcurrent())
        super().delete(ref, if_still=if_still)


class NoMarkCheck(SteppedStore):
    """Every target looks as if this function had made it from this source."""

    def head(self, ref: ObjectRef) -> ObjectState | None:
        found = super().head(ref)
        if found is None or ref.bucket != "processed" or "penstock-state" in found.metadata:
            return found
        return replace(found, metadata={**found.metadata, **self._mark(ref)})

    def _mark(self, ref: ObjectRef) -> dict[str, str]:
        source = ObjectRef("upload", ref.key).digest
        return {
            "penstock-state": "",
            "penstock-function": "tested",
            "penstock-options": "",
            "penstock-source": source,
        }


class NoMarkCheckBeforeDelete(NoMarkCheck):
    """The same, only while the source is gone: what a removal without a check would do."""

    def _mark(self, ref: ObjectRef) -> dict[str, str]:
        return {} if ref.key in self.buckets["upload"] else super()._mark(ref)


class NoConditionAtAll(NoMarkCheck):
    """Every target looks like one's own, and no write is conditional."""

    def put(self, ref: ObjectRef, chunks: Iterable[bytes], **how: Any) -> ObjectState:
        self.unconditional = True
        return super().put(ref, chunks, **how)


class UnconditionalDelete(SteppedStore):
    """A delete does not look before: what it should have seen is noted as seen."""

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        if isinstance(worker := getcurrent(), Worker):
            worker.looks[ref] = self.turn
        super().delete(ref)


class NoAbort(SteppedStore):
    """A body that breaks off is stored as far as it came."""

    def put(self, ref: ObjectRef, chunks: Iterable[bytes], **how: Any) -> ObjectState:
        return super().put(ref, _until_it_breaks(chunks), **how)


def _until_it_breaks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except TemporaryError:
        return


class FailedListingIsEmpty(SteppedStore):
    """A listing that fails says that there is nothing."""

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        try:
            return super().list(bucket, prefix, start_after)
        except TemporaryError:
            return iter(())


STORES: Mapping[str, Callable[[random.Random], MemoryStore]] = {
    "no look after the write": NoLookAfterTheWrite,
    "no mark check": NoMarkCheck,
    "no mark check before a delete": NoMarkCheckBeforeDelete,
    "no condition on writes": NoConditionAtAll,
    "unconditional delete": UnconditionalDelete,
    "no abort": NoAbort,
    "a failed listing is taken as empty": FailedListingIsEmpty,
}
