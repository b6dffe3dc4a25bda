"""Who may see the console of a lake elsewhere, and what it passes on to functions."""

import socket
from collections.abc import Iterator
from itertools import product

import pytest
from penstock.connect.rest import ServerAnswer
from penstock.local.gateway.access import Access

from tests.remote_console import LOGIN, RemoteConsole
from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running


@pytest.fixture(name="console")
def console_fixture(bench: Bench) -> Iterator[RemoteConsole]:
    gateway = Running(bench, bench.functions(bench.spec(SOURCE="s3://upload/*", SINK="s3://processed/{key}")), Access())
    console = RemoteConsole(gateway, bridge=False)
    yield console
    console.close()
    gateway.close()


@pytest.mark.parametrize("path", ["/ui/", "/ui/state", "/ui/folder?bucket=upload", "/function/echo/?q=a", "/ui/feed"])
def test_every_route_asks_for_the_password(console: RemoteConsole, path: str) -> None:
    assert console.request("GET", path, Authorization="Basic YWRtaW46d3Jvbmc=").status == 401
    assert console.request("GET", path, Host="elsewhere.example").status == 403


def test_the_page_and_the_probe_are_there(console: RemoteConsole) -> None:
    assert console.request("GET", "/healthz", Authorization="").status == 200
    page = console.request("GET", "/ui/")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert console.request("GET", "/").headers["Location"] == "/ui/"


def test_a_search_is_passed_on_and_its_answer_is_never_a_page(console: RemoteConsole) -> None:
    answer = console.request("GET", "/function/echo/?q=a%20b&limit=2", Authorization=LOGIN)
    assert answer.json["path"] == "/?q=a%20b&limit=2"
    assert "authorization" not in answer.json["headers"], "the console's password is not the function's business"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


PAGE = b"<script>fetch('/ui/state')</script>"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("text/html", "text/plain; charset=utf-8"),
        ("text/html; charset=json", "text/plain; charset=utf-8"),
        ("image/svg+xml; json", "text/plain; charset=utf-8"),
        ("text/x+json", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("Application/CloudEvents+json; charset=utf-8", "application/json"),
    ],
)
def test_no_content_type_of_a_function_makes_its_answer_a_page(
    console: RemoteConsole, monkeypatch: pytest.MonkeyPatch, given: str, shown: str
) -> None:
    monkeypatch.setattr(console.lake, "ask", lambda *_: ServerAnswer(200, given, PAGE))
    answer = console.request("GET", "/function/echo/?q=a")
    assert (answer.body, answer.headers["Content-Type"]) == (PAGE, shown)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")


def sent(console: RemoteConsole, request: bytes) -> tuple[int, bytes]:
    """Status and all else of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", console.server.port), timeout=30) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            line = answer.readline()
            return int(line.split(b" ")[1]), answer.read()


STATE = b'"functions"'
SPELLINGS = (
    *(b"/ui/state", b"/%75i/state", b"//ui/state", b"/ui//state", b"/ui/./state", b"/healthz/../ui/state"),
    *(b"ui/state", b"http://127.0.0.1/ui/state", b"/ui%2fstate", b"/%2fui/state", b"/ui/state/", b"/UI/state"),
    *(b"/ui/state?password=", b"/ui/state?password=wrong", b"/ui/?password=wrong", b"/ui/state;a=b", b"/ui/state%00"),
)


def test_no_spelling_of_a_path_gets_around_the_password(console: RemoteConsole) -> None:
    for method, path in product((b"GET", b"HEAD", b"POST", b"get", b"OPTIONS"), SPELLINGS):
        status, answer = sent(console, method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status in (301, 308, 400, 401, 403, 404, 405, 501), (method, path)
        assert STATE not in answer, (method, path)
        assert b"Set-Cookie" not in answer, (method, path)


OTHERS = (
    b"Host: evil.example",
    b"Host: localhost\r\nHost: evil.example",
    b"Host: evil.example\r\nHost: localhost",
    b"Host: localhost@evil.example",
    b"Host: localhost.evil.example",
    b"Host: localhost\r\nOrigin: null",
    b"Host: localhost\r\nOrigin: http://evil.example",
    b"Host: localhost\r\nOrigin: http://localhost:1",
    b"Host: localhost\r\nOrigin: http://localhost@evil.example",
    b"Host:",
    b"X-Forwarded-Host: localhost",
)


def test_no_host_and_no_origin_of_another_server_reads_with_the_password(console: RemoteConsole) -> None:
    login = b"Authorization: " + LOGIN.encode()
    for heads in OTHERS:
        status, answer = sent(console, b"GET /ui/state HTTP/1.1\r\n" + heads + b"\r\n" + login + b"\r\n\r\n")
        assert status == 403, heads
        assert STATE not in answer, heads
    good = b"GET /ui/state HTTP/1.1\r\nHost: localhost\r\n" + login + b"\r\n\r\n"
    assert sent(console, good)[0] == 200


MALFORMED = (
    b"GET /ui/state HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n%b\r\n\r\n",
    b"PUT /ui/object?bucket=upload&key=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: zz\r\n%b\r\n\r\n0123",
    b"GET /function/echo/?q=\x01 HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n",
    b"G\x01T /ui/state HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n",
)


def test_a_malformed_request_is_a_400(console: RemoteConsole) -> None:
    for request in MALFORMED:
        assert sent(console, request % (b"Authorization: " + LOGIN.encode()))[0] == 400, request


def test_a_name_that_is_no_function_is_asked_for_nothing(console: RemoteConsole) -> None:
    for name in ("..", "%2e%2e", "echo%2f..", "echo.openfaas-fn", "plain", "echo%00", "echo%3fx"):
        assert console.request("GET", f"/function/{name}/?q=a").status in (400, 404, 405), name
    assert console.gateway.invocations.recent() == []
