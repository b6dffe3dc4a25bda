"""`penstock watch` as a command."""

import json
from pathlib import Path
from typing import Any

import pytest
from penstock.cli import main
from penstock.errors import ConfigError
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


def test_command_tells_once_and_ends(httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore("upload")
    store.put(ObjectRef("upload", "a b.csv"), [b"one"], content_type="text/csv", metadata={})
    monkeypatch.setattr("penstock.store.s3.S3ObjectStore", lambda _settings: store)
    for name, value in {"ENDPOINT": "http://127.0.0.1:9", "ACCESS_KEY": "a", "SECRET_KEY": "b"}.items():
        monkeypatch.setenv(f"MINIO_{name}", value)
    monkeypatch.setenv("FUNCTION_TOKEN", "new old")
    bodies: list[Any] = []

    def take(request: Request) -> Response:
        bodies.append((request.headers["Authorization"], json.loads(request.data)))
        return Response(status=200)

    httpserver.expect_request("/event").respond_with_handler(take)
    words = ["watch", "s3://upload/*.csv", "--to", httpserver.url_for("/event"), "--once"]
    words += ["--state", str(tmp_path / "watch.db")]
    assert main(words) == 0
    assert main(words) == 0
    [(token, body)] = bodies
    assert token == "Bearer new"
    assert body["Records"][0]["s3"]["object"]["key"] == "a+b.csv"
    assert main([*words[:1], "s3://upload/?type=image/*", *words[2:]]) == ConfigError.exit_code
