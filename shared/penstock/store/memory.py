"""An object store in memory: real semantics, no network. It is a part of the package, for functions' tests."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from urllib.parse import parse_qsl

from penstock.errors import SourceChanged, TargetChanged, TemporaryError
from penstock.settings.config import SourceRule
from penstock.store.headers import TAG_COUNT, TAGGING, check_headers, kept_of
from penstock.streams import CHUNK_BYTES
from penstock.types import ObjectRef, ObjectState


class MemoryStore:
    """Buckets as dictionaries. `on_request`, when given, is called with the verb and the object of every request.

    Tests use `on_request` to count requests, to let another worker act in between, or to fail one. `buckets` maps each
    bucket to its keys, and each key to its state and its bytes; a test may take a bucket away there.
    """

    def __init__(
        self, *buckets: str, versioned: bool = False, on_request: Callable[[str, ObjectRef], None] | None = None
    ) -> None:
        self.buckets: dict[str, dict[str, tuple[ObjectState, bytes]]] = {name: {} for name in buckets}
        self.versions = count(1) if versioned else None
        self._lock = threading.RLock()
        self._tags: dict[ObjectRef, dict[str, str]] = {}
        self.on_request = on_request or (lambda _verb, _ref: None)

    def head(self, ref: ObjectRef) -> ObjectState | None:
        self.on_request("HEAD", ref)
        with self._lock:
            found = self.buckets.get(ref.bucket, {}).get(ref.key)
        return found[0] if found else None

    def stat(self, ref: ObjectRef) -> ObjectState | None:
        state = self.head(ref)
        if state is None:
            self._bucket(ref.bucket)
        return state

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        self.on_request("GET", ref)
        with self._lock:
            found = self._bucket(ref.bucket).get(ref.key)
        if found is None:
            return None
        state, data = found
        if if_etag is not None and state.etag != if_etag:
            raise SourceChanged(f"{ref}: changed before it was read")
        return state, (data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))

    def put(
        self,
        ref: ObjectRef,
        chunks: Iterable[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        if_etag: str | None = None,
        if_absent: bool = False,
    ) -> ObjectState:
        check_headers(ref, content_type, {**(metadata or {}), **(headers or {})})
        kept = dict(headers or {})
        tags = dict(parse_qsl(kept.pop(TAGGING, "")))
        if tags:
            kept[TAG_COUNT] = str(len(tags))
        data = b"".join(chunks)
        self.on_request("PUT", ref)
        with self._lock:
            bucket = self._bucket(ref.bucket)
            found = bucket.get(ref.key)
            if (if_absent and found) or (if_etag and (found is None or found[0].etag != if_etag)):
                raise TargetChanged(f"{ref}: another program wrote it meanwhile")
            state = ObjectState(
                ref,
                len(data),
                hashlib.md5(data, usedforsecurity=False).hexdigest(),
                f"v{next(self.versions)}" if self.versions else None,
                content_type,
                dict(metadata or {}),
                datetime.now(UTC),
                kept_of(kept),
            )
            bucket[ref.key] = (state, data)
            self._tags[state.ref] = tags
        return state

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        if if_still is not None:
            self.on_request("HEAD", ref)
        self.on_request("DELETE", ref)
        with self._lock:
            bucket = self._bucket(ref.bucket)
            found = bucket.get(ref.key)
            if found is not None and if_still is not None and not if_still(found[0]):
                raise TargetChanged(f"{ref}: another program wrote it meanwhile")
            bucket.pop(ref.key, None)

    def tags(self, state: ObjectState) -> Mapping[str, str] | None:
        self.on_request("TAGS", state.ref)
        with self._lock:
            return dict(self._tags.get(state.ref, {}))

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        self.on_request("LIST", ObjectRef(bucket, prefix))
        with self._lock:
            found = sorted(self._bucket(bucket).items())
        return (state for key, (state, _) in found if key.startswith(prefix) and key > start_after)

    def abort_uploads(
        self, _outputs: SourceRule, _older_than_seconds: float, *, dry_run: bool = False
    ) -> tuple[str, ...]:
        del dry_run
        return ()  # a put here is whole from the start

    def check(self, bucket: str) -> None:
        self._bucket(bucket)

    def read(self, ref: ObjectRef) -> bytes:
        """The object's bytes; raises `KeyError` when there is none."""
        return self.buckets[ref.bucket][ref.key][1]

    def _bucket(self, name: str) -> dict[str, tuple[ObjectState, bytes]]:
        try:
            return self.buckets[name]
        except KeyError:
            raise TemporaryError(f"s3://{name}: the bucket does not exist") from None
