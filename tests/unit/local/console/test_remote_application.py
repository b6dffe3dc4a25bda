"""Who may see the console of a lake elsewhere, and what it passes on to functions."""

from collections.abc import Iterator

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
