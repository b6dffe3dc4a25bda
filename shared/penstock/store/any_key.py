"""The part of the object store that uses minio-py, imported on first use only: unusual keys and listings."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3
from minio.error import S3Error
from urllib3.exceptions import HTTPError

from penstock.errors import SourceChanged, TemporaryError
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store import PART_BYTES
from penstock.store.circles import Circle, endless
from penstock.store.failures import check_is_object, check_size, needs_own_key, own_key_error
from penstock.store.headers import REQUEST_ID, kept_of, metadata_of
from penstock.store.minio_client import FAILURES, connect, is_gone, is_not_implemented, raise_for
from penstock.streams import CHUNK_BYTES, Body
from penstock.types import ObjectRef, ObjectState

_log = logging.getLogger("penstock.store")

_META = "x-amz-meta-"
_NULL_VERSION = "null"  # of what was written while the bucket kept no versions
_CONTENT_TYPE = "application/octet-stream"  # of an object that was stored without one


class AnyKeyClient:
    """Objects whose keys obstore cannot send, and listings in key order by plain prefix."""

    def __init__(self, settings: StoreSettings) -> None:
        self._client = connect(settings)
        self._encrypts: dict[str, bool] = {}

    def head(self, ref: ObjectRef) -> ObjectState | None:
        try:
            found = self._client.stat_object(ref.bucket, ref.key)
        except FAILURES as exc:
            if is_gone(exc) and isinstance(exc, S3Error) and exc.response.headers.get(REQUEST_ID):
                return None
            # An answer to HEAD has no body: ask again with GET, which says what is wrong.
            opened = self.open(ref)
            return opened[0] if opened else None
        headers = found.metadata or {}
        return _checked(_state(ref, found.etag, found.version_id, found.size, headers, found.last_modified))

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        try:
            response = self._client.get_object(
                ref.bucket, ref.key, request_headers={"If-Match": f'"{if_etag}"'} if if_etag else None
            )
        except FAILURES as exc:
            if is_gone(exc):
                return None
            if isinstance(exc, S3Error) and exc.code == "PreconditionFailed":
                raise SourceChanged(f"{ref}: changed before it was read") from exc
            if needs_own_key(exc):
                return self.listed(ref)
            raise_for(ref, exc)
        headers = response.headers
        etag, version, length = headers.get("etag"), headers.get("x-amz-version-id"), headers.get("content-length")
        if length is None:  # every S3 server gives it
            etag = None
        try:
            state = _checked(_state(ref, etag, version, int(length or 0), headers, None))
        except BaseException:
            response.close()
            raise
        return state, _read(state, response)

    def listed(self, ref: ObjectRef) -> tuple[ObjectState, Iterable[bytes]] | None:
        """An object that only its owner's key opens: its state as the listing tells it, and bytes that raise."""
        found = next(self.list(ref.bucket, ref.key, ""), None)
        if found is None or found.ref != ref:
            return None
        return replace(found, content_type=found.content_type or _CONTENT_TYPE), _unreadable(ref)

    def tags(self, state: ObjectState) -> Mapping[str, str] | None:
        """The tags of an object, or None when the policy does not allow to read them."""
        ref = state.ref
        try:
            return dict(self._client.get_object_tags(ref.bucket, ref.key, state.version_id) or {})
        except FAILURES as exc:
            if isinstance(exc, S3Error) and exc.code == "AccessDenied":
                return None
            raise_for(ref, exc)

    def encrypts(self, bucket: str) -> bool:
        """Whether the bucket encrypts each object by itself; asked once, and False where that may not be read."""
        if bucket not in self._encrypts:
            try:
                self._encrypts[bucket] = self._client.get_bucket_encryption(bucket) is not None
            except S3Error as exc:
                if exc.code not in ("AccessDenied", "NotImplemented"):
                    raise_for(ObjectRef(bucket, ""), exc)
                self._encrypts[bucket] = False
            except FAILURES as exc:
                raise_for(ObjectRef(bucket, ""), exc)
        return self._encrypts[bucket]

    def put(
        self,
        ref: ObjectRef,
        chunks: Iterable[bytes],
        *,
        content_type: str,
        metadata: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> ObjectState:
        failures: list[BaseException] = []
        body = Body(lambda: _reported(chunks, failures))
        try:
            # If reading the body fails, minio-py aborts the multipart upload. With several upload threads, it would
            # abort while some parts are still under way.
            done = self._client.put_object(
                ref.bucket,
                ref.key,
                body,
                -1,
                content_type=content_type,
                metadata={**{f"{_META}{name}": value for name, value in metadata.items()}, **headers},
                part_size=PART_BYTES,
                num_parallel_uploads=1,
            )
        except _ChunksFailed:
            raise failures[0] from failures[0].__cause__
        except FAILURES as exc:
            raise_for(ref, exc)
        return _checked(
            ObjectState(ref, body.bytes_read, done.etag or "", done.version_id, content_type, dict(metadata), None)
        )

    def delete(self, ref: ObjectRef) -> None:
        try:
            self._client.remove_object(ref.bucket, ref.key)
        except FAILURES as exc:
            raise_for(ref, exc)

    def remove_old_marker(self, ref: ObjectRef) -> bool:
        """Remove the delete marker whose version is "null"; False where there is none. No object's version goes."""
        try:
            self._client.stat_object(ref.bucket, ref.key, version_id=_NULL_VERSION)
        except S3Error as exc:
            if exc.response.headers.get("x-amz-delete-marker") != "true":
                return False
        except FAILURES as exc:
            raise_for(ref, exc)
        else:
            return False
        try:
            self._client.remove_object(ref.bucket, ref.key, version_id=_NULL_VERSION)
        except FAILURES as exc:
            raise_for(ref, exc)
        return True

    def list(self, bucket: str, prefix: str, start_after: str) -> Iterator[ObjectState]:
        circle = Circle()
        try:
            # `include_user_meta` is MinIO's own extension; other servers ignore it.
            for found in self._client.list_objects(
                bucket, prefix or None, recursive=True, start_after=start_after or None, include_user_meta=True
            ):
                ref = ObjectRef(bucket, found.object_name or "")
                if circle.is_closed_by(ref.key):
                    raise endless(ObjectRef(bucket, prefix), "objects")
                headers = {name.lower(): value for name, value in (found.metadata or {}).items()}
                state = _state(ref, found.etag, found.version_id, found.size or 0, headers, found.last_modified)
                yield state if headers else replace(state, content_type="")
        except FAILURES as exc:
            raise_for(ObjectRef(bucket, prefix), exc)

    def abort_uploads(self, outputs: SourceRule, older_than_seconds: float, *, dry_run: bool) -> tuple[str, ...]:
        """Abort uploads that began long ago and were never completed. minio-py has these calls only as private ones."""
        aborted: list[str] = []
        before = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        key_marker = upload_marker = None
        circle = Circle()
        try:
            while True:
                # Without a prefix: MinIO takes one for the whole key, not for its beginning.
                page = self._client._list_multipart_uploads(
                    outputs.bucket, key_marker=key_marker, upload_id_marker=upload_marker
                )
                for upload in page.uploads:
                    ref = ObjectRef(outputs.bucket, upload.object_name)
                    if (
                        outputs.matches(ref)
                        and upload.initiated_time
                        and upload.upload_id
                        and upload.initiated_time <= before
                    ):
                        if not dry_run:
                            self._client._abort_multipart_upload(ref.bucket, ref.key, upload.upload_id)
                        aborted.append(ref.key)
                if not page.is_truncated:
                    return tuple(aborted)
                key_marker, upload_marker = page.next_key_marker, page.next_upload_id_marker
                if circle.is_closed_by((key_marker, upload_marker)):
                    raise endless(ObjectRef(outputs.bucket, outputs.prefix), "uploads")
        except FAILURES as exc:
            if is_not_implemented(exc):
                _log.warning("%s: the store does not list uploads under way, so none is aborted", outputs)
                return ()
            raise_for(ObjectRef(outputs.bucket, outputs.prefix), exc)


def _state(
    ref: ObjectRef, etag: str | None, version: str | None, size: int | None, headers: Mapping[str, Any], modified: Any
) -> ObjectState:
    lower = {name.lower(): value for name, value in headers.items()}
    return ObjectState(
        ref,
        size or 0,
        (etag or "").strip('"'),
        version,
        lower.get("content-type", _CONTENT_TYPE),
        metadata_of(lower),
        modified,
        kept_of(lower),
    )


def _unreadable(ref: ObjectRef) -> Iterator[bytes]:
    raise own_key_error(ref)
    yield b""


def _checked(state: ObjectState) -> ObjectState:
    check_is_object(state.ref, state.etag, state.content_type)
    return state


def _read(state: ObjectState, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    size = 0
    try:
        for chunk in response.stream(CHUNK_BYTES, decode_content=False):
            size += len(chunk)
            yield chunk
        check_size(state, size)
    except HTTPError as exc:
        raise TemporaryError(f"{state.ref}: the connection broke while it was read") from exc
    finally:
        response.close()
        response.release_conn()


class _ChunksFailed(Exception):
    """The iterable of chunks raised an error. An `Exception` in every case, because minio-py aborts for those only."""


def _reported(chunks: Iterable[bytes], failures: list[BaseException]) -> Iterator[bytes]:
    try:
        yield from chunks
    except GeneratorExit:
        raise
    except BaseException as exc:
        failures.append(exc)
        raise _ChunksFailed from exc
