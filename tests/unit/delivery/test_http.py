"""The HTTP sender against real sockets: pytest-httpserver where HTTP is right, a raw socket where it is not."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from penstock.delivery.deliverer import Message, TargetAnswer
from penstock.delivery.http import KEPT_BODY_BYTES, HttpTarget, HttpTransport
from penstock.errors import ConfigError, EventError
from penstock.events.signature import SignatureCheck
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


def exchange(
    url: str,
    *messages: Message,
    timeout_seconds: float = 5.0,
    headers: dict[str, str] | None = None,
    keys: tuple[bytes, ...] = (),
) -> list[TargetAnswer]:
    """Send messages one after the other over one transport."""

    async def run() -> list[TargetAnswer]:
        loop = asyncio.get_running_loop()
        target = HttpTarget("t", url, headers or {}, keys=keys)
        transport = HttpTransport(target, timeout_seconds=timeout_seconds, loop=loop)
        answers = []
        for message in messages:
            future: asyncio.Future[TargetAnswer] = loop.create_future()
            transport.send(message, future.set_result)
            answers.append(await future)
        transport.close()
        await asyncio.sleep(0)
        return answers

    return asyncio.run(run())


def message(value: bytes = b"body", **headers: str) -> Message:
    return Message("k", value, {name.replace("_", "-"): text for name, text in headers.items()}, "test")


@contextmanager
def raw_server(*scripts: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accept one connection per script, in order, and let the script speak on it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for script in scripts:
            connection, _ = listener.accept()
            with connection:
                script(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.close()
        thread.join(5)


def reply(text: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return script


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


def test_refused_connection_names_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [answer] = exchange(f"http://127.0.0.1:{port}/", message())
    assert answer.status == 502
    assert f"127.0.0.1:{port}" in (answer.error or "")


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


def test_long_answer_is_read_but_not_kept() -> None:
    body = b"x" * (KEPT_BODY_BYTES * 3)
    with raw_server(reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)) as url:
        [answer] = exchange(url, message())
    assert len(answer.body) == KEPT_BODY_BYTES


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"])
def test_header_cannot_break_out_of_its_line(value: str) -> None:
    with pytest.raises(EventError):
        exchange("http://127.0.0.1:9/", message(X_Kafka_Key=value))


@pytest.mark.parametrize("url", ["ftp://host/", "host:8080", "http:///path", "http://user:word@host/"])
def test_unusable_target_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match="target compress"):
        HttpTarget("compress", url)
