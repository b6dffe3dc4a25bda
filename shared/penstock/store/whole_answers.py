"""GET and HEAD of objects with all headers of the answer.

obstore shows a few headers only: neither how an object is encrypted nor that it has tags. Its signed URLs are sent here
over connections of its own, so no request is added.
"""

import os
import re
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Final
from urllib.parse import urlsplit

from penstock.errors import TemporaryError
from penstock.settings.config import StoreSettings
from penstock.store.connection import Method, StoreAnswer, StoreConnection
from penstock.store.failures import NO_S3, check_is_object
from penstock.store.headers import REQUEST_ID, kept_of, metadata_of
from penstock.streams import CHUNK_BYTES
from penstock.types import ObjectRef, ObjectState

_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.05
_READ_SECONDS: Final = 60
_CONNECT_SECONDS: Final = 5
_MOST_IDLE: Final = 64
_PORTS: Final = {"http": 80, "https": 443}
_ALWAYS: Final = {"Accept-Encoding": "identity", "User-Agent": "penstock"}
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
        self, settings: StoreSettings, sign: Callable[[Method, ObjectRef], str], request_seconds: float
    ) -> None:
        self._settings = settings
        self._sign = sign
        self._request_seconds = request_seconds
        url = urlsplit(settings.endpoint)
        self._name = url.hostname or ""
        self._port = url.port or _PORTS[url.scheme]
        self._has_tls = url.scheme == "https"
        shown = f"[{self._name}]" if ":" in self._name else self._name
        self._host = shown if self._port == _PORTS[url.scheme] else f"{shown}:{self._port}"
        self._idle: deque[StoreConnection] = deque()
        self._tls: ssl.SSLContext | None = None

    def head(self, ref: ObjectRef) -> ObjectState | None:
        """The state, or None for the store's own 404; raises `Unanswered` for any other answer."""
        connection, answer = self._send("HEAD", self._target("HEAD", ref), {})
        self._give_back(connection, answer)
        if answer.status == 404 and answer.headers.get(REQUEST_ID):
            return None
        if answer.status != 200:
            raise Unanswered
        return state_of(ref, answer.headers)

    def open(self, ref: ObjectRef, if_etag: str | None) -> tuple[ObjectState, Iterator[bytes]] | None:
        """The state and the bytes, or None for `NoSuchKey`; raises `Unanswered` for any other answer."""
        asked = {"If-Match": f'"{if_etag}"'} if if_etag else {}
        connection, answer = self._send("GET", self._target("GET", ref), asked)
        if answer.status == 200:
            return self._opened(ref, connection, answer)
        if b"<Code>NoSuchKey</Code>" in self._document(connection, answer) and answer.status == 404:
            return None
        raise Unanswered

    def open_signed(self, ref: ObjectRef, target: str, host: str) -> tuple[ObjectState, Iterator[bytes]]:
        """As `open`, for a URL that another program signed: its path and query, and the host that it was signed for.

        The connection goes to the endpoint of the settings, and no redirect is followed. Raises `StoreRefusal` for any
        other answer than the whole object, and `Unanswered` where there is none.
        """
        connection, answer = self._send("GET", target, {"Host": host})
        if answer.status != 200:
            raise StoreRefusal(answer.status, self._document(connection, answer))
        return self._opened(ref, connection, answer)

    def _opened(
        self, ref: ObjectRef, connection: StoreConnection, answer: StoreAnswer
    ) -> tuple[ObjectState, Iterator[bytes]]:
        try:
            state = state_of(ref, answer.headers)
        except TemporaryError:
            connection.close()
            raise
        return state, self._chunks(state, connection, answer, time.monotonic() + self._request_seconds)

    def _target(self, method: Method, ref: ObjectRef) -> str:
        """Path and query of a signed URL."""
        return "/" + self._sign(method, ref).split("/", 3)[3]

    def _document(self, connection: StoreConnection, answer: StoreAnswer) -> bytes:
        """What the store says instead of an object, as far as it comes."""
        told = b""
        with suppress(OSError):
            while len(told) < _MOST_ERROR_BYTES and (data := answer.read(_MOST_ERROR_BYTES)):
                told += data
        self._give_back(connection, answer)
        return told

    def _chunks(
        self, state: ObjectState, connection: StoreConnection, answer: StoreAnswer, until: float
    ) -> Iterator[bytes]:
        size = 0
        try:
            while chunk := self._gathered(state.ref, answer, until):
                size += len(chunk)
                yield chunk
        except OSError as exc:
            raise TemporaryError(f"{state.ref}: the connection broke while it was read") from exc
        finally:
            self._give_back(connection, answer)
        if size != state.size:
            raise TemporaryError(f"{state.ref}: the connection broke while it was read")

    def _gathered(self, ref: ObjectRef, answer: StoreAnswer, until: float) -> bytes:
        """The next `CHUNK_BYTES`, fewer at the end: a network gives a third of them at once, and each chunk costs."""
        parts: list[bytes] = []
        missing = CHUNK_BYTES
        while missing and (part := answer.read(missing)):
            parts.append(part)
            missing -= len(part)
            if time.monotonic() > until:
                raise TemporaryError(f"{ref}: not read within {self._request_seconds:g} seconds")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _send(self, method: Method, target: str, headers: dict[str, str]) -> tuple[StoreConnection, StoreAnswer]:
        """Few attempts and short, as obstore makes them; after that, the connector retries the event."""
        attempt = 0
        while True:
            failure: Exception = Unanswered()
            idle = self._idle_one()
            try:
                connection = idle or self._connect()
                answer = connection.ask(method, target, {"Host": self._host, **_ALWAYS, **headers})
            except OSError as exc:
                if idle is not None:
                    continue  # the store closed it since
                failure = exc
            else:
                if answer.status < 500:
                    return connection, answer
                connection.close()
            attempt += 1
            if attempt == _ATTEMPTS:
                raise Unanswered from failure
            time.sleep(_PAUSE_SECONDS * 2**attempt)

    def _idle_one(self) -> StoreConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _connect(self) -> StoreConnection:
        if self._has_tls and self._tls is None:
            ca_file = self._settings.ca_file
            self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        read_seconds = min(_READ_SECONDS, self._request_seconds)
        return StoreConnection(
            self._name, self._port, self._tls, connect_seconds=_CONNECT_SECONDS, read_seconds=read_seconds
        )

    def _give_back(self, connection: StoreConnection, answer: StoreAnswer) -> None:
        if answer.is_reusable and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()


def state_of(ref: ObjectRef, headers: Mapping[str, str]) -> ObjectState:
    """The state that an answer's headers tell, names in lower case; raises `TemporaryError` for another's answer."""
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
