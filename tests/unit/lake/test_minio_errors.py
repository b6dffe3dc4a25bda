"""Refusals, other servers and pages in between become clear errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

import pytest
from minio.error import MinioAdminException
from penstock.errors import ConfigError, TemporaryError
from penstock.lake.minio_buckets import Buckets
from penstock.lake.minio_errors import error_from
from penstock.settings.config import StoreSettings
from werkzeug import Response

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer

SETTINGS = StoreSettings("https://minio.example:9000", "lake-admin", "secret")


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        ('{"Code":"AccessDenied","Message":"no"}', ConfigError, "refuses lake-admin .AccessDenied: no.; check MINIO_"),
        ('{"Code":"XMinioServerNotInitialized","Message":"wait"}', TemporaryError, "wait"),
        ('{"Code":"XMinioAdminConfigBadJSON","Message":"bad"}', ConfigError, "XMinioAdminConfigBadJSON: bad"),
        ("<html>", ConfigError, "Status: 400, Body: <html>"),
    ],
)
def test_a_refusal_names_the_server_and_its_reason(body: str, kind: type[Exception], expected: str) -> None:
    error = error_from(SETTINGS, "admin:ConfigUpdate", MinioAdminException("400", body))

    with pytest.raises(kind, match=expected):
        raise error
    assert str(error).startswith("https://minio.example:9000: ")


@pytest.mark.parametrize("failure", [OSError("insufficient data"), ParseError("syntax error"), ValueError("no")])
def test_an_answer_that_is_not_of_minio_is_not_called_a_server_that_cannot_be_reached(failure: Exception) -> None:
    error = error_from(SETTINGS, "admin:ServerInfo", failure)
    assert isinstance(error, TemporaryError)
    assert "answers, but not as MinIO's admin API does" in str(error)
    gone = error_from(SETTINGS, "admin:ServerInfo", ConnectionRefusedError(111, "Connection refused"))
    assert "nothing listens there" in str(gone)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Status: 302, Body: ", "answers, but not as MinIO's admin API does"),
        ('Status: 401, Body: {"error": "unauthorized"}', "answers, but not as MinIO's admin API does"),
        ("Status: 404, Body: <html>not found</html>", "answers, but not as MinIO's admin API does"),
        ("Status: 500, Body: <html>oops</html>", "it answered 500 and no error of MinIO; see its log"),
        ('{"Code": "RequestTimeTooSkewed", "Message": "too large"}', "clock and the store's differ too much"),
        ('{"Code": "AuthorizationHeaderMalformed", "Message": "expecting eu-1"}', "MINIO_REGION must be eu-1"),
    ],
)
def test_another_servers_answer_to_an_admin_request_is_told_in_words(answer: str, text: str) -> None:
    code, body = answer.partition(", Body: ")[::2] if answer.startswith("Status") else ("400", answer)
    error = error_from(SETTINGS, "admin:ServerInfo", MinioAdminException(code.removeprefix("Status: "), body))
    assert isinstance(error, TemporaryError)
    assert text in str(error)
    assert "admin request failed" not in str(error)


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_a_page_in_place_of_a_list_of_buckets_is_told_in_words(httpserver: HTTPServer, status: int) -> None:
    page = Response("<html>Console</html>", status, content_type="text/html")
    httpserver.expect_request(re.compile(".*")).respond_with_response(page)
    with pytest.raises(TemporaryError, match=r"not an S3 server|it answered 500 and no error of MinIO") as caught:
        Buckets(StoreSettings(httpserver.url_for("").rstrip("/"), "a", "b")).names()
    assert "non-XML" not in str(caught.value)
