"""A stream of MinIO's notifications, where something else answers."""

import pytest
from penstock.connect.minio.listen import minio_lines
from penstock.errors import TemporaryError
from penstock.settings.config import StoreSettings
from pytest_httpserver import HTTPServer


@pytest.mark.parametrize(
    ("body", "kind"),
    [("<html>Log in</html>", "text/html"), ('{"status": "ok"}', "application/json"), ("hello", "text/plain")],
)
def test_page_is_not_asked_for_again_and_again(httpserver: HTTPServer, body: str, kind: str) -> None:
    httpserver.expect_request("/upload").respond_with_data(body, content_type=kind)
    settings = StoreSettings(httpserver.url_for("").rstrip("/"), "a", "b")
    with pytest.raises(TemporaryError, match="is not an S3 server"):
        next(minio_lines(settings, "upload", ["s3:ObjectCreated:*"]))
    assert len(httpserver.log) == 1


def test_stream_of_minio_is_read(httpserver: HTTPServer) -> None:
    line = '{"Records": [{"eventName": "s3:ObjectCreated:Put"}]}\n'
    httpserver.expect_request("/upload").respond_with_data(line, content_type="text/event-stream")
    settings = StoreSettings(httpserver.url_for("").rstrip("/"), "a", "b")
    assert b"ObjectCreated" in next(minio_lines(settings, "upload", ["s3:ObjectCreated:*"]))
