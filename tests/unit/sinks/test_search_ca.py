"""The search server's own authority: from SINK_CA_FILE, beside another one for the object store."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.errors import ConfigError, TemporaryError
from penstock.settings.environment import load_config
from penstock.settings.stackfile import FunctionSpec
from penstock.sinks.address import parse_sink
from penstock.sinks.opensearch import OpenSearchSink
from pytest_httpserver import HTTPServer

from tests.components.certificates import Certificates, make_certificates
from tests.fake_search_server import FakeSearchServer


@pytest.fixture(name="theirs")
def theirs_fixture(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "search")


@pytest.fixture(name="server")
def server_fixture(theirs: Certificates) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs.cert_file, theirs.key_file)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        yield server


def ask(server: HTTPServer, **settings: str) -> None:
    fake = FakeSearchServer()
    server.expect_request("/docs/_mapping").respond_with_handler(fake.answer)
    server.expect_request("/docs/_search").respond_with_handler(fake.answer)
    sink = f"opensearch+https://127.0.0.1:{server.port}/docs"
    config = load_config({"FUNCTION_NAME": "index", "SINK": sink, "SECRETS_DIR": "/nonexistent", **settings})
    opened = parse_sink(sink).open(config, None)
    assert isinstance(opened, OpenSearchSink)
    with contextlib.closing(opened):
        opened.search("rose")


def store(ca: Path) -> dict[str, str]:
    return {
        "MINIO_ENDPOINT": "https://lake",
        "MINIO_ACCESS_KEY": "a",
        "MINIO_SECRET_KEY": "s",
        "MINIO_CA_FILE": str(ca),
    }


def test_the_search_server_and_the_store_have_authorities_of_their_own(
    server: HTTPServer, theirs: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path / "store").ca_file
    ask(server, SINK_CA_FILE=str(theirs.ca_file), **store(other))
    with pytest.raises(TemporaryError, match="SINK_CA_FILE"):
        ask(server, **store(other))


def test_without_one_of_its_own_that_of_the_store_counts(server: HTTPServer, theirs: Certificates) -> None:
    ask(server, **store(theirs.ca_file))
    with pytest.raises(TemporaryError, match="certificate verify failed"):
        ask(server)


def test_what_is_not_a_certificate_is_refused_at_start(tmp_path: Path, server: HTTPServer) -> None:
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(ConfigError, match="SINK_CA: holds no certificate in PEM; set SINK_CA_FILE"):
        ask(server, SINK_CA_FILE=str(tmp_path / "ca"))
    with pytest.raises(ConfigError, match="SINK_CA_FILE=/nonexistent/ca: no such file"):
        ask(server, SINK_CA_FILE="/nonexistent/ca")


def test_a_stack_file_may_name_files_that_are_in_the_pod_only() -> None:
    environment = {"SINK": "opensearch+https://search:9200/docs", "SINK_CA_FILE": "/var/openfaas/secrets/search-ca"}
    assert FunctionSpec("index", Path(), environment=environment).config().secrets == {}
