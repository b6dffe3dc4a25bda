"""The load generator fails when the server does: what it measures is the time of answers that are right."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from bench.load import post_all

DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"


class Server:
    """Takes one connection and gives the same answer to each request; b"" closes the connection instead."""

    def __init__(self, listener: socket.socket) -> None:
        self.answer = DONE
        self.heard: list[bytes] = []
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._listener = listener
        self.thread = Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while request := connection.recv(1 << 16):
                self.heard.append(request.partition(b"\r\n\r\n")[2])
                if not self.answer:
                    return
                connection.sendall(self.answer)


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Server(listener)
        yield made
        made.thread.join(30)


def test_every_body_is_posted_once(server: Server) -> None:
    bodies = [b"%d" % number for number in range(20)]
    assert post_all(server.url, bodies, connections=1) > 0
    assert server.heard == bodies


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "204"),
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "500"),
        (b"", "closed the connection"),
    ],
    ids=["without a length", "failed", "cut"],
)
def test_answer_that_is_not_right_is_told(server: Server, answer: bytes, told: str) -> None:
    server.answer = answer
    with pytest.raises(RuntimeError, match=told):
        post_all(server.url, [b"1", b"2"], connections=1)
