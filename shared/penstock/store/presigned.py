"""Objects by a URL that the store signed for another user, whose rights decide: as Object Lambda hands them out.

The function sends the URL's path and query to the endpoint of its own settings, and never connects to what the URL
names. So a forged URL reaches no other server. The query is read by a list of names, since others ask the store for
something else than an object.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from penstock.errors import EventError, Forbidden, TemporaryError
from penstock.settings.config import StoreSettings, bucket_problem, key_problem
from penstock.store.whole_answers import Unanswered, WholeAnswers
from penstock.types import ObjectRef, ObjectState

_MAX_URL_CHARS: Final = 16 * 1024
_PRINTABLE: Final = re.compile(r"[!-~]+")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """One presigned URL, taken apart. `target` is its path and query as they were signed, `host` what it is for."""

    ref: ObjectRef
    target: str = field(repr=False)  # its signature opens the object
    host: str
    has_version: bool


class PresignedObjects:
    """Reads presigned URLs of one store. Safe to share between threads, never across a fork.

    `addresses` are those under which the store signs its URLs, beside its endpoint.
    """

    def __init__(
        self, settings: StoreSettings, addresses: Sequence[str] = (), *, request_seconds: float = 24 * 3600.0
    ) -> None:
        self._endpoint = settings.endpoint
        self._known = {_place(urlsplit(address)) for address in (settings.endpoint, *addresses)}
        self._answers = WholeAnswers(settings, _unsigned, request_seconds)

    def read(self, url: str) -> SignedUrl:
        """Take a URL apart; raises `Forbidden` for another server's, and `EventError` for one that is malformed."""
        if len(url) > _MAX_URL_CHARS or not _PRINTABLE.fullmatch(url):
            raise EventError("inputS3Url: is not a URL")
        try:
            parts = urlsplit(url)
            place = _place(parts)
        except ValueError as exc:
            raise EventError(f"inputS3Url: is not a URL: {exc}") from exc
        if not _HOST.fullmatch(parts.netloc) or place not in self._known:
            raise Forbidden(
                f"inputS3Url: signed for {parts.scheme}://{parts.netloc[:80]}, and the store is {self._endpoint}; if "
                "it is the same server, name that address in STORE_URLS, or set MINIO_SERVER_URL at the server"
            )
        if parts.fragment or not parts.query:
            raise EventError("inputS3Url: is not a presigned URL")
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        for name in names:
            if name != "versionId" and not name.startswith("X-Amz-"):
                raise EventError(f"parameter {name[:80]!r} cannot go together with a function: leave it out")
        return SignedUrl(_ref(parts.path), f"{parts.path}?{parts.query}", parts.netloc, "versionId" in names)

    def open(self, signed: SignedUrl) -> tuple[ObjectState, Iterator[bytes]]:
        """The object's state and bytes.

        Raises `StoreRefusal` with what the store says to the user that it signed for, and `TemporaryError` when it
        does not answer.
        """
        try:
            return self._answers.open_signed(signed.ref, signed.target, signed.host)
        except Unanswered as exc:
            raise TemporaryError(f"{signed.ref}: the object store at {self._endpoint} does not answer") from exc


def _unsigned(_method: str, ref: ObjectRef) -> str:
    raise LookupError(f"{ref}: is read by the URL that its user signed")


def _place(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _ref(path: str) -> ObjectRef:
    """The object that a path names. The bucket stands as it is, so that an encoded slash does not make another one."""
    bucket, _, rest = path[1:].partition("/")
    try:
        key = unquote(rest, errors="strict")
    except UnicodeDecodeError as exc:
        raise EventError("inputS3Url: its key is not UTF-8") from exc
    if problem := bucket_problem(bucket):
        raise EventError(f"inputS3Url: {problem}")
    if problem := key_problem(key):
        raise EventError(f"inputS3Url: the key {problem}")
    return ObjectRef(bucket, key)
