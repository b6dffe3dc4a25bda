"""The notifications of one bucket from MinIO itself, for looking.

The stream neither replays nor comes at once: builds since October 2025 hold it back in a 4 KB buffer.
"""

import json
import ssl
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException

from penstock.errors import TemporaryError
from penstock.settings.config import StoreSettings
from penstock.store.credentials import provider_of
from penstock.store.failures import NO_S3, error_for


class _Streams(urllib3.PoolManager):
    """Takes no page for a stream: minio-py would ask for it again and again, without a pause."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **more: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]
        answer = super().urlopen(method, url, redirect=redirect, **more)
        if answer.status == HTTPStatus.OK and not answer.headers.get("Content-Type", "").startswith(
            "text/event-stream"
        ):
            answer.release_conn()
            raise TemporaryError(f"{url.partition('?')[0]}: {NO_S3}")
        return answer


def minio_lines(
    settings: StoreSettings, bucket: str, events: Sequence[str], *, prefix: str = "", suffix: str = ""
) -> Iterator[bytes]:
    """The stream's lines, without end; its keys are raw, unlike those in every other notification.

    Raises `PermanentError` or `TemporaryError` when the server refuses it or goes away.
    """
    url = urlsplit(settings.endpoint)
    context = ssl.create_default_context(cafile=settings.ca_file) if url.scheme == "https" else None
    client = Minio(
        endpoint=url.netloc,
        credentials=provider_of(settings),
        secure=url.scheme == "https",
        region=settings.region,
        http_client=_Streams(ssl_context=context, timeout=urllib3.Timeout(connect=10, read=None)),
    )
    try:
        with client.listen_bucket_notification(
            bucket_name=bucket, prefix=prefix, suffix=suffix, events=tuple(events)
        ) as stream:
            for found in stream:
                yield json.dumps(found).encode()
    except (MinioException, urllib3.exceptions.HTTPError) as exc:
        subject = f"MINIO_ENDPOINT={settings.endpoint}: bucket {bucket}"
        raise error_for(subject, getattr(exc, "code", None) or "", exc) from exc
