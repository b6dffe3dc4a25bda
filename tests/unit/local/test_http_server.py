"""The server of the stack binds before it promises anything."""

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
    with pytest.raises(ConfigError, match=f"port {first.port} on 127.0.0.1 is in use; choose another with --there"):
        HttpServer(application, port=first.port, option="--there")
    first.stop()


def test_stopped_server_frees_its_port() -> None:
    first = HttpServer(application)
    first.start()
    first.stop()
    HttpServer(application, port=first.port).stop()
