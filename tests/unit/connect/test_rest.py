"""A request to a gateway: its answer, and errors that name the server."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from penstock.connect.rest import check_url, get, send
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


ASKED: list[Callable[[str], object]] = [
    lambda url: get(url, what="gateway", headers={"Authorization": "Basic x"}),
    lambda url: send("GET", url, what="gateway", headers={"Authorization": "Basic x"}),
    lambda url: send("POST", url, what="gateway", headers={"Authorization": "Basic x"}, body=b"{}"),
]


@pytest.mark.parametrize("ask", ASKED, ids=["get", "send", "post"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_takes_no_password_elsewhere(
    httpserver: HTTPServer, ask: Callable[[str], object], status: int
) -> None:
    elsewhere = httpserver.url_for("/elsewhere")
    httpserver.expect_request("/a").respond_with_data(b"", status=status, headers={"Location": elsewhere})
    httpserver.expect_request("/elsewhere").respond_with_data(b"{}")
    with pytest.raises(TemporaryError, match=f"answered {status} and leads to '{elsewhere}'.*give it instead"):
        ask(httpserver.url_for("/a"))
    assert [request.path for request, _ in httpserver.log] == ["/a"]


@contextmanager
def answering(said: bytes) -> Iterator[str]:
    """A server that reads one head and says this, whatever it is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as request:
                while request.readline().strip():
                    pass
                connection.sendall(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(10)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
    ids=["nothing", "another protocol", "half", "half of an error", "no chunk", "half a chunk", "many headers"],
)
@pytest.mark.parametrize("ask", ASKED[:2], ids=["get", "send"])
def test_what_is_no_whole_answer_is_temporary_and_names_the_server(said: bytes, ask: Callable[[str], object]) -> None:
    with answering(said) as url, pytest.raises(TemporaryError, match="gateway http://"):
        ask(url)


@pytest.mark.parametrize("query", ["?q=a b", "?q=é", "?q=\x01"])
def test_an_address_that_cannot_be_sent_is_temporary_and_named(query: str) -> None:
    with pytest.raises(TemporaryError, match="gateway http://"):
        send("GET", f"http://127.0.0.1:9/{query}", what="gateway", headers={})
