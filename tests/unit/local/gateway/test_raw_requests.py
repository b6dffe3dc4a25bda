"""Requests as no client library sends them: each is answered, stores nothing, and leaves no function taken."""

import json
import socket

import pytest
from penstock.types import ObjectRef

from tests.unit.local.conftest import until
from tests.unit.local.gateway.conftest import Running


def sent(gateway: Running, request: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to these bytes."""
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


MALFORMED = {
    "no length": b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n",
    "a negative length": b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    "a length of Python": b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1_0\r\n\r\n0123456789",
    "a length with a sign": b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\n01234",
    "an odd method": b"P\x01ST %b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method beyond ASCII": b"P\xe9ST %b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a control character": b"GET %b?a\x01b HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.long
@pytest.mark.parametrize(
    "path", [b"/function/echo", b"/async-function/echo", b"/ui/object?bucket=upload&key=a", b"/events"]
)
@pytest.mark.parametrize("request_of", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_a_400_everywhere(gateway: Running, request_of: bytes, path: bytes) -> None:
    gateway.store.put(ObjectRef("upload", "a"), [b"kept"], content_type="text/csv", metadata={})
    status, body = sent(gateway, request_of % path)
    assert (status, b"<html" in body.lower()) == (400, False)
    assert gateway.functions.get("echo").in_flight == 0
    assert (gateway.inbox.counts().pending, gateway.inbox.counts().dead) == (0, 0)
    state = gateway.store.head(ObjectRef("upload", "a"))
    assert state is not None
    assert state.size == 4


_CHUNKED = b"POST %b HTTP/1.1\r\nHost: localhost\r\nAuthorization: secret\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("end", "expected"), [(b"ffffffffffffff\r\n" + b"a" * 100_000, 503), (b"5\r\na,b", 503), (b"5\r\na,b,cd\r\n", 400)]
)
@pytest.mark.parametrize(
    "path", [b"/function/echo", b"/async-function/echo", b"/ui/object?bucket=upload&key=a", b"/events"]
)
def test_chunks_that_are_not_whole_store_nothing_and_are_not_the_function_s_fault(
    gateway: Running, path: bytes, end: bytes, expected: int
) -> None:
    gateway.store.put(ObjectRef("upload", "a"), [b"kept"], content_type="text/csv", metadata={})
    method = b"PUT" if path.startswith(b"/ui/") else b"POST"
    request = (_CHUNKED % path).replace(b"POST", method, 1)
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30) as connection:
        connection.sendall(request + end)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    assert int(head.split(b" ")[1]) == expected, (head, body)
    assert b"broke off" in body or b"malformed" in body
    assert gateway.functions.get("echo").in_flight == 0
    assert (gateway.inbox.counts().pending, gateway.inbox.counts().dead) == (0, 0)
    state = gateway.store.head(ObjectRef("upload", "a"))
    assert state is not None
    assert state.size == 4


@pytest.mark.parametrize("length", [b"zz", b"-1", b"1_0"])
def test_an_upload_without_a_length_that_counts_replaces_nothing(gateway: Running, length: bytes) -> None:
    gateway.store.put(ObjectRef("upload", "a"), [b"kept"], content_type="text/csv", metadata={})
    head = b"PUT /ui/object?bucket=upload&key=a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %b\r\n\r\n0123456789"
    assert sent(gateway, head % length)[0] == 400
    state = gateway.store.head(ObjectRef("upload", "a"))
    assert state is not None
    assert state.size == 4


@pytest.mark.parametrize("path", ["/é/日本.csv?q=é", "/%C3%A9/日本.csv?q=%C3%A9"])
def test_a_path_that_is_not_encoded_is_encoded_for_the_function(gateway: Running, path: str) -> None:
    status, body = sent(gateway, f"GET /function/echo{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert status == 200
    assert json.loads(body)["path"] == "/%C3%A9/%E6%97%A5%E6%9C%AC.csv?q=%C3%A9"
    status, _ = sent(
        gateway,
        f"POST /async-function/echo{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode(),
    )
    assert status == 202
    until(lambda: not gateway.inbox.counts().pending)
    assert gateway.inbox.counts().dead == 0


def test_a_request_that_fails_in_the_gateway_gives_the_function_back(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_connection: object) -> None:
        raise RuntimeError("broken")

    gateway.request("GET", "/function/echo")
    monkeypatch.setattr("http.client.HTTPConnection.getresponse", broken)
    assert sent(gateway, b"GET /function/echo HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 500
    assert gateway.functions.get("echo").in_flight == 0


@pytest.mark.parametrize(
    "path", ["/ui/replay", "/ui/dismiss", "/ui/restore", "/ui/rerun", "/system/functions", "/system/secrets"]
)
def test_json_of_any_shape_is_a_400_in_words(gateway: Running, path: str) -> None:
    for text in (b"[" * 100_000, b'{"a":' * 50_000, b"\xff", b"[1]", b"9" * 5000, b""):
        answer = gateway.request("POST", path, text)
        assert (answer.status, answer.text) == (400, "expected a JSON object\n"), text[:10]


def test_notes_of_a_function_that_are_nested_without_end_harm_no_request(gateway: Running) -> None:
    answer = gateway.request("GET", "/function/echo/notes", X_Want_Notes="[" * 30_000)
    assert (answer.status, answer.text) == (200, "made\n")
    until(lambda: gateway.functions.get("echo").in_flight == 0)
