"""MinIO lists unfinished uploads from memory: what `reconcile` cannot see after a restart, and what it can."""

from __future__ import annotations

from pathlib import Path

from minio import Minio

from tests.components import MinioServer

KEY = "a.csv.gz"


def listed(client: Minio, prefix: str | None = None) -> list[str | None]:
    """The keys of the unfinished uploads of the bucket."""
    return [upload.object_name for upload in client._list_multipart_uploads("processed", prefix=prefix).uploads]


def test_upload_of_before_a_restart_is_listed_by_its_whole_key_alone(tmp_path: Path) -> None:
    with MinioServer(tmp_path / "minio") as server:
        client = server.endpoint.client()
        client.make_bucket("processed")
        upload = client._create_multipart_upload("processed", KEY, {})
        assert listed(client) == [KEY]
        server.restart()
        client = server.endpoint.client()
        assert listed(client) == []
        assert listed(client, KEY) == [KEY]
        client._abort_multipart_upload("processed", KEY, upload)
        assert listed(client, KEY) == []
