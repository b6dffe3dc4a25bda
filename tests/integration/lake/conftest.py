"""A MinIO that the lake's tests restart and reconfigure, the command against it, and lakes to apply."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from penstock import cli

from tests.components import MinioServer
from tests.integration.connect_helpers import RecordingFunction
from tests.integration.processes import store_settings

Penstock = Callable[..., int]


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """A server that tests restart and reconfigure, with the product's own way to start."""
    with MinioServer(tmp_path_factory.mktemp("lake"), env={"MINIO_SYNC_BOOT": "off"}) as server:
        yield server


@pytest.fixture
def penstock(
    server: MinioServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Penstock:
    """Runs `penstock lake ...` against the server and returns the exit code; environment variables by keyword."""

    def run(*arguments: str, **env: str) -> int:
        settings = {**store_settings(server), "MINIO_QUEUE_DIR": str(tmp_path / "queue"), **env}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return cli.main(["lake", *arguments])

    return run


@pytest.fixture
def receiver() -> Iterator[RecordingFunction]:
    """Where a webhook target leads."""
    receiver = RecordingFunction()
    yield receiver
    receiver.stop()


def starts(server: MinioServer) -> int:
    """How often the server has started, restarts of its own included."""
    return server.children[0].log.read_bytes().count(b"\nAPI: http")


def put(server: MinioServer, bucket: str, key: str, data: bytes = b"x") -> None:
    server.endpoint.client().put_object(bucket, key, io.BytesIO(data), len(data), content_type="application/csv")


@pytest.fixture
def lake_file(tmp_path: Path, receiver: RecordingFunction, unique_name: str) -> Callable[..., str]:
    """Writes a lake with one bucket, one webhook target and one rule, and returns the file's path."""

    def write(*, endpoint: str = "", target: Mapping[str, str] | None = None, rule: str = "") -> str:
        values = {
            "type": "webhook",
            "id": f"{unique_name}-hook",
            "endpoint": endpoint or receiver.url,
            "queue_dir": str(tmp_path / "queue with space"),
            **(target or {}),
        }
        lines = "".join(f"    {key}: {value}\n" for key, value in values.items())
        path = tmp_path / "lake.yml"
        path.write_text(
            f"name: {unique_name}\nbuckets:\n  {unique_name}: {{versioning: on}}\ntargets:\n  hook:\n{lines}"
            f"rules:\n  - {{bucket: {unique_name}, {rule}target: hook}}\n",
            encoding="utf-8",
        )
        return str(path)

    return write


def keys_of(receiver: RecordingFunction) -> list[str]:
    return [json.loads(body)["Key"] for body in receiver.delivered()]
