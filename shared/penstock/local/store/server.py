"""An S3 server in this process that notifies as MinIO does: moto's, wrapped.

moto keeps the objects, in memory up to 4 MiB each and in temporary files above that (`moto_objects`). An object passes
through memory as a whole on each request, so this is for objects up to some hundred MB. The wrapper adds what moto has
not:

- signatures are checked, names that MinIO refuses are refused;
- each request is carried out alone. In moto a new object is visible before its metadata is, and `If-None-Match: *`
  can have two winners;
- `If-Match` on CompleteMultipartUpload;
- keys with a newline, which its URL patterns do not match;
- a multipart upload is finished on disk (`large_uploads`), and its parts are let go;
- with a folder, objects outlive the process (`object_folder`);
- a body is an object, also under the content type of a form, which moto would take apart;
- a request that is refused changes nothing, and one that moto fails on for what is in it is refused;
- the notification is handed over before the request is answered, so one that was answered was notified.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from penstock.local.http_server import HttpServer
from penstock.local.store.moto_objects import MotoObjects, kept_object, let_parts_go, stored_headers, version_id
from penstock.local.store.notifications import ObjectChange, Origin, notification
from penstock.local.store.object_folder import MAX_BYTES, ObjectFolder, StoreFull
from penstock.local.store.s3_http import (
    S3Error,
    S3Request,
    S3Response,
    as_xml,
    call_wsgi,
    error_response,
    event_name,
    hide_form,
    hide_range,
    keys_to_delete,
    read_request,
)
from penstock.settings.config import StoreSettings
from penstock.types import ObjectRef

Notify = Callable[[ObjectRef, Mapping[str, Any]], None]

_log = logging.getLogger("penstock.objectstore")


class EmbeddedStore:
    """The server on `port` of loopback. One at a time in a process, because moto's state is the process's.

    With a `folder`, objects of at most `max_bytes` in all are kept there and are back after a restart.
    `notify(ref, document)` is called for every event on an object for which `wanted(event_name, ref)` holds. When it
    raises, the client gets a 503 although the object is stored: the next attempt notifies again, so nothing is lost.
    """

    def __init__(
        self,
        *,
        access_key: str,
        secret_key: str,
        notify: Notify,
        wanted: Callable[[str, ObjectRef], bool],
        port: int = 0,
        option: str = "--store-port",
        folder: Path | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._objects = MotoObjects()
        self._folder = ObjectFolder(folder, max_bytes) if folder is not None else None
        self._notify, self._wanted = notify, wanted
        self._alone = threading.Lock()
        self._deployment_id = str(uuid.uuid4())
        self._server = HttpServer(self._serve, port=port, handler=self._objects.handler, option=option)
        self.settings = StoreSettings(self._server.url, access_key, secret_key)

    def start(self) -> None:
        """Take up what the folder holds, and serve; raises `ConfigError` for a folder that cannot be read."""
        self._restore()
        self._server.start()

    def stop(self) -> None:
        """Close the port and let every object go from memory."""
        self._server.stop()
        with self._alone:
            self._objects.reset()

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request_id = f"{time.time_ns():016X}"
        try:
            request = read_request(environ, self.settings.access_key, self.settings.secret_key)
            with self._alone:
                response, changes = self._carry_out(request)
            for change in changes:
                self._send(change, environ, request_id)
        except S3Error as exc:
            response = error_response(exc, environ, request_id)
        except Exception:  # noqa: BLE001 - the inbox may fail, and so may moto: the client tries again
            _log.exception("%s %s", environ["REQUEST_METHOD"], environ["RAW_URI"])
            failed = S3Error(503, "ServiceUnavailable", "the embedded store could not finish the request; try again")
            response = error_response(failed, environ, request_id)
        start_response(response.status, [*response.headers, ("x-amz-request-id", request_id), ("Server", "penstock")])
        return response.body

    def _carry_out(self, request: S3Request) -> tuple[S3Response, list[ObjectChange]]:
        _refuse_what_only_minio_has(request)
        completes = request.method == "POST" and "uploadId" in request.query
        if completes:
            self._check_match(request)
        self._check_room(request)
        before = self._before(request)
        # Only its URL patterns read this, and no newline gets through them; the key comes from the raw path.
        request.environ["PATH_INFO"] = request.environ["PATH_INFO"].replace("\n", " ")
        form = hide_form(request)
        hide_range(request)
        ref = ObjectRef(request.bucket, request.key)
        response = self._asked(request, ref)
        if not response.ok or not request.bucket:
            return response, []
        stored = self._objects.find(ref)
        if completes:
            let_parts_go(stored)
        if form and stored is not None:
            stored.metadata["content-type"] = form
        changes = list(self._changes(request, before))
        self._keep(request, changes)
        return response, [change for change in changes if self._wanted(change.name, change.ref)]

    def _asked(self, request: S3Request, ref: ObjectRef) -> S3Response:
        """moto's answer. What it stored before it refused the request is taken back, where a folder has the old one."""
        before = self._objects.find(ref)
        response = S3Response("503 ServiceUnavailable")
        try:
            response = as_xml(call_wsgi(self._objects.application, request.environ), request)
        except (OSError, MemoryError):
            raise
        except Exception as exc:
            # What moto does not expect of a header, a query or XML. The next attempt would fail in the same way.
            words = f"the embedded store cannot read this request: {type(exc).__name__}: {exc}"
            _log.warning("%s %s: %s", request.method, request.environ["RAW_URI"], words)
            raise S3Error(400, "InvalidArgument", words) from exc
        finally:
            if not response.ok and self._folder is not None and self._objects.find(ref) is not before:
                self._put_back(ref)
        return response

    def _check_room(self, request: S3Request) -> None:
        upload_id = request.query.get("uploadId", [""])[0]
        completed = self._objects.upload_size(request.bucket, upload_id) if request.method == "POST" else None
        if self._folder is None or not request.key or (request.method != "PUT" and completed is None):
            return
        size = len(request.body) if completed is None else completed
        try:
            self._folder.check(ObjectRef(request.bucket, request.key), size)
        except StoreFull as exc:
            raise S3Error(507, "XMinioStorageFull", str(exc)) from exc

    def _keep(self, request: S3Request, changes: Iterable[ObjectChange]) -> None:
        """Write to the folder what a request changed, before it is answered and notified."""
        if self._folder is None:
            return
        if not request.key and not request.query.keys():
            if request.method == "PUT":
                self._folder.add_bucket(request.bucket)
            elif request.method == "DELETE":
                self._folder.remove_bucket(request.bucket)
        for change in changes:
            stored = self._objects.find(change.ref)
            if stored is None:
                self._folder.remove(change.ref)
            elif not change.name.startswith("s3:ObjectAccessed:"):
                try:
                    # A copy tells its size only now.
                    self._folder.check(change.ref, stored.size)
                    self._folder.save(kept_object(change.ref, stored), stored._value_buffer)
                except (StoreFull, OSError) as exc:
                    self._put_back(change.ref)
                    raise S3Error(507, "XMinioStorageFull", f"the local store cannot keep the object: {exc}") from exc

    def _put_back(self, ref: ObjectRef) -> None:
        """Have the object that the folder keeps under this name again, or none: a new one could not be kept."""
        assert self._folder is not None
        found = self._folder.find(ref)
        if found is None:
            self._objects.remove(ref)
        else:
            self._objects.take_up(*found)

    def _restore(self) -> None:
        if self._folder is None:
            return
        for name in self._folder.buckets():
            self._objects.create_bucket(name)
        for kept, path in self._folder.load():
            self._objects.take_up(kept, path)

    def _check_match(self, request: S3Request) -> None:
        wanted = request.header("If-Match").strip('"')
        if not wanted:
            return
        stored = self._objects.find(ObjectRef(request.bucket, request.key))
        if stored is None:
            raise S3Error(404, "NoSuchKey", "the object that If-Match names does not exist")
        if wanted != stored.etag.strip('"'):
            raise S3Error(412, "PreconditionFailed", "the object is not the one that If-Match names")

    def _before(self, request: S3Request) -> dict[ObjectRef, bool]:
        """The objects that the request is about to remove, and whether each is there."""
        if request.method == "DELETE" and request.key and not {"tagging", "uploadId"} & request.query.keys():
            refs = [ObjectRef(request.bucket, request.key)]
        elif request.method == "POST" and "delete" in request.query:
            refs = [ObjectRef(request.bucket, key) for key in keys_to_delete(request.body)]
        else:
            refs = []
        return {ref: self._objects.find(ref) is not None for ref in refs}

    def _changes(self, request: S3Request, before: Mapping[ObjectRef, bool]) -> Iterable[ObjectChange]:
        if before:
            bulk = request.method == "POST"
            for ref, existed in before.items():
                yield self._removed(ref, existed, bulk, request.query.get("versionId", [None])[0])
        elif request.key and (name := event_name(request)):
            ref = ObjectRef(request.bucket, request.key)
            stored = self._objects.find(ref)
            if stored is not None:
                yield self._present(name, ref, stored)

    def _present(self, name: str, ref: ObjectRef, stored: Any) -> ObjectChange:
        written = name.startswith("s3:ObjectCreated:") and not name.endswith(("Tagging", "Retention", "LegalHold"))
        return ObjectChange(
            name=name,
            ref=ref,
            time_ns=time.time_ns(),
            sequencer_ns=self._objects.order(stored, written=written),
            size=stored.size,
            etag=stored.etag.strip('"'),
            headers=stored_headers(stored),
            version_id=version_id(stored),
        )

    def _removed(self, ref: ObjectRef, existed: bool, bulk: bool, version: str | None) -> ObjectChange:
        now = time.time_ns()
        name = "s3:ObjectRemoved:Delete"
        if version is None and self._objects.is_versioned(ref.bucket):
            name, version = "s3:ObjectRemoved:DeleteMarkerCreated", self._objects.hidden_by(ref)
        elif not existed and not bulk and version is None:
            name = "s3:ObjectRemoved:NoOP"
        return ObjectChange(name, ref, now, now, version_id=version, response_headers={"content-length": "0"})

    def _send(self, change: ObjectChange, environ: Mapping[str, Any], request_id: str) -> None:
        origin = Origin(
            endpoint=self._server.url,
            deployment_id=self._deployment_id,
            request_id=request_id,
            principal=self.settings.access_key,
            address=environ.get("REMOTE_ADDR", ""),
            user_agent=environ.get("HTTP_USER_AGENT", ""),
        )
        self._notify(change.ref, notification(change, origin))


def _refuse_what_only_minio_has(request: S3Request) -> None:
    """Say what this store does not have; moto would answer something else."""
    if request.bucket == "minio" and request.key.startswith("admin/"):
        raise S3Error(
            501,
            "NotImplemented",
            "this is the store of penstock up, which has no admin API: penstock lake needs a MinIO server, "
            "and penstock demo brings its own store when MINIO_ENDPOINT is not set",
        )
    if request.method == "GET" and not request.key and "events" in request.query:
        raise S3Error(
            501,
            "NotImplemented",
            "this is the store of penstock up, which tells its functions alone of events: "
            "penstock up prints a line for each, and the console shows them",
        )
