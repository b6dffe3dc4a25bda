"""A presigned URL is taken apart, and only the configured store's is read."""

from __future__ import annotations

import pytest
from penstock.errors import EventError, Forbidden, PenstockError, TemporaryError
from penstock.settings.config import StoreSettings
from penstock.store.presigned import PresignedObjects
from penstock.types import ObjectRef

from tests.served import free_port

STORE = PresignedObjects(StoreSettings("https://minio.example", "a", "s"), ("http://127.0.0.1:9000",))
SIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=1"


@pytest.mark.parametrize("place", ["https://minio.example", "https://minio.example:443", "http://127.0.0.1:9000"])
def test_url_of_the_store_by_each_of_its_names(place: str) -> None:
    found = STORE.read(f"{place}/upload/a%2Bb/%E6%97%A5.txt?{SIGNED}")
    assert found.ref == ObjectRef("upload", "a+b/日.txt")
    assert found.target == f"/upload/a%2Bb/%E6%97%A5.txt?{SIGNED}"
    assert (found.host, found.has_version) == (place.partition("://")[2], False)


def test_version_is_seen() -> None:
    assert STORE.read(f"https://minio.example/upload/a?versionId=1&{SIGNED}").has_version


@pytest.mark.parametrize(
    ("url", "error", "problem"),
    [
        (f"http://minio.example/upload/a?{SIGNED}", Forbidden, "STORE_URLS"),
        (f"https://minio.example:444/upload/a?{SIGNED}", Forbidden, "STORE_URLS"),
        (f"https://minio.example.evil.example/upload/a?{SIGNED}", Forbidden, "STORE_URLS"),
        (f"https://minio.example@evil.example/upload/a?{SIGNED}", Forbidden, "STORE_URLS"),
        (f"http://169.254.169.254/latest/meta-data?{SIGNED}", Forbidden, "STORE_URLS"),
        (f"https:///upload/a?{SIGNED}", Forbidden, "STORE_URLS"),
        (f"https://minio.example\\@evil.example/upload/a?{SIGNED}", Forbidden, "STORE_URLS"),
        (f"https://minio.example/UPLOAD/a?{SIGNED}", EventError, "as S3 names buckets"),
        (f"https://minio.example//upload/a?{SIGNED}", EventError, "as S3 names buckets"),
        (f"https://minio.example/upload/?{SIGNED}", EventError, "is empty"),
        (f"https://minio.example/upload/a/%2E%2E/b?{SIGNED}", EventError, "segment"),
        (f"https://minio.example/upload/a?{SIGNED}&tagging=", EventError, "'tagging'"),
        ("https://minio.example/upload/a", EventError, "not a presigned URL"),
        (f"https://[minio/upload/a?{SIGNED}", EventError, "not a URL"),
        (f"https://minio.example/upload/a b?{SIGNED}", EventError, "not a URL"),
    ],
)
def test_any_other_url_is_refused(url: str, error: type[PenstockError], problem: str) -> None:
    with pytest.raises(error, match=problem):
        STORE.read(url)


def test_store_that_does_not_answer_is_temporary() -> None:
    place = f"http://127.0.0.1:{free_port()}"
    store = PresignedObjects(StoreSettings(place, "a", "s"))
    with pytest.raises(TemporaryError, match="does not answer"):
        store.open(store.read(f"{place}/upload/a?{SIGNED}"))
