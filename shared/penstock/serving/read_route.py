"""`GET /read/BUCKET/KEY`: an object through the function's handler, for browsers that have a signed URL."""

import logging
import time
from collections.abc import Iterable, Sequence

from flask import Response, g, request

from penstock.errors import Forbidden
from penstock.process.deadline import called_by
from penstock.runtime.handling import body_of
from penstock.runtime.reading import check_readable
from penstock.runtime.runtime import Runtime
from penstock.serving.callers import leaving_check
from penstock.serving.conditions import conditions_of
from penstock.serving.reading import read_response
from penstock.serving.requests import query_options
from penstock.serving.responses import json_response
from penstock.serving.signed_urls import check_signed
from penstock.types import ObjectRef, ObjectState


class ReadRoute:
    """The route of one function; `keys` are those that sign its URLs."""

    def __init__(self, runtime: Runtime, keys: Sequence[str]) -> None:
        self._runtime = runtime
        self._keys = keys
        self._log = logging.getLogger("penstock.app")

    def read(self, path: str) -> Response:
        """Answer one GET or HEAD."""
        with called_by(leaving_check(request.environ)):
            return self._answer(path)

    def _answer(self, path: str) -> Response:
        g.mode = "read"
        bucket, _, key = path.partition("/")
        ref = ObjectRef(bucket, key)
        options, expires = check_signed(self._keys, ref, query_options(), time.time())
        check_readable(self._runtime, ref)
        conditions = conditions_of(dict(request.headers))
        # A look is enough where the bytes of the source are probably not needed.
        opened = self._open(ref, at_once=not (self._runtime.config.store_on_read or "HTTP_IF_NONE_MATCH" in conditions))
        if opened is None:
            return json_response({"error": "NotFound", "reason": f"{ref}: no such object"}, 404)
        response = read_response(self._runtime, opened, options, conditions)
        response.headers["Cache-Control"] = self._caching(expires)
        # Bytes that users sent must not run as a page of this server.
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "sandbox"
        self._log.info("%s: read", ref, extra={"outcome": "read", "status": response.status_code})
        return response

    def _open(self, ref: ObjectRef, *, at_once: bool) -> tuple[ObjectState, Iterable[bytes]] | None:
        """The source: its state, and its bytes, which are asked for at once or when they are read."""
        store, config = self._runtime.store, self._runtime.config
        if store is None:
            raise Forbidden(f"{config.function} takes no reads: set SOURCE and MINIO_ENDPOINT")
        if at_once:
            return store.open(ref)
        source = store.stat(ref)
        return None if source is None else (source, body_of(store, source, None, config.max_input_bytes))

    def _caching(self, expires: int) -> str:
        """How long it may be kept: not longer than the URL is valid."""
        seconds = min(self._runtime.config.cache_seconds, expires - int(time.time()))
        return f"public, max-age={seconds}" if seconds > 0 else "private, no-cache"
