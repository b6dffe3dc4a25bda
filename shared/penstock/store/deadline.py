"""A store whose requests end when the time of the object is over (DEADLINE_SECONDS)."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from penstock.process.deadline import BoundedChunks, check_deadline
from penstock.settings.config import SourceRule
from penstock.store import Store
from penstock.types import ObjectRef, ObjectState


class DeadlineStore:
    """Passes requests on to `store` until the deadline. After that, each request and chunk raises `TemporaryError`.

    The store then aborts an upload that was under way, so no part of it becomes visible.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def head(self, ref: ObjectRef) -> ObjectState | None:
        check_deadline(ref)
        return self._store.head(ref)

    def stat(self, ref: ObjectRef) -> ObjectState | None:
        check_deadline(ref)
        return self._store.stat(ref)

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        check_deadline(ref)
        found = self._store.open(ref, if_etag=if_etag)
        return (found[0], BoundedChunks(found[1], ref)) if found is not None else None

    def put(
        self,
        ref: ObjectRef,
        chunks: Iterable[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        if_etag: str | None = None,
        if_absent: bool = False,
    ) -> ObjectState:
        check_deadline(ref)
        bounded = BoundedChunks(chunks, ref)
        return self._store.put(
            ref,
            bounded,
            content_type=content_type,
            metadata=metadata,
            headers=headers,
            if_etag=if_etag,
            if_absent=if_absent,
        )

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        check_deadline(ref)
        self._store.delete(ref, if_still=if_still)

    def tags(self, state: ObjectState) -> Mapping[str, str] | None:
        check_deadline(state.ref)
        return self._store.tags(state)

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        return self._store.list(bucket, prefix, start_after)

    def abort_uploads(
        self, outputs: SourceRule, older_than_seconds: float, *, dry_run: bool = False
    ) -> tuple[str, ...]:
        return self._store.abort_uploads(outputs, older_than_seconds, dry_run=dry_run)

    def check(self, bucket: str) -> None:
        self._store.check(bucket)
