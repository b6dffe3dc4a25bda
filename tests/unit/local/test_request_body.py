"""Bodies whose end is told twice, wrongly or not at all: the local servers refuse them, and read no more than came."""

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from penstock.errors import PenstockError
from penstock.local.http_server import HttpServer

LENGTH, CHUNKED = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"


def reading(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with the body, or with what was wrong with it."""
    stream = environ["wsgi.input"]
    try:
        if environ.get("wsgi.input_terminated"):
            body = b"".join(iter(lambda: stream.read(1000), b""))
        else:
            body = stream.read(int(environ["CONTENT_LENGTH"]))
        status = "200 OK"
    except PenstockError as exc:
        status, body = f"{int(exc.status)} No", str(exc).encode()
    start_response(status, [("Content-Type", "text/plain")])
    return [body]


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    server = HttpServer(reading)
    server.start()
    yield server.host, server.port
    server.stop()


def answer(address: tuple[str, int], fields: bytes, body: bytes, version: bytes = b"1.1") -> tuple[int, bytes]:
    """Status and body of the answer to a POST that ends after `body`."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"POST / HTTP/%b\r\nHost: localhost\r\n" % version + fields + b"\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            head, _, text = stream.read().partition(b"\r\n\r\n")
    assert b"<html" not in text.lower()
    if b"chunked" in head.lower():
        text = text.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    return int(head.split()[1]), text


@pytest.mark.parametrize(
    "fields",
    [
        LENGTH + CHUNKED,
        CHUNKED + LENGTH,
        LENGTH + b"Content-Length: 4\r\n",
        LENGTH + LENGTH,
        CHUNKED + CHUNKED,
        b"X-A: b\r\n c\r\n" + LENGTH,
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"Content-Length : 5\r\n",
        b"no name\r\n" + LENGTH,
        b"no name\r\nContent-Type: multipart/form-data; boundary=x\r\n" + LENGTH,
        b"Content-Type: multipart/form-data\r\nno name\r\n" + LENGTH,
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: \xd9\xa1\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
    ],
)
def test_a_body_whose_end_is_told_twice_or_wrongly_is_a_400(address: tuple[str, int], fields: bytes) -> None:
    assert answer(address, fields, b"5\r\na,b,c\r\n0\r\n\r\n")[0] == 400


@pytest.mark.parametrize("kind", [b"multipart/form-data", b"multipart/mixed; boundary=x", b"message/rfc822"])
def test_a_head_that_names_parts_is_no_malformed_one(address: tuple[str, int], kind: bytes) -> None:
    assert answer(address, b"Content-Type: " + kind + b"\r\n" + LENGTH, b"a,b,c") == (200, b"a,b,c")


def test_chunks_are_of_http_1_1_only(address: tuple[str, int]) -> None:
    assert answer(address, CHUNKED, b"5\r\na,b,c\r\n0\r\n\r\n", b"1.0")[0] == 400


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"5\r\na,b,c\r\n0\r\n\r\n", 200, b"a,b,c"),
        (b"2;x=1\r\na,\r\n3 \r\nb,c\r\n00;last\r\nX-Sum: 1\r\n\r\n", 200, b"a,b,c"),
        (b"7D0\r\n" + b"a" * 2000 + b"\r\n0\r\n\r\n", 200, b"a" * 2000),
        (b"", 503, b"broke off"),
        (b"5\r\na,b", 503, b"broke off"),
        (b"5\r\na,b,c\r\n", 503, b"broke off"),
        (b"5\r\na,b,c\r\n0\r\n", 503, b"broke off"),
        (b"fffffffffffffff\r\n" + b"a" * 3000, 503, b"broke off"),
        (b"f" * 16 + b"\r\na,b,c", 400, b"not the length of a chunk"),
        (b"-5\r\na,b,c\r\n0\r\n\r\n", 400, b"not the length of a chunk"),
        (b"+5\r\na,b,c\r\n0\r\n\r\n", 400, b"not the length of a chunk"),
        (b"0x5\r\na,b,c\r\n0\r\n\r\n", 400, b"not the length of a chunk"),
        (b"0_5\r\na,b,c\r\n0\r\n\r\n", 400, b"not the length of a chunk"),
        (b"5\na,b,c\r\n0\r\n\r\n", 400, b"not the length of a chunk"),
        (b"5;a\rb\r\na,b,c\r\n0\r\n\r\n", 400, b"not the length of a chunk"),
        (b"5;" + b"a" * 5000 + b"\r\na,b,c\r\n0\r\n\r\n", 400, b"4096 bytes"),
        (b"4\r\na,b,c\r\n0\r\n\r\n", 400, b"longer than it said"),
        (b"5\r\na,b,c\r\n0\r\n" + b"X: 1\r\n" * 200 + b"\r\n", 400, b"trailers"),
    ],
)
def test_chunks_are_read_as_they_were_sent_or_refused(
    address: tuple[str, int], body: bytes, status: int, said: bytes
) -> None:
    found, text = answer(address, CHUNKED, body)
    assert found == status
    assert said in text
    assert status != 200 or text == said
