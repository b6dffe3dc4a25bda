"""Requests to functions as they pass through the gateway, and what is answered when a function fails."""

import http.client
import json
import socket

import pytest

from tests.unit.local.conftest import until
from tests.unit.local.gateway.conftest import Running


def test_request_reaches_the_function_as_it_was(gateway: Running) -> None:
    answer = gateway.request("PATCH", "/function/echo/a%2Fb//c?x=1&y=%20", b"hello", X_Own="value", Content_Type="a/b")

    seen = answer.json
    assert (seen["method"], seen["path"], seen["body"]) == ("PATCH", "/a%2Fb//c?x=1&y=%20", "hello")
    assert seen["headers"]["x-own"] == "value"
    assert seen["headers"]["content-type"] == "a/b"
    assert seen["headers"]["x-call-id"] == answer.headers["X-Call-Id"]
    assert float(answer.headers["X-Duration-Seconds"]) > 0
    assert answer.headers["X-Penstock-Cold-Start"] == "true"
    assert gateway.request("GET", "/function/echo.openfaas-fn").headers["X-Penstock-Cold-Start"] == "false"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_every_method_goes_through(gateway: Running, method: str) -> None:
    assert gateway.request(method, "/function/echo").json["method"] == method


def test_head_has_a_length_and_no_body(gateway: Running) -> None:
    answer = gateway.request("HEAD", "/function/echo")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


def test_body_without_length_is_passed_on_in_chunks(gateway: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server.port, timeout=30)
    connection.request("POST", "/function/echo", iter([b"one", b"two" * 100_000]), encode_chunked=True)
    seen = json.load(connection.getresponse())
    connection.close()
    assert seen["size"] == 300_003
    assert seen["headers"]["transfer-encoding"] == "chunked"


def test_answer_is_passed_on_while_it_is_made(gateway: Running) -> None:
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as raw:
        raw.sendall(b"GET /function/echo/drip HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen = b""
        while b"one" not in seen:
            seen += raw.recv(1000)
        assert b"two" not in seen
        gateway.bench.mark.touch()  # lets the function go on
        while chunk := raw.recv(1000):
            seen += chunk
    assert b"two" in seen


def test_answer_before_the_end_of_the_body_counts(gateway: Running) -> None:
    answer = gateway.request("POST", "/function/echo/refuse-early", b"x" * 8_000_000)
    assert (answer.status, answer.text) == (413, "too large\n")


def test_crash_in_the_middle_is_a_502_and_the_next_request_starts_it_anew(gateway: Running) -> None:
    first = gateway.request("GET", "/function/echo").json["pid"]
    crashed = gateway.request("GET", "/function/echo/crash")
    assert crashed.status == 502
    assert "broke off before it answered" in crashed.text
    until(lambda: gateway.functions.get("echo").replicas == 0)
    assert gateway.request("GET", "/function/echo").json["pid"] != first


def test_function_that_cannot_start_is_a_503_with_its_log(gateway: Running) -> None:
    answer = gateway.request("GET", "/function/broken")
    assert answer.status == 503
    assert "exited with code 78" in answer.text
    assert "hello from broken" in answer.text
    assert answer.headers["Retry-After"] == "5"


def test_unknown_function_is_a_404(gateway: Running) -> None:
    answer = gateway.request("POST", "/function/nope", b"")
    assert (answer.status, answer.text) == (404, "function 'nope' is not deployed; deployed: broken, echo\n")


def test_a_function_that_breaks_off_has_its_log_named(gateway: Running) -> None:
    answer = gateway.request("POST", "/function/echo/crash", b"x")
    assert answer.status == 502
    assert str(gateway.functions.get("echo").logs.path) in answer.text


@pytest.mark.parametrize("path", ["/function/echo/", "/function/echo/x.html", "/function/echo.openfaas-fn/?q=a"])
def test_a_page_of_a_function_runs_without_the_origin_of_the_console(gateway: Running, path: str) -> None:
    answer = gateway.request("GET", path, X_Want_Type="text/html")
    assert answer.headers["Content-Type"] == "text/html"
    rights = answer.headers["Content-Security-Policy"].split()
    assert rights[0] == "sandbox"
    assert not {"allow-same-origin", "allow-top-navigation", "allow-popups-to-escape-sandbox"} & set(rights)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        ("penstock-session=s3cret", None),
        ("a=1; penstock-session=s3cret; b=2", "a=1; b=2"),
        ("penstock-session=s3cret;b=2", "b=2"),
        ("a=1;penstock-session=s3cret", "a=1"),
        ("penstock-session-8080=s3cret; a=1; penstock-session-8081=other", "a=1"),
        ("penstock-session-x=1", "penstock-session-x=1"),
        ("not-penstock-session=1", "not-penstock-session=1"),
    ],
)
def test_the_session_of_the_console_is_not_passed_on(gateway: Running, sent: str, passed_on: str | None) -> None:
    assert gateway.request("GET", "/function/echo", Cookie=sent).json["headers"].get("cookie") == passed_on
