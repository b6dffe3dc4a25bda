"""Answers of servers as they come: whole, cut off, in pieces, or not HTTP at all."""

import socket

import pytest
from penstock.delivery.http_connection import KEPT_BODY_BYTES

from tests.exchange import exchange, message, raw_server, reply


def test_connection_is_kept_for_the_next_message() -> None:
    def two(connection: socket.socket) -> None:
        for number in (1, 2):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    with raw_server(two) as url:
        answers = exchange(url, message(), message())
        assert [answer.body for answer in answers] == [b"1", b"2"]


def test_idle_connection_closed_by_the_server_is_replaced_unnoticed() -> None:
    ok = reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with raw_server(ok, ok) as url:
        assert [answer.status for answer in exchange(url, message(), message())] == [200, 200]


def test_chunked_answer_after_early_hints_is_read_whole() -> None:
    text = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with raw_server(reply(text)) as url:
        [answer] = exchange(url, message())
    assert (answer.status, answer.body) == (200, b"abcde")


def test_body_that_ends_with_the_connection_is_an_answer() -> None:
    with raw_server(reply(b"HTTP/1.1 422 Unprocessable\r\nConnection: close\r\n\r\nno")) as url:
        [answer] = exchange(url, message())
    assert (answer.status, answer.body) == (422, b"no")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"Content-Length: 0\r\n\r\n",
    ],
    ids=["nothing", "half a line", "half the headers", "half the body", "not HTTP", "too many headers"],
)
def test_broken_answer_is_no_answer(text: bytes) -> None:
    with raw_server(reply(text)) as url:
        [answer] = exchange(url, message())
    assert answer.status == 502
    assert answer.error


def test_long_answer_is_read_but_not_kept() -> None:
    body = b"x" * (KEPT_BODY_BYTES * 3)
    with raw_server(reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as url:
        [answer] = exchange(url, message())
    assert len(answer.body) == KEPT_BODY_BYTES
