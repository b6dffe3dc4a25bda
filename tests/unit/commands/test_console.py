"""`penstock console`: what it needs, and what it prints."""

import argparse
import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands import console
from penstock.events.signature import SignatureCheck
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.components.certificates import Certificates, make_certificates
from tests.unit.local.conftest import until

STORE = ("--store=http://127.0.0.1:9",)
SETTINGS = ("GATEWAY_URL", "MINIO_ENDPOINT", "CONSOLE_TOKEN", "CONSOLE_PASSWORD")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINIO_ACCESS_KEY", "key")
    monkeypatch.setenv("MINIO_SECRET_KEY", "secret")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (STORE, "give --gateway URL, or --kubernetes"),
        (("--gateway=http://127.0.0.1:9",), "MINIO_ENDPOINT: not set"),
        ((*STORE, "--gateway=here"), "gateway 'here': expected http://HOST:PORT"),
        ((*STORE, "--gateway=http://g", "--kubernetes"), "give one of them"),
        ((*STORE, "--gateway=http://g", "--bridge=http://b"), "--bridge: needs CONSOLE_TOKEN"),
        ((*STORE, "--gateway=http://g", "--metrics=here"), "metrics 'here': expected http://HOST:PORT"),
        ((*STORE, "--kubernetes", "--kubeconfig=/nowhere"), "/nowhere: No such file"),
        ((*STORE, "--gateway=http://g", "--stack=/nowhere.yml"), "/nowhere.yml"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["console", *words]) == 78
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_an_address_that_opens_the_page_and_ends_at_a_signal(number: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "penstock.cli",
        "console",
        "--gateway",
        "http://127.0.0.1:9",
        *STORE,
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"console  (http://127\.0\.0\.1:\d+/ui/)(\?password=\S+)  user admin; it only reads\n", line)
    assert found is not None, line
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(found[1])
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    assert b"Penstock" in opener.open(found[1] + found[2]).read()
    process.send_signal(number)
    assert process.wait(60) == 0
    process.stdout.close()


def test_the_page_is_for_this_machine_and_only_reads_unless_told_otherwise() -> None:
    parser = argparse.ArgumentParser()
    console.add_arguments(parser)
    given = parser.parse_args([])
    assert (given.host, given.allow_writes) == ("127.0.0.1", False)


HMAC_KEY = b"k" * 32
FUNCTIONS = [{"name": "echo", "image": "i", "envVars": {"SOURCE": "s3://upload/*", "SINK": "s3://made/{key}"}}]


@pytest.fixture(name="certificates")
def certificates_fixture(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "platform")


@pytest.fixture(name="gateway")
def gateway_fixture(certificates: Certificates) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        server.expect_request("/system/functions").respond_with_json(FUNCTIONS)
        yield server


@pytest.fixture(name="page")
def page_fixture(certificates: Certificates, gateway: HTTPServer) -> Iterator[str]:
    """The address of a console of that gateway, which may write, for the user admin with the password `p`."""
    command = [sys.executable, "-m", "penstock.cli", "console", "--gateway", gateway.url_for(""), *STORE, "--port=0"]
    settings = {
        "SECRETS_DIR": "/nonexistent",
        "CONSOLE_PASSWORD": "p",
        "FUNCTION_TOKEN": "token",
        "FUNCTION_HMAC_KEY": "whsec_" + base64.b64encode(HMAC_KEY).decode(),
    }
    more = ["--ca-file", str(certificates.ca_file), "--allow-writes"]
    process = subprocess.Popen(
        [*command, *more],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    yield line.split()[1].removesuffix("/ui/")
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()


def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    login = "Basic " + base64.b64encode(b"admin:p").decode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, {"Authorization": login})) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()


def test_functions_are_asked_by_the_authority_of_ca_file_with_token_and_signature(
    page: str, gateway: HTTPServer
) -> None:
    def search(request: Request) -> Response:
        return Response(request.headers["Authorization"] + request.args["q"], content_type="application/json")

    def take(request: Request) -> Response:
        checked = b"".join(SignatureCheck([HMAC_KEY]).checked(request.headers.get, [request.get_data()]))
        return Response(request.headers["Authorization"].encode() + checked, content_type="application/json")

    gateway.expect_request("/function/echo/", method="GET").respond_with_handler(search)
    gateway.expect_request("/function/echo/event", method="POST").respond_with_handler(take)
    until(lambda: json.loads(ask(f"{page}/ui/state")[1])["functions"])
    assert ask(f"{page}/function/echo/?q=rose") == (200, b"Bearer tokenrose")
    assert ask(f"{page}/function/echo/event", b"{}") == (200, b"Bearer token{}")
