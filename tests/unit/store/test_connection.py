"""Answers over a kept connection: the common form is read here, every other form as the standard library reads it."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from penstock.store.connection import BrokenAnswer, Method, StoreConnection

COMMON = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\nVary: Origin\r\nvary: Accept-Encoding\r\n\r\nhello'


@contextmanager
def server(*answers: bytes, requests: list[bytes] | None = None) -> Iterator[StoreConnection]:
    """A connection to a server that sends these bytes, each after one request, and then closes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                for answer in answers:
                    request = peer.recv(65536)
                    if requests is not None:
                        requests.append(request)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        host, port = listener.getsockname()
        connection = StoreConnection(host, port, None, connect_seconds=30, read_seconds=30)
        try:
            yield connection
        finally:
            connection.close()
            thread.join()


def everything(connection: StoreConnection, method: Method = "GET") -> tuple[int, dict[str, str], bytes, bool]:
    answer = connection.ask(method, "/upload/a", {})
    body = b""
    while data := answer.read(3):
        body += data
    return answer.status, dict(answer.headers), body, answer.is_reusable


def by_the_standard_library(raw: bytes, method: Method = "GET") -> tuple[int, dict[str, str], bytes]:
    class Given:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(Given(), method=method)  # type: ignore[arg-type]
    response.begin()
    headers = {name.lower(): value.strip(" \t") for name, value in response.getheaders()}
    return response.status, headers, response.read()


@pytest.mark.parametrize(
    ("raw", "method", "is_reusable"),
    [
        (COMMON, "GET", True),
        (COMMON.replace(b"hello", b""), "HEAD", True),
        (b"HTTP/1.1 404 Not Found\r\nX-Amz-Request-Id: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", True),
        (b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "GET", True),
        (COMMON.replace(b"Vary: Origin", b"Connection: Close"), "GET", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length:  5 \t\r\nX-Empty:\r\nX-Colons: a:b: c\r\n\r\nhello", "GET", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Amz-Meta-Name: caf\xe9\r\n\r\nhello", "GET", True),
        (b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "GET", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "GET", False),
        (b'HTTP/1.1 200 OK\r\nETag: "until the end"\r\n\r\nhello', "GET", False),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "GET", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Folded: a\r\n b\r\n\r\nhello", "GET", True),
        (b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", "GET", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + COMMON, "GET", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "GET", True),
    ],
)
def test_every_form_is_read_as_the_standard_library_reads_it(raw: bytes, method: Method, is_reusable: bool) -> None:
    with server(raw) as connection:
        status, headers, body, may_go_on = everything(connection, method)
    assert (status, headers, body) == by_the_standard_library(raw, method)
    assert may_go_on is is_reusable


def test_the_next_answer_comes_over_the_same_connection() -> None:
    requests: list[bytes] = []
    with server(COMMON, COMMON.replace(b"hello", b"there"), requests=requests) as connection:
        assert everything(connection)[2:] == (b"hello", True)
        answer = connection.ask("GET", "/upload/b?x=1", {"Host": "store:9000", "If-Match": '"é"'})
        assert answer.read(100) == b"there"
    assert requests[1] == 'GET /upload/b?x=1 HTTP/1.1\r\nHost: store:9000\r\nIf-Match: "é"\r\n\r\n'.encode("latin-1")


def test_a_head_in_many_pieces_is_read_whole() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.recv(65536)
                for byte in COMMON:
                    peer.sendall(bytes([byte]))

        thread = threading.Thread(target=serve)
        thread.start()
        host, port = listener.getsockname()
        connection = StoreConnection(host, port, None, connect_seconds=30, read_seconds=30)
        assert everything(connection)[::2] == (200, b"hello")
        connection.close()
        thread.join()


def test_more_than_the_answer_ends_the_connection() -> None:
    """What came too much would be taken for the answer to the next request."""
    with server(COMMON + b"HTTP/1.1 200 OK\r\n\r\n") as connection:
        assert everything(connection)[2:] == (b"hello", False)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_that_is_not_read_to_its_end_ends_the_connection(method: Method) -> None:
    with server(COMMON) as connection:
        answer = connection.ask(method, "/upload/a", {})
        assert not answer.is_reusable  # after HEAD, bytes came that no HEAD has


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"<html>\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 200_000,
    ],
)
def test_what_is_no_answer_is_a_broken_one(raw: bytes) -> None:
    with server(raw) as connection, pytest.raises(BrokenAnswer):
        connection.ask("GET", "/upload/a", {})


@pytest.mark.parametrize(
    "raw",
    [
        COMMON[:-1],
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
    ],
)
def test_a_body_that_ends_early_is_broken(raw: bytes) -> None:
    with server(raw) as connection, pytest.raises(BrokenAnswer):
        everything(connection)


def test_a_header_with_a_line_break_is_not_sent() -> None:
    requests: list[bytes] = []
    with server(COMMON, requests=requests) as connection:
        with pytest.raises(ValueError, match="line break"):
            connection.ask("GET", "/upload/a", {"If-Match": "a\r\nX-Other: b"})
        assert everything(connection)[2] == b"hello"
    assert len(requests) == 1
    assert b"X-Other" not in requests[0]
