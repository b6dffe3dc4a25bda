"""moto's S3 and the records that it keeps of objects: the only module that knows either."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from penstock.local.http_server import QuietHandler
from penstock.local.store import large_uploads
from penstock.local.store.object_folder import KeptObject
from penstock.types import ObjectRef

_KEY_BUFFER_BYTES: Final = 4 * 1024 * 1024
_STANDARD_HEADERS: Final = frozenset(
    {"content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires"}
)


class MotoObjects:
    """moto's state, which is the process's: `application` answers requests, and `handler` reads them from a socket."""

    def __init__(self) -> None:
        self.application, self._backend, self.handler = _moto()
        self._last_ns = 0

    def reset(self) -> None:
        """Let every bucket and object go."""
        self._backend().reset()

    def create_bucket(self, name: str) -> None:
        self._backend().create_bucket(name, "us-east-1")

    def find(self, ref: ObjectRef) -> Any:
        """moto's record of the current object, or None when there is none or a delete marker."""
        found = self._current(ref)
        return found if hasattr(found, "etag") else None

    def remove(self, ref: ObjectRef) -> None:
        self._backend().delete_object(ref.bucket, ref.key)

    def hidden_by(self, ref: ObjectRef) -> str | None:
        """The version id of what stands in an object's place now: of the delete marker, after a delete."""
        return version_id(self._current(ref))

    def is_versioned(self, bucket: str) -> bool:
        return bool(self._backend().buckets[bucket].is_versioned)

    def upload_size(self, bucket: str, upload_id: str) -> int | None:
        """Bytes of all parts of an upload, or None for one that is not known."""
        found = self._backend().buckets.get(bucket)
        upload = found.multiparts.get(upload_id) if found is not None else None
        return None if upload is None else sum(part.contentsize for part in upload.parts.values())

    def take_up(self, kept: KeptObject, path: Path) -> None:
        """Have the object that a folder kept, as it was."""
        value = path.read_bytes()
        stored = self._backend().put_object(kept.bucket, kept.key, value, etag=kept.etag, disable_notification=True)
        stored.set_metadata(dict(kept.metadata))
        stored.last_modified = datetime.fromtimestamp(kept.modified, UTC).replace(tzinfo=None)
        stored.modified_ns = kept.modified_ns
        self._last_ns = max(self._last_ns, kept.modified_ns)

    def order(self, stored: Any, *, written: bool) -> int:
        """Nanoseconds that order the states of objects; strictly rising, so that two writes in one tick differ."""
        if written or not hasattr(stored, "modified_ns"):
            self._last_ns = stored.modified_ns = max(time.time_ns(), self._last_ns + 1)
        return int(stored.modified_ns)

    def _current(self, ref: ObjectRef) -> Any:
        bucket = self._backend().buckets.get(ref.bucket)
        return bucket.keys.get(ref.key) if bucket is not None else None


def kept_object(ref: ObjectRef, stored: Any) -> KeptObject:
    """What a folder keeps of a record."""
    metadata = {name: str(value) for name, value in stored.metadata.items()}
    modified = stored.last_modified.replace(tzinfo=UTC).timestamp()
    etag = stored.etag.strip('"')
    return KeptObject(ref.bucket, ref.key, "", stored.size, etag, metadata, modified, stored.modified_ns)


def let_parts_go(stored: Any) -> None:
    """Free the parts that an object was put together from."""
    multipart = getattr(stored, "multipart", None)
    if multipart is not None:
        multipart.dispose()


def stored_headers(stored: Any) -> dict[str, str]:
    """What the client asked to keep; moto files some headers of the request itself there too."""
    return {
        name: str(value)
        for name, value in stored.metadata.items()
        if name.startswith("x-amz-meta-") or name in _STANDARD_HEADERS
    }


def version_id(stored: Any) -> str | None:
    """The version of a record, or None where versions are off."""
    version = getattr(stored, "version_id", None)
    return None if version in (None, "null") else str(version)


def _moto() -> tuple[Any, Callable[[], Any], type[QuietHandler]]:
    """moto's S3 as a WSGI application, its state, and its request handler; imported late, as it takes a second."""
    os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(_KEY_BUFFER_BYTES))
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_server import werkzeug_app
    from moto.s3 import models

    # A page in the user's browser has no business here: without this moto allows every origin.
    vars(werkzeug_app)["DISABLE_GLOBAL_CORS"] = True
    large_uploads.install(models)
    application = werkzeug_app.create_backend_app("s3")

    class S3Handler(QuietHandler, werkzeug_app.MotoRequestHandler):
        """Keeps underscores in the names of user metadata."""

    return application, lambda: models.s3_backends[DEFAULT_ACCOUNT_ID]["aws"], S3Handler
