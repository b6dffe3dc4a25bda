"""MinIO or any S3 server as a `Store`.

Objects are read over connections of Penstock's own (whole_answers.py) and written through obstore. On a loopback
server a streamed PUT takes 0.7 of minio-py's time, and less memory (docs/performance.md). obstore imports in 13 ms, and
minio-py in 180. For two things minio-py is used: keys with control characters, which obstore's path type refuses, and
listings, because obstore matches a prefix by whole segments only.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from urllib.parse import parse_qsl

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PreconditionError,
)

from penstock.errors import SourceChanged, TargetChanged, TemporaryError
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store import PART_BYTES
from penstock.store.failures import NO_S3, check_is_object, check_size, code_of, error_for, is_odd_etag, needs_own_key
from penstock.store.headers import ENCRYPTION, KMS_KEY, TAGGING, check_headers, kept_of
from penstock.store.s3_client import EncryptingClients, connect
from penstock.store.whole_answers import Unanswered, WholeAnswers, is_behind_proxy
from penstock.streams import CHUNK_BYTES, Body, close_quietly
from penstock.types import ObjectRef, ObjectState

if TYPE_CHECKING:
    from penstock.store.any_key import AnyKeyClient

_STANDARD_ATTRIBUTES = frozenset(
    {"Content-Type", "Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control"}
)
# obstore always sends metadata of these names as the header itself.
_HEADERS_OF_ITS_OWN = frozenset(name.lower() for name in _STANDARD_ATTRIBUTES)
_SIGNED_FOR = timedelta(minutes=15)  # S3's own bound for a clock that is wrong
_SPELLABLE = r"(?!/)(?:(?!\.{1,2}(?:/|\Z))[^\x00-\x1f\x7f/]+(?:/(?=.)|\Z))+\Z"


class S3ObjectStore:
    """Objects on an S3 server; safe to share between threads, never across a fork.

    Where the environment names a proxy, states do not tell how an object is encrypted and whether it has tags.
    """

    def __init__(self, settings: StoreSettings, *, request_seconds: int = 24 * 3600) -> None:
        self._settings = settings
        self._server = connect(settings, request_seconds)
        self._encrypting = EncryptingClients(settings, request_seconds)
        self._whole: WholeAnswers | None = None
        if not is_behind_proxy():
            self._whole = WholeAnswers(settings, self._sign, request_seconds)

    def head(self, ref: ObjectRef) -> ObjectState | None:
        if not re.match(_SPELLABLE, ref.key):
            return self._any_key.head(ref)
        try:
            if self._whole is not None:
                return self._whole.head(ref)
            return _state(ref, obstore.get(self._server, _path(ref), options={"head": True}))
        except FileNotFoundError:
            return None
        except (BaseError, Unanswered):
            # An answer to HEAD has no body. Ask again with GET, whose answer names the cause.
            return self._state_only(self.open(ref))

    @staticmethod
    def _state_only(opened: tuple[ObjectState, Iterable[bytes]] | None) -> ObjectState | None:
        if opened is None:
            return None
        close_quietly(opened[1])
        return opened[0]

    def stat(self, ref: ObjectRef) -> ObjectState | None:
        state = self.head(ref)
        if state is not None:
            return state
        # A 404 to HEAD has no body and may also mean the bucket. Only GET says NoSuchKey.
        return self._state_only(self.open(ref))

    def open(self, ref: ObjectRef, *, if_etag: str | None = None) -> tuple[ObjectState, Iterable[bytes]] | None:
        if not re.match(_SPELLABLE, ref.key):
            return self._any_key.open(ref, if_etag=if_etag)
        if self._whole is not None:
            with suppress(Unanswered):
                return self._whole.open(ref, if_etag)
        try:
            found = obstore.get(self._server, _path(ref), options={"if_match": f'"{if_etag}"'} if if_etag else None)
        except FileNotFoundError as exc:
            if code_of(exc) != "NoSuchKey":
                _refuse(ref, exc)
            return None
        except PreconditionError as exc:
            raise SourceChanged(f"{ref}: changed before it was read") from exc
        except BaseError as exc:
            if needs_own_key(exc):
                return self._any_key.listed(ref)
            _refuse(ref, exc)
        if self._whole is not None:
            raise TemporaryError(f"{ref}: the object store failed, and answered the next request")
        state = _state(ref, found)
        return state, _read(state, found)

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
        check_headers(ref, content_type, {**metadata, **(headers or {})})
        more = self._fitting(ref.bucket, headers) if headers else {}
        if not re.match(_SPELLABLE, ref.key) or not _HEADERS_OF_ITS_OWN.isdisjoint(map(str.lower, metadata)):
            unchanged = partial(self._check_unchanged, ref, if_etag=if_etag, if_absent=if_absent)
            return self._any_key.put(
                ref, _then(chunks, unchanged), content_type=content_type, metadata=metadata, headers=more
            )
        server = self._server
        if encryption := more.pop(ENCRYPTION, ""):
            server = self._encrypting.of(encryption, more.pop(KMS_KEY, ""))
        tags = dict(parse_qsl(more.pop(TAGGING, ""))) or None
        body = Body(lambda: chunks)
        pieces = iter(body)
        first, whole = _first_part(pieces)
        attributes = {"Content-Type": content_type, **metadata, **{name.title(): more[name] for name in more}}
        try:
            if whole:
                mode: Any = "overwrite"
                if if_absent:
                    mode = "create"
                elif if_etag:
                    mode = {"e_tag": f'"{if_etag}"'}
                done = obstore.put(
                    server, _path(ref), first, attributes=attributes, tags=tags, mode=mode, use_multipart=False
                )
                if is_odd_etag(done["e_tag"]):
                    self._check_stored(ref, _bare(done["e_tag"]), if_etag)
                return ObjectState(
                    ref, len(first), _bare(done["e_tag"]), done["version"], content_type, dict(metadata), None
                )
            # Leaving the block by an exception aborts the multipart upload: nothing becomes visible.
            with obstore.open_writer(
                server, _path(ref), attributes=attributes, tags=tags, buffer_size=PART_BYTES, max_concurrency=2
            ) as writer:
                for piece in chain((first,), pieces):
                    writer.write(piece)
                # obstore cannot send the condition with the completion: ADR 16 says what remains of the window.
                self._check_unchanged(ref, if_etag=if_etag, if_absent=if_absent)
        except (BaseError, OSError) as exc:
            # A store that refuses the completion of an upload is reported by obstore as a bare OSError.
            if exc is body.failure:
                raise  # making the chunks failed, not the store
            if body.failure is not None:
                # The store then refused to abort the upload: reconcile removes what is left of it.
                raise body.failure from body.failure.__cause__
            if isinstance(exc, AlreadyExistsError | PreconditionError):
                raise TargetChanged(f"{ref}: another program wrote it meanwhile") from exc
            _refuse(ref, exc)
        # The writer does not tell the ETag.
        return ObjectState(ref, body.bytes_read, "", None, content_type, dict(metadata), None)

    def _check_stored(self, ref: ObjectRef, etag: str, before: str | None) -> None:
        """See that a PUT was answered by the store: a proxy's page has an ETag too. Raises `TemporaryError`."""
        found = self.stat(ref)
        # Any other ETag is that of another program, which was faster.
        if found is None or found.etag == before != etag:
            raise TemporaryError(f"{ref}: a PUT was answered and the object is not there; {NO_S3}")

    def _check_unchanged(self, ref: ObjectRef, *, if_etag: str | None, if_absent: bool) -> None:
        """Look once more before an upload in parts becomes visible; raises `TargetChanged`."""
        if if_absent or if_etag is not None:
            found = self.head(ref)
            if (found.etag if found else None) != (None if if_absent else if_etag):
                raise TargetChanged(f"{ref}: another program wrote it meanwhile")

    def delete(self, ref: ObjectRef, *, if_still: Callable[[ObjectState], bool] | None = None) -> None:
        found = None
        if if_still is not None:
            # obstore cannot send a condition with a DELETE: ADR 24 says what remains of the window.
            found = self.stat(ref)
            if found is None:
                return
            if not if_still(found):
                raise TargetChanged(f"{ref}: another program wrote it meanwhile")
        self._delete(ref)
        self._check_gone(ref, found)

    def _check_gone(self, ref: ObjectRef, deleted: ObjectState | None) -> None:
        """See that the store has deleted it: a proxy's page is an answer too, and a bucket with versions may show it.

        Raises `TemporaryError` where it is still there (ADR 75).
        """
        # A 404 to HEAD may be a proxy's too. Only GET says NoSuchKey.
        left = self._state_only(self.open(ref)) if deleted else self.head(ref)
        if left is None:
            return
        if not left.has_own_version:
            if deleted and (left.etag, left.metadata) == (deleted.etag, deleted.metadata):
                raise TemporaryError(f"{ref}: a DELETE was answered and the object is still there; {NO_S3}")
            return
        if deleted and left.version_id != deleted.version_id:
            return
        if self._any_key.remove_old_marker(ref):
            # Another program may have written meanwhile: a look right before this delete too.
            if self._shows(ref, left):
                self._delete(ref)
            hidden = not self._shows(ref, left)
        else:
            # What was deleted is not known to be this version: another program may have written it meanwhile.
            hidden = deleted is None
        if not hidden:
            raise TemporaryError(f"{ref}: the object store answered a DELETE and still shows the object")

    def _shows(self, ref: ObjectRef, version: ObjectState) -> bool:
        found = self.head(ref)
        return found is not None and found.version_id == version.version_id

    def _delete(self, ref: ObjectRef) -> None:
        if not re.match(_SPELLABLE, ref.key):
            self._any_key.delete(ref)
            return
        try:
            obstore.delete(self._server, _path(ref))
        except FileNotFoundError as exc:
            if code_of(exc) == "NoSuchBucket":
                _refuse(ref, exc)
        except BaseError as exc:
            _refuse(ref, exc)

    def tags(self, state: ObjectState) -> Mapping[str, str] | None:
        return self._any_key.tags(state)

    def _fitting(self, bucket: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers to send: `AES256` would take the place of a stronger encryption that the bucket has by itself."""
        sent = dict(headers)
        if sent.get(ENCRYPTION) == "AES256" and self._any_key.encrypts(bucket):
            del sent[ENCRYPTION]
        return sent

    def _sign(self, method: Literal["GET", "HEAD"], ref: ObjectRef) -> str:
        try:
            return obstore.sign(self._server, method, _path(ref), _SIGNED_FOR)
        except BaseError as exc:  # a token could not be exchanged for keys; obstore's own request says why
            raise Unanswered from exc

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        return self._any_key.list(bucket, prefix, start_after)

    def abort_uploads(
        self, outputs: SourceRule, older_than_seconds: float, *, dry_run: bool = False
    ) -> tuple[str, ...]:
        return self._any_key.abort_uploads(outputs, older_than_seconds, dry_run=dry_run)

    def check(self, bucket: str) -> None:
        subject = f"MINIO_ENDPOINT={self._settings.endpoint}: bucket {bucket}"
        try:
            found = obstore.get(self._server, _path(ObjectRef(bucket, ".penstock/check")))
        except FileNotFoundError as exc:
            if code_of(exc) != "NoSuchKey":
                _refuse(subject, exc)
        except BaseError as exc:
            _refuse(subject, exc)
        else:
            check_is_object(subject, found.meta["e_tag"], found.attributes.get("Content-Type", ""))

    @cached_property
    def _any_key(self) -> "AnyKeyClient":
        from penstock.store.any_key import AnyKeyClient

        return AnyKeyClient(self._settings)


def _path(ref: ObjectRef) -> str:
    return f"{ref.bucket}/{ref.key}"


def _state(ref: ObjectRef, found: "obstore.GetResult") -> ObjectState:
    meta, attributes = found.meta, found.attributes
    content_type = attributes.get("Content-Type", "application/octet-stream")
    check_is_object(ref, meta["e_tag"], content_type)
    return ObjectState(
        ref,
        meta["size"],
        _bare(meta["e_tag"]),
        meta["version"],
        content_type,
        {name.lower(): value for name, value in attributes.items() if name not in _STANDARD_ATTRIBUTES},
        meta["last_modified"],
        kept_of({name.lower(): value for name, value in attributes.items() if name in _STANDARD_ATTRIBUTES}),
    )


def _read(state: ObjectState, found: "obstore.GetResult") -> Iterator[bytes]:
    size = 0
    try:
        for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            size += len(chunk)
            yield bytes(chunk)
    except BaseError as exc:
        raise TemporaryError(f"{state.ref}: the connection broke while it was read") from exc
    check_size(state, size)


def _then(chunks: Iterable[bytes], act: Callable[[], None]) -> Iterator[bytes]:
    """The chunks. After the last one `act` is called, which may raise."""
    yield from chunks
    act()


def _first_part(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """The first bytes, and whether they are all. They are at least one part, unless the input is smaller."""
    parts, have = [], 0
    for piece in pieces:
        parts.append(piece)
        have += len(piece)
        if have >= PART_BYTES:
            return b"".join(parts), False
    return b"".join(parts), True


def _refuse(subject: ObjectRef | str, exc: Exception) -> NoReturn:
    raise error_for(subject, code_of(exc), exc) from exc


def _bare(etag: str | None) -> str:
    return (etag or "").strip('"')
