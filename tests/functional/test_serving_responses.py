"""Errors of the machine and of the store have their right class, and are not taken for the handler's fault."""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, PermanentError, Result, TemporaryError
from penstock.errors import PenstockError
from penstock.settings.config import StoreSettings
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.functional.test_app import notification, serve
from tests.lake import Lake

Handle = Callable[[Event[Any], Context[Any]], Result]


def fill_the_disk(_event: Event[Any], _context: Context[Any]) -> Result:
    """What a handler does that writes to a full disk."""
    Path("/dev/full").write_bytes(b"x")
    return Result(b"")


def fill_it_within_a_library(event: Event[Any], context: Context[Any]) -> Result:
    """Libraries raise errors of their own over it."""
    try:
        return fill_the_disk(event, context)
    except OSError as exc:
        raise RuntimeError("encoder failed") from exc


def fill_it_while_the_result_is_written(_event: Event[Any], _context: Context[Any]) -> Result:
    def chunks() -> Any:
        yield b"x"
        Path("/dev/full").write_bytes(b"x")

    return Result(chunks())


@pytest.mark.parametrize("handle", [fill_the_disk, fill_it_within_a_library, fill_it_while_the_result_is_written])
def test_full_disk_is_a_503_that_names_the_disk_and_the_remedy(handle: Handle) -> None:
    lake = Lake(handle)
    lake.put(b"one")
    client = serve(lake)
    for response in (client.post("/event", json=notification("a.txt")), client.post("/", data=b"one")):
        assert response.status_code == 503
        assert response.json is not None
        assert response.json["error"] == "TemporaryError"
        assert "no space is left on the disk at /" in response.json["reason"]
        assert "sizeLimit" in response.json["reason"]
    assert lake.keys() == []


def need_a_temporary_file(_event: Event[Any], _context: Context[Any]) -> Result:
    with tempfile.TemporaryFile():
        return Result(b"made")


def test_no_folder_for_temporary_files_is_a_503_with_the_same_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python says so where each folder that it tries is full or read-only, as in a pod with a full /tmp."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/none"])
    lake = Lake(need_a_temporary_file)
    lake.put(b"one")
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert response.status_code == 503
    assert response.json is not None
    assert "temporary files have no place" in response.json["reason"]
    assert "sizeLimit" in response.json["reason"]


def test_other_error_of_the_system_keeps_its_incident() -> None:
    def fail(_event: Event[Any], _context: Context[Any]) -> Result:
        raise OSError(errno.EIO, "input/output error")

    lake = Lake(fail)
    lake.put(b"one")
    response = serve(lake).post("/event", json=notification("a.txt"))
    assert response.status_code == 500
    assert response.json is not None
    assert re.fullmatch("[0-9a-f]{12}", response.json["incident"])


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidPart", TemporaryError),
        (403, "AccessDenied", TemporaryError),
        (400, "EntityTooLarge", PermanentError),
        (404, "NoSuchUpload", TemporaryError),
        (500, "InternalError", TemporaryError),
        (200, "InternalError", TemporaryError),  # S3 may begin a 200 and then find that it failed
    ],
)
def test_completion_that_the_store_refuses_has_the_class_of_its_code(
    httpserver: HTTPServer, status: int, code: str, error: type[PenstockError]
) -> None:
    def answer(request: Request) -> Response:
        if request.method == "POST" and "uploads" in request.args:
            text = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            return Response(text, content_type="application/xml")
        if request.method == "PUT":
            return Response("", headers={"ETag": '"e"'})
        if request.method == "POST":
            return Response(f"<Error><Code>{code}</Code><Message>no</Message></Error>", status)
        return Response("", 204)

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    store = S3ObjectStore(StoreSettings(httpserver.url_for("").rstrip("/"), "reader", "secret"))
    with pytest.raises(error) as caught:
        store.put(ObjectRef("processed", "a"), [b"x" * 6_000_000] * 2, content_type="text/plain", metadata={})
    assert type(caught.value) is error
    assert str(caught.value).startswith("s3://processed/a: ")
