"""An object store over HTTP, configured by the environment as on a command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from penstock.local.store.minio import make_buckets
from penstock.local.store.server import EmbeddedStore
from penstock.store.s3 import S3ObjectStore


@pytest.fixture(name="store")
def store_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3ObjectStore]:
    """A served store with the buckets `upload` and `processed`, which MINIO_ENDPOINT names."""
    server = EmbeddedStore(
        access_key="penstock", secret_key="penstock-secret", notify=lambda *_: None, wanted=lambda *_: False
    )
    server.start()
    make_buckets(server.settings, ["upload", "processed"])
    monkeypatch.setenv("MINIO_ENDPOINT", server.settings.endpoint)
    monkeypatch.setenv("MINIO_ACCESS_KEY", server.settings.access_key)
    monkeypatch.setenv("MINIO_SECRET_KEY", server.settings.secret_key)
    yield S3ObjectStore(server.settings)
    server.stop()
