"""A store whose requests are steps of a trace."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from penstock.process.tracing import Tracer
from penstock.store import Store
from penstock.types import ObjectRef, ObjectState


class TracedStore:
    """Passes every request on to `store`; those for one object are steps, named after the method.

    The step of `open` ends when the answer begins. That of `put` contains what makes the chunks.
    """

    def __init__(self, store: Store, tracer: Tracer) -> None:
        self._store = store
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def head(self, ref: ObjectRef) -> ObjectState | None:
        with self._tracer.step("store head", "client", bucket=ref.bucket, key=ref.key):
            return self._store.head(ref)

    def stat(self, ref: ObjectRef) -> ObjectState | None:
        with self._tracer.step("store stat", "client", bucket=ref.bucket, key=ref.key):
            return self._store.stat(ref)

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        with self._tracer.step("store open", "client", bucket=ref.bucket, key=ref.key) as step:
            found = self._store.open(ref, if_etag=if_etag)
            if found is not None:
                step.note(size=found[0].size)
            return found

    def put(
        self, ref: ObjectRef, chunks: Iterable[bytes], *, content_type: str, metadata: Mapping[str, str], **more: Any
    ) -> ObjectState:
        with self._tracer.step("store put", "client", bucket=ref.bucket, key=ref.key) as step:
            state = self._store.put(ref, chunks, content_type=content_type, metadata=metadata, **more)
            step.note(size=state.size)
            return state

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        with self._tracer.step("store delete", "client", bucket=ref.bucket, key=ref.key):
            self._store.delete(ref, if_still=if_still)
