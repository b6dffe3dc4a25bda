"""minio-py's client for one server, and what its errors mean.

It is imported on first use only, because minio takes 180 ms to import and most functions never need it.
"""

from typing import NoReturn
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error
from urllib3.exceptions import HTTPError

from penstock.errors import PermanentError, TemporaryError
from penstock.settings.config import StoreSettings
from penstock.store.credentials import provider_of
from penstock.store.failures import NO_S3, error_for
from penstock.types import ObjectRef

_CONNECTIONS = 1024
# Errors of minio-py, of urllib3, of minio-py's checks of names, and of the XML parser where the answer is a page.
FAILURES = (MinioException, HTTPError, ValueError, ParseError)


def connect(settings: StoreSettings) -> Minio:
    """A minio-py client with short retries and the private CA, if one is set."""
    url = urlsplit(settings.endpoint)
    pool = urllib3.PoolManager(
        # As many threads as a function or reconcile may have: urllib3 warns about each connection that it cannot keep.
        maxsize=_CONNECTIONS,
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=urllib3.Retry(total=2, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504]),
        ca_certs=str(settings.ca_file) if settings.ca_file else None,
    )
    return Minio(
        url.netloc,
        credentials=provider_of(settings),
        secure=url.scheme == "https",
        # With a region the client does not ask for the bucket's location: one request and one permission less.
        region=settings.region,
        http_client=pool,
    )


def is_not_implemented(exc: Exception) -> bool:
    """Whether the store has no such request at all; s3proxy says so with a page of HTML."""
    if isinstance(exc, S3Error):
        return exc.code == "NotImplemented"
    return isinstance(exc, InvalidResponseError) and "Response code: 501" in str(exc)


def is_gone(exc: Exception) -> bool:
    """Whether the store answered that it has no such object."""
    return isinstance(exc, S3Error) and exc.code == "NoSuchKey"


def raise_for(ref: ObjectRef, exc: Exception) -> NoReturn:
    """Raise the error of Penstock for one of `FAILURES`."""
    if isinstance(exc, ParseError | UnicodeDecodeError) or str(exc).startswith("XML element"):
        raise TemporaryError(f"{ref}: {NO_S3}") from exc
    if isinstance(exc, ValueError):  # minio-py's own check of a name
        raise PermanentError(f"{ref}: the store's client refuses it: {exc}") from exc
    raise error_for(ref, getattr(exc, "code", None) or "", exc) from exc
