"""Which kind of store answers, by what it calls itself."""

import doctest
import socket
import threading

import pytest
from penstock.settings.config import StoreSettings
from penstock.settings.table import STORES
from penstock.store import profile
from penstock.store.profile import answer_headers, profile_of
from pytest_httpserver import HTTPServer


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"Server": "MinIO"}, "minio"),
        ({"Server": "VERSITYGW"}, "versity"),
        ({"Server": "SeaweedFS 8000GB 4.48"}, "seaweedfs"),
        ({"Server": "AmazonS3"}, "aws"),
        ({"x-amz-request-id": "tx000000000000000000001-0056-4711-default"}, "ceph"),
        ({"Server": "nginx"}, "s3"),
        ({}, "s3"),
    ],
)
def test_store_is_known_by_what_it_calls_itself(headers: dict[str, str], name: str) -> None:
    assert profile_of(headers) == name
    assert name in STORES


def test_refusal_tells_it_too_and_no_answer_tells_nothing(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("no", status=403, headers={"x-amz-request-id": "tx0001"})
    assert profile_of(answer_headers(StoreSettings(httpserver.url_for("/"), "a", "b"))) == "ceph"
    assert answer_headers(StoreSettings("http://127.0.0.1:9", "a", "b")) == {}


def test_a_redirect_is_an_answer_and_not_followed(httpserver: HTTPServer) -> None:
    # AWS sends a request without a signature to its product page.
    leads = {"x-amz-request-id": "tx0001", "Location": httpserver.url_for("/page")}
    httpserver.expect_request("/").respond_with_data("", status=307, headers=leads)
    httpserver.expect_request("/page").respond_with_data("a page of a web server")
    assert profile_of(answer_headers(StoreSettings(httpserver.url_for("/"), "a", "b"))) == "ceph"
    assert [request.path for request, _ in httpserver.log] == ["/"]


def test_examples_in_the_documentation_hold() -> None:
    results = doctest.testmod(profile)
    assert (results.failed, results.attempted > 0) == (0, True)


def test_a_server_that_speaks_no_http_has_no_headers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert answer_headers(StoreSettings(endpoint, "a", "b")) == {}
        thread.join(10)
