"""Answers of servers as they come: whole, cut off, in pieces, or not HTTP at all."""

import asyncio
import socket
import threading
from contextlib import suppress

import pytest
from penstock.delivery.deliverer import TargetAnswer
from penstock.delivery.http import HttpTarget, HttpTransport
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


_BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("behind", [_OK[:end] for end in range(1, len(_OK) + 1)])
def test_bytes_behind_an_answer_are_no_part_of_it(behind: bytes) -> None:
    """An event whose refusal was followed by a second answer counted as delivered, or as a dead letter."""
    with raw_server(reply(_BUSY + behind), reply(_OK)) as url:
        first, second = exchange(url, message(), message())
    assert (first.status, first.body, first.error) == (503, b"busy", None)
    assert (second.status, second.body) == (200, b"ok")


def test_body_that_no_content_may_have_leaves_the_event_delivered() -> None:
    with raw_server(reply(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nno")) as url:
        [answer] = exchange(url, message())
    assert (answer.status, answer.error) == (204, None)


def test_second_answer_to_one_message_is_not_that_of_the_next_message() -> None:
    go, said = threading.Event(), threading.Event()

    def twice(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(_OK)
        go.wait(30)
        connection.sendall(_OK)
        said.set()
        with suppress(ConnectionResetError):  # it is closed with bytes that were not read
            connection.recv(65536)

    async def run(url: str) -> list[TargetAnswer]:
        loop = asyncio.get_running_loop()
        transport = HttpTransport(HttpTarget("t", url), timeout_seconds=5, loop=loop)
        first: asyncio.Future[TargetAnswer] = loop.create_future()
        transport.send(message(), first.set_result)
        answers = [await first]
        go.set()
        said.wait(30)  # the loop stands still, so these bytes wait in the connection
        second: asyncio.Future[TargetAnswer] = loop.create_future()
        transport.send(message(), second.set_result)
        answers.append(await second)
        transport.close()
        await asyncio.sleep(0)
        return answers

    with raw_server(twice, reply(_BUSY)) as url:
        answers = asyncio.run(run(url))
    assert [answer.status for answer in answers] == [200, 503]
