"""How the console calls functions: with their token, signed bodies, and a private authority."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.errors import TemporaryError
from penstock.events.signature import SignatureCheck
from penstock.local.console.remote.caller import FunctionCaller
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.components.certificates import Certificates, make_certificates

KEY = b"k" * 32


@pytest.fixture(name="certificates")
def certificates_fixture(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "platform")


@pytest.fixture(name="function")
def function_fixture(certificates: Certificates) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        yield server


def test_the_authority_of_the_file_is_trusted_and_without_it_nothing_is_sent(
    function: HTTPServer, certificates: Certificates
) -> None:
    function.expect_request("/x").respond_with_data("made")
    url = function.url_for("/x")
    assert FunctionCaller(ca_file=str(certificates.ca_file)).send("echo", "GET", url).body == b"made"
    with pytest.raises(TemporaryError, match=r"echo .*certificate"):
        FunctionCaller({"Authorization": "Bearer s3cret"}).send("echo", "GET", url)
    assert len(function.log) == 1


def test_a_body_is_json_and_signed_and_a_request_without_one_is_neither(
    function: HTTPServer, certificates: Certificates
) -> None:
    seen: list[Request] = []

    def take(request: Request) -> Response:
        seen.append(request)
        return Response(b"".join(SignatureCheck([KEY]).checked(request.headers.get, [request.get_data()])))

    function.expect_request("/event", method="POST").respond_with_handler(take)
    function.expect_request("/", method="GET").respond_with_handler(
        lambda got: Response(str("webhook-id" in got.headers))
    )
    caller = FunctionCaller({"Authorization": "Bearer token"}, [KEY], str(certificates.ca_file))
    assert caller.send("echo", "POST", function.url_for("/event"), b"{}").body == b"{}"
    assert (seen[0].headers["Authorization"], seen[0].content_type) == ("Bearer token", "application/json")
    assert caller.send("echo", "GET", function.url_for("/")).body == b"False"
    assert "token" not in repr(caller)
    assert str(KEY) not in repr(caller)
