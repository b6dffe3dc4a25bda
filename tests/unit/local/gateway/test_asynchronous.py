"""Asynchronous calls: answered at once, called back, and kept as dead letters when they are refused."""

import pytest
from pytest_httpserver import HTTPServer as Peer

from tests.unit.local.conftest import until
from tests.unit.local.gateway.conftest import Running


def test_asynchronous_call_is_answered_at_once_and_its_result_called_back(gateway: Running, httpserver: Peer) -> None:
    httpserver.expect_oneshot_request("/done", method="POST").respond_with_data("thanks")
    callback = httpserver.url_for("/done")

    with httpserver.wait(timeout=20):
        answer = gateway.request("POST", "/async-function/echo/x?y=1", b"later", X_Callback_Url=callback)
        assert answer.status == 202

    [(request, _)] = httpserver.log
    assert request.headers["X-Call-Id"] == answer.headers["X-Call-Id"]
    assert request.headers["X-Function-Name"] == "echo"
    assert request.headers["X-Function-Status"] == "200"
    seen = request.get_json()
    assert (seen["path"], seen["body"], seen["method"]) == ("/x?y=1", "later", "POST")


def test_asynchronous_call_that_is_refused_becomes_a_dead_letter(gateway: Running) -> None:
    gateway.request("POST", "/async-function/echo/refuse-early", b"x", X_Call_Id="call-1")
    until(gateway.inbox.dead_letters)
    [letter] = gateway.inbox.dead_letters()
    assert (letter.code, letter.data) == (413, b"too large\n")
    assert "call-1" in letter.message.origin


@pytest.mark.parametrize(
    ("method", "path", "size", "headers", "status"),
    [
        ("GET", "/async-function/echo", 0, {}, 405),
        ("POST", "/async-function/nope", 0, {}, 404),
        ("POST", "/async-function/echo", 1024 * 1024 + 1, {}, 413),
        ("POST", "/async-function/echo", 1, {"X-Callback-Url": "file:///etc/passwd"}, 400),
    ],
)
def test_asynchronous_calls_that_cannot_work_are_refused_at_once(
    gateway: Running, method: str, path: str, size: int, headers: dict[str, str], status: int
) -> None:
    assert gateway.request(method, path, b"x" * size, **headers).status == status
    assert gateway.inbox.counts().pending == 0


def test_a_callback_that_leads_elsewhere_is_not_followed(gateway: Running, httpserver: Peer) -> None:
    elsewhere = httpserver.url_for("/elsewhere")
    httpserver.expect_request("/done", method="POST").respond_with_data(status=302, headers={"Location": elsewhere})
    httpserver.expect_request("/elsewhere").respond_with_data("secrets")
    answer = gateway.request("POST", "/async-function/echo/x", b"later", X_Callback_Url=httpserver.url_for("/done"))
    assert answer.status == 202
    until(lambda: bool(httpserver.log) and not gateway.inbox.counts().pending)
    assert [request.path for request, _ in httpserver.log] == ["/done"]
