"""The HTTP sender against real sockets: pytest-httpserver where HTTP is right, a raw socket where it is not."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest
from penstock.delivery.deliverer import TargetAnswer
from penstock.delivery.http import HttpTarget, HttpTransport
from penstock.errors import ConfigError, EventError
from penstock.events.signature import SignatureCheck
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.exchange import exchange, message, raw_server, unanswered_address


def test_with_keys_each_attempt_is_signed_with_its_own_time_and_id(httpserver: HTTPServer) -> None:
    keys = (b"n" * 32, b"o" * 32)
    taken: list[tuple[bytes, str]] = []

    def check(request: Request) -> Response:
        for key in keys:
            body = b"".join(SignatureCheck([key]).checked(request.headers.get, [request.data]))
        taken.append((body, request.headers["webhook-id"]))
        return Response()

    httpserver.expect_request("/").respond_with_handler(check)
    answers = exchange(httpserver.url_for("/"), message(b"one"), message(b"one"), keys=keys)
    assert [answer.status for answer in answers] == [200, 200]
    assert [body for body, _ in taken] == [b"one", b"one"]
    assert len({made for _, made in taken}) == 2


def test_a_token_that_another_program_renews_is_read_again(httpserver: HTTPServer, tmp_path: Path) -> None:
    seen: list[str] = []
    file = tmp_path / "token"
    file.write_text("first\n")

    def record(request: Request) -> Response:
        seen.append(request.headers["Authorization"])
        file.write_text("second\n")
        return Response()

    httpserver.expect_request("/").respond_with_handler(record)

    async def run() -> list[TargetAnswer]:
        loop = asyncio.get_running_loop()
        now = loop.time()
        target = HttpTarget("t", httpserver.url_for("/"), token_file=file)
        transport = HttpTransport(target, timeout_seconds=5.0, loop=loop)
        answers = []
        for _ in range(2):
            future: asyncio.Future[TargetAnswer] = loop.create_future()
            transport.send(message(), future.set_result)
            answers.append(await future)
            # A minute later.
            loop.time = lambda: now + 60  # type: ignore[method-assign]
        file.unlink()
        loop.time = lambda: now + 120  # type: ignore[method-assign]
        gone: asyncio.Future[TargetAnswer] = loop.create_future()
        transport.send(message(), gone.set_result)
        answers.append(await gone)
        transport.close()
        return answers

    answers = asyncio.run(run())
    assert seen == ["Bearer first", "Bearer second"]
    assert [answer.status for answer in answers] == [200, 200, 503]
    assert "cannot be read" in str(answers[2].error)


def test_keys_of_a_target_are_in_no_repr() -> None:
    assert "kkkk" not in repr(HttpTarget("t", "http://here/", keys=(b"k" * 32,)))


def test_message_arrives_as_post_with_its_headers_and_body(httpserver: HTTPServer) -> None:
    seen: list[tuple[str, bytes, dict[str, str]]] = []

    def record(request: Request) -> Response:
        seen.append((request.full_path, request.data, dict(request.headers)))
        return Response(b'{"ok": true}', content_type="application/json")

    httpserver.expect_request("/function/compress", method="POST").respond_with_handler(record)
    [answer] = exchange(
        httpserver.url_for("/function/compress?a=1"), message(b"\x00\xff", X_Topic="upload"), headers={"X-Static": "s"}
    )
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b'{"ok": true}', "application/json")
    [(path, body, headers)] = seen
    assert (path, body) == ("/function/compress?a=1", b"\x00\xff")
    assert (headers["X-Topic"], headers["X-Static"], headers["Content-Length"]) == ("upload", "s", "2")


def test_redirect_is_reported_not_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/from").respond_with_data(b"", 302, {"Location": "/to"})
    httpserver.expect_request("/to").respond_with_data(b"ok")
    [answer] = exchange(httpserver.url_for("/from"), message())
    assert (answer.status, answer.headers["location"]) == (302, "/to")
    assert [request.path for request, _ in httpserver.log] == ["/from"]


def test_refused_connection_names_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [answer] = exchange(f"http://127.0.0.1:{port}/", message())
    assert answer.status == 502
    assert f"127.0.0.1:{port}" in (answer.error or "")


def test_a_target_that_takes_no_connection_does_not_take_the_whole_time_of_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("penstock.delivery.http.CONNECT_SECONDS", 0.2, raising=False)
    with unanswered_address() as (host, port):
        [answer] = exchange(f"http://{host}:{port}/", message(), timeout_seconds=20.0)
    assert answer.status == 502
    assert answer.error == f"cannot connect to {host}:{port}: no connection within 0.2 seconds"


def test_the_other_address_of_a_name_is_tried_when_the_first_one_is_silent(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data(b"ok")

    async def run(silent: tuple[str, int]) -> TargetAnswer:
        loop = asyncio.get_running_loop()

        async def two_addresses(*_: object, **__: object) -> list[object]:
            addresses = (silent, ("127.0.0.1", httpserver.port))
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", each) for each in addresses]

        loop.getaddrinfo = two_addresses  # type: ignore[method-assign, assignment]
        transport = HttpTransport(HttpTarget("t", "http://two.example/"), timeout_seconds=20.0, loop=loop)
        future: asyncio.Future[TargetAnswer] = loop.create_future()
        transport.send(message(), future.set_result)
        answer = await future
        transport.close()
        return answer

    with unanswered_address() as silent:
        answer = asyncio.run(run(silent))
    assert (answer.status, answer.body, answer.error) == (200, b"ok", None)


def test_silence_ends_in_a_time_out() -> None:
    release = threading.Event()

    def silent(connection: socket.socket) -> None:
        connection.recv(65536)
        release.wait(5)

    with raw_server(silent) as url:
        [answer] = exchange(url, message(), timeout_seconds=0.05)
        release.set()
    assert answer.status == 504
    assert "0.05 seconds" in (answer.error or "")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"])
def test_header_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(EventError):
        exchange("http://127.0.0.1:9/", message(X_Kafka_Key=value))


@pytest.mark.parametrize("url", ["ftp://host/", "host:8080", "http:///path", "http://user:word@host/"])
def test_unusable_target_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match="target compress"):
        HttpTarget("compress", url)
