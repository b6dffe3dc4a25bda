"""GET and HEAD of objects with all headers of the answer.

obstore shows a few headers only: neither how an object is encrypted nor that it has tags. Its signed URLs are sent here
by the standard library's HTTP client, so no request is added. A GET costs 0.05 ms of CPU time more than obstore's.
"""

import http.client
import os
import re
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Final, Literal
from urllib.parse import urlsplit

from penstock.errors import TemporaryError
from penstock.settings.config import StoreSettings
from penstock.store.failures import NO_S3, check_is_object
from penstock.store.headers import REQUEST_ID, kept_of, metadata_of
from penstock.streams import CHUNK_BYTES
from penstock.types import ObjectRef, ObjectState

_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.05
_READ_SECONDS: Final = 60
_CONNECT_SECONDS: Final = 5
_MOST_IDLE: Final = 64
_MOST_ERROR_BYTES: Final = 64 * 1024


class Unanswered(Exception):
    """The store gave no answer with an object: obstore's own request finds the words for it."""


class StoreRefusal(Exception):
    """What the store said instead of an object: its status, and the S3 error in its answer."""

    def __init__(self, status: int, document: bytes) -> None:
        self.status = status
        self.code = _told("Code", document) or "InternalError"
        self.message = _told("Message", document) or f"the object store answered {status}"
        super().__init__(f"{self.code}: {self.message}")


def _told(name: str, document: bytes) -> str:
    """The text of one element of an S3 error document, "" where there is none."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", document.decode("utf-8", "replace"))
    return unescape(found[1]) if found else ""


def is_behind_proxy() -> bool:
    """Whether the environment names a proxy, which obstore uses and the client here does not."""
    return any(
        os.environ.get(name) or os.environ.get(name.upper()) for name in ("http_proxy", "https_proxy", "all_proxy")
    )


class WholeAnswers:
    """Objects by signed URL, over connections that are kept. Safe to share between threads, never across a fork.

    `sign(method, ref)` returns the URL of one request. An object must have come within `request_seconds`.
    """

    def __init__(
        self,
        settings: StoreSettings,
        sign: Callable[[Literal["GET", "HEAD"], ObjectRef], str],
        request_seconds: float,
    ) -> None:
        self._settings = settings
        self._sign = sign
        self._request_seconds = request_seconds
        self._url = urlsplit(settings.endpoint)
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._tls: ssl.SSLContext | None = None

    def head(self, ref: ObjectRef) -> ObjectState | None:
        """The state, or None for the store's own 404; raises `Unanswered` for any other answer."""
        connection, response = self._send("HEAD", self._target("HEAD", ref), {})
        response.read()
        self._give_back(connection, response)
        if response.status == 404 and response.getheader(REQUEST_ID):
            return None
        if response.status != 200:
            raise Unanswered
        return state_of(ref, response)

    def open(self, ref: ObjectRef, if_etag: str | None) -> tuple[ObjectState, Iterator[bytes]] | None:
        """The state and the bytes, or None for `NoSuchKey`; raises `Unanswered` for any other answer."""
        asked = {"If-Match": f'"{if_etag}"'} if if_etag else {}
        connection, response = self._send("GET", self._target("GET", ref), asked)
        if response.status != 200:
            told = response.read(_MOST_ERROR_BYTES)
            self._give_back(connection, response)
            if response.status == 404 and b"<Code>NoSuchKey</Code>" in told:
                return None
            raise Unanswered
        return self._opened(ref, connection, response)

    def open_signed(self, ref: ObjectRef, target: str, host: str) -> tuple[ObjectState, Iterator[bytes]]:
        """As `open`, for a URL that another program signed: its path and query, and the host that it was signed for.

        The connection goes to the endpoint of the settings, and no redirect is followed. Raises `StoreRefusal` for any
        other answer than the whole object, and `Unanswered` where there is none.
        """
        connection, response = self._send("GET", target, {"Host": host})
        if response.status != 200:
            told = response.read(_MOST_ERROR_BYTES)
            self._give_back(connection, response)
            raise StoreRefusal(response.status, told)
        return self._opened(ref, connection, response)

    def _opened(
        self, ref: ObjectRef, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> tuple[ObjectState, Iterator[bytes]]:
        try:
            state = state_of(ref, response)
        except TemporaryError:
            connection.close()
            raise
        return state, self._chunks(state, connection, response, time.monotonic() + self._request_seconds)

    def _target(self, method: Literal["GET", "HEAD"], ref: ObjectRef) -> str:
        """Path and query of a signed URL."""
        url = urlsplit(self._sign(method, ref))
        return f"{url.path}?{url.query}"

    def _chunks(
        self,
        state: ObjectState,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        until: float,
    ) -> Iterator[bytes]:
        size = 0
        try:
            # What has come is passed on at once: the deadline of an object is looked at between chunks.
            while chunk := response.read1(CHUNK_BYTES):
                size += len(chunk)
                yield chunk
                if time.monotonic() > until:
                    raise TemporaryError(f"{state.ref}: not read within {self._request_seconds:g} seconds")
        except (OSError, http.client.HTTPException) as exc:
            raise TemporaryError(f"{state.ref}: the connection broke while it was read") from exc
        finally:
            if size == state.size:
                response.close()  # `read1` leaves it open at the end
                self._give_back(connection, response)
            else:
                connection.close()
        if size != state.size:
            raise TemporaryError(f"{state.ref}: the connection broke while it was read")

    def _send(
        self, method: Literal["GET", "HEAD"], target: str, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Few attempts and short, as obstore makes them; after that, the connector retries the event."""
        attempt = 0
        while True:
            connection, is_new = self._connection()
            try:
                if is_new:
                    connection.connect()
                    connection.sock.settimeout(min(_READ_SECONDS, self._request_seconds))
                connection.request(method, target, headers={"User-Agent": "penstock", **headers})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as exc:
                connection.close()
                if not is_new:
                    continue  # the store closed it since
                failure: Exception = exc
            else:
                if response.status < 500:
                    return connection, response
                connection.close()
                failure = Unanswered()
            attempt += 1
            if attempt == _ATTEMPTS:
                raise Unanswered from failure
            time.sleep(_PAUSE_SECONDS * 2**attempt)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._idle.pop(), False
        except IndexError:
            pass
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS), True
        if self._tls is None:
            ca_file = self._settings.ca_file
            self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        return http.client.HTTPSConnection(host, port, timeout=_CONNECT_SECONDS, context=self._tls), True

    def _give_back(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        if response.isclosed() and not response.will_close and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()


def state_of(ref: ObjectRef, response: http.client.HTTPResponse) -> ObjectState:
    headers = {name.lower(): value for name, value in response.getheaders()}
    etag, length = headers.get("etag"), headers.get("content-length", "")
    content_type = headers.get("content-type", "application/octet-stream")
    check_is_object(ref, etag, content_type)
    if not length.isdecimal():  # every S3 server gives it
        raise TemporaryError(f"{ref}: {NO_S3}")
    modified = headers.get("last-modified")
    return ObjectState(
        ref,
        int(length),
        (etag or "").strip('"'),
        headers.get("x-amz-version-id"),
        content_type,
        metadata_of(headers),
        parsedate_to_datetime(modified) if modified else None,
        kept_of(headers),
    )
