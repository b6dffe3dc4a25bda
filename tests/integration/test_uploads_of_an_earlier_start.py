"""MinIO lists unfinished uploads from memory: what `reconcile` cannot see after a restart, and what it can."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.components import MinioServer
from tests.waiting import wait_until

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


def test_upload_whose_caller_left_may_be_listed_by_its_whole_key_alone(tmp_path: Path) -> None:
    """MinIO writes such an upload, and does not note it when the connection is gone by then."""
    with MinioServer(tmp_path / "minio") as server:
        client = server.endpoint.client()
        client.make_bucket("processed")

        def is_hidden() -> bool:
            for pause in range(100):
                url = urlsplit(client.get_presigned_url("POST", "processed", KEY, extra_query_params={"uploads": ""}))
                request = f"POST {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 0\r\n\r\n"
                with socket.create_connection((url.hostname or "", url.port or 0)) as caller:
                    caller.sendall(request.encode())
                    time.sleep(pause / 25_000)
                    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(0.5)  # those under way are noted by then
            return len(client.unfinished("processed", KEY)) > len(client.unfinished("processed"))

        # Of a whole key MinIO lists what is on its disk.
        wait_until(is_hidden, "an upload that the listing of its bucket has not")
