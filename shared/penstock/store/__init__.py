"""The object store, behind one protocol: `s3` calls MinIO or any S3 server, `memory` is a working store for tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from penstock.settings.config import SourceRule
from penstock.streams import Body
from penstock.types import ObjectRef, ObjectState

PART_BYTES = 5 * 1024 * 1024
"""What is longer is uploaded in parts. S3 refuses smaller ones, and a single PUT of less can be conditional."""


class Store(Protocol):
    """Objects by bucket and raw key.

    Only `NoSuchKey` means that an object is gone. A missing bucket, a refused credential or an unreachable
    server raises `TemporaryError`. Never delete an object because of one of these.
    """

    def head(self, ref: ObjectRef) -> ObjectState | None:
        """One HEAD. None may also mean that the bucket is missing, so never delete an object because of it."""

    def stat(self, ref: ObjectRef) -> ObjectState | None:
        """The object's present state, or None when it is certainly gone: a second request makes sure."""

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        """One GET: the present state and its bytes in chunks, or None when the object is gone.

        With `if_etag`, raises `SourceChanged` unless the object still has that ETag.
        If the iterable has a `close()`, it drops the connection.
        """

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
        """Write all chunks or nothing: an exception from `chunks` aborts the upload and is raised again.

        `headers` are content headers, an encryption and tags, by the names in store/headers.py. `AES256` is sent only
        where the bucket has no encryption of its own: that one is never weaker.

        `if_etag` and `if_absent` raise `TargetChanged` when they do not hold. The server checks them for outputs that
        fit into a single PUT (under 5 MiB). For larger ones, a `HEAD` just before the upload is completed does
        (ADR 16).
        """

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        """Remove the object; one that is not there is left so.

        With `if_still` it is looked at right before, and `TargetChanged` is raised unless its state passes (ADR 24).
        """

    def tags(self, state: ObjectState) -> Mapping[str, str] | None:
        """The tags of an object in this version, or None when the store does not allow to read them."""

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        """Every object in key order; `content_type` and `metadata` are empty where the server's listing has none."""

    def abort_uploads(
        self, outputs: SourceRule, older_than_seconds: float, *, dry_run: bool = False
    ) -> tuple[str, ...]:
        """Abort unfinished multipart uploads of keys that match `outputs`, and return those keys."""

    def check(self, bucket: str) -> None:
        """Raise `TemporaryError` unless the bucket answers; one request."""


__all__ = ["PART_BYTES", "Body", "Store"]
