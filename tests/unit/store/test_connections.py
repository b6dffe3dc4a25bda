"""Many threads on one store: no connection is thrown away with a warning in a function's log."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from penstock.settings.config import StoreSettings
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

THREADS = 24


def test_more_threads_than_a_pool_keeps_by_default(caplog: pytest.LogCaptureFixture) -> None:
    together = threading.Barrier(THREADS)

    class Absent(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            together.wait(60)  # so each thread has a connection of its own
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.send_header("x-amz-request-id", "17A")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Absent) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = S3ObjectStore(StoreSettings(f"http://127.0.0.1:{server.server_address[1]}", "a", "b"))
        refs = [ObjectRef("upload", f"odd\n{number}") for number in range(THREADS)]
        with caplog.at_level(logging.WARNING), ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(store.head, refs)) == [None] * THREADS
        server.shutdown()
    assert [record.getMessage() for record in caplog.records] == []
