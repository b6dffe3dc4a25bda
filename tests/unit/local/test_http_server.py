"""The server of the stack binds before it promises anything."""

import socket
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from penstock.errors import ConfigError
from penstock.local.http_server import HttpServer


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["RAW_URI"].encode()]


def test_path_arrives_as_it_was_sent() -> None:
    server = HttpServer(application)
    server.start()
    with urllib.request.urlopen(f"{server.url}/a%2Fb//c?x=%20") as response:
        assert response.read() == b"/a%2Fb//c?x=%20"
    server.stop()


def test_taken_port_is_a_clear_error() -> None:
    first = HttpServer(application)
    other = f"--there {first.port % 65000 + 1}"
    with pytest.raises(
        ConfigError,
        match=f"port {first.port} on 127.0.0.1 is in use; choose another, such as {other}, with make: ARGS='{other}'",
    ):
        HttpServer(application, port=first.port, option="--there")
    first.stop()


def test_stopped_server_frees_its_port() -> None:
    first = HttpServer(application)
    first.start()
    first.stop()
    HttpServer(application, port=first.port).stop()


@pytest.mark.parametrize("value", ["attachment; filename=日本語.jpg", "\ud800"])
def test_a_header_that_cannot_be_sent_is_a_500_and_ends_the_connection(value: str) -> None:
    def with_name(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Disposition", value)])
        return [b"bytes"]

    server = HttpServer(with_name)
    server.start()
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))  # ends only when the server closes
    server.stop()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"Content-Disposition" not in answer


def test_an_application_that_fails_in_the_middle_ends_the_connection() -> None:
    def fails(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "100")])
        yield b"half"
        raise RuntimeError("here")

    server = HttpServer(fails)
    server.start()
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    server.stop()
    assert b"half" in answer
