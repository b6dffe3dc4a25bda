"""A request to a gateway: its answer, and errors that name the server."""

import pytest
from penstock.connect.rest import check_url, get
from penstock.errors import ConfigError, TemporaryError
from pytest_httpserver import HTTPServer


def test_the_body_of_the_answer_comes_back_and_headers_are_sent(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a", headers={"Authorization": "Basic x"}).respond_with_data(b'{"a": 1}')
    assert get(httpserver.url_for("/a"), what="gateway", headers={"Authorization": "Basic x"}) == b'{"a": 1}'


def test_an_error_status_is_temporary_and_names_the_server(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data(b"no", status=401)
    with pytest.raises(TemporaryError, match=r"gateway http://.*/a: .*401.*check the address and basic-auth"):
        get(httpserver.url_for("/a"), what="gateway", headers={})


def test_a_server_that_is_down_is_temporary_and_named() -> None:
    with pytest.raises(TemporaryError, match=r"gateway http://127\.0\.0\.1:9/"):
        get("http://127.0.0.1:9/", what="gateway", headers={})


@pytest.mark.parametrize("url", ["gateway:8080", "ftp://gateway", "file:///etc/passwd", ""])
def test_another_scheme_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected http://HOST:PORT or https://HOST:PORT"):
        check_url(url, "gateway")


def test_http_and_https_are_taken() -> None:
    check_url("http://gateway:8080", "gateway")
    check_url("https://gateway", "gateway")
