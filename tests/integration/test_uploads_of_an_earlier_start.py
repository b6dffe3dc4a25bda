"""MinIO lists unfinished uploads from memory: what `reconcile` cannot see after a restart, and what it can."""

from __future__ import annotations

from pathlib import Path

from tests.components import MinioServer

KEY = "a.csv.gz"


def test_upload_of_before_a_restart_is_listed_by_its_whole_key_alone(tmp_path: Path) -> None:
    with MinioServer(tmp_path / "minio") as server:
        client = server.endpoint.client()
        client.make_bucket("processed")
        upload = client.begin_upload("processed", KEY)
        assert client.unfinished("processed") == [KEY]
        server.restart()
        client = server.endpoint.client()
        assert client.unfinished("processed") == []
        assert client.unfinished("processed", KEY) == [KEY]
        client.abort_upload("processed", KEY, upload)
        assert client.unfinished("processed", KEY) == []
