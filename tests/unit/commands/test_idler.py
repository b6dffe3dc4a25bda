"""`penstock idler`: its settings, and the process from start to SIGTERM."""

import argparse
import os
import signal
import subprocess
import sys

import pytest
from penstock.commands import idler
from penstock.commands.idler import make_idler
from penstock.errors import ConfigError, TemporaryError
from pytest_httpserver import HTTPServer

ENTRY = {
    "name": "compress",
    "image": "example/compress:1",
    "namespace": "openfaas-fn",
    "labels": {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "20m"},
    "invocationCount": 7,
    "replicas": 2,
    "createdAt": "2026-01-01T00:00:00Z",
}


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    idler.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "env", "reason"),
    [
        ((), {}, "no gateway"),
        (("--gateway", "gateway:8080"), {}, "expected http://"),
        (("--every-seconds", "0"), {"GATEWAY_URL": "http://gateway:8080"}, "more than 0"),
        (("--prometheus", "prometheus"), {"GATEWAY_URL": "http://gateway:8080"}, "Prometheus 'prometheus'"),
    ],
)
def test_settings_that_cannot_work_are_refused(words: tuple[str, ...], env: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        make_idler(arguments(*words), env)


def test_once_asks_the_gateway_and_ends(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/system/functions").respond_with_json([ENTRY])
    assert idler.run(arguments("--once"), {"GATEWAY_URL": httpserver.url_for("")}) == 0
    httpserver.clear()
    httpserver.expect_request("/system/functions").respond_with_data(status=503)
    with pytest.raises(TemporaryError):
        idler.run(arguments("--once"), {"GATEWAY_URL": httpserver.url_for("")})
    httpserver.clear_assertions()


def test_process_stops_functions_until_it_is_told_to_end(httpserver: HTTPServer) -> None:
    labels = {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "50ms"}
    httpserver.expect_request("/system/functions").respond_with_json([ENTRY | {"labels": labels}])
    httpserver.expect_request("/system/scale-function/compress", method="POST").respond_with_data(status=202)
    command = [sys.executable, "-m", "penstock.cli", "idler", "--every-seconds", "0.05", "--listen", "127.0.0.1:0"]
    environment = {**os.environ, "GATEWAY_URL": httpserver.url_for("")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not any(request.path.startswith("/system/scale-function/") for request, _ in httpserver.log):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
