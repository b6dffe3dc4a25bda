"""A store in which the reads of one object are told to an observer: for a bar that follows the bytes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from penstock.store import Store
from penstock.types import ObjectRef, ObjectState


class WatchedStore:
    """Everything is the store's own; of the object `ref`, `opened` is told the state and `read` each chunk's size."""

    def __init__(
        self, store: Store, ref: ObjectRef, *, opened: Callable[[ObjectState], None], read: Callable[[int], None]
    ) -> None:
        self._store = store
        self._ref = ref
        self._opened = opened
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        found = self._store.open(ref, if_etag=if_etag)
        if found is None or ref != self._ref:
            return found
        self._opened(found[0])
        return found[0], self._counted(found[1])

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._read(len(chunk))
            yield chunk
