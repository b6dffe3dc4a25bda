"""The project's own long-running commands as child processes, for tests that kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.components import KafkaServer, MinioServer
from tests.ports import free_port
from tests.waiting import wait_until

__all__ = ["kafka_connector", "running", "store_settings", "wait_until"]


def store_settings(minio: MinioServer) -> dict[str, str]:
    """The environment that leads a function or a command to this server."""
    endpoint = minio.endpoint
    return {
        "MINIO_ENDPOINT": endpoint.url,
        "MINIO_ACCESS_KEY": endpoint.access_key,
        "MINIO_SECRET_KEY": endpoint.secret_key,
        # Empty in place of the stack file's, which is a path in a pod.
        "MINIO_CA_FILE": str(endpoint.ca_file or ""),
    }


@contextmanager
def running(command: Sequence[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """`penstock COMMAND` until the block ends; then SIGTERM, and it must end with 0 unless it was killed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock.cli", *command],
            env={**os.environ, **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            code = process.wait(60)
    # SIGTERM kills what has not got as far as listening for it.
    assert code in (0, -signal.SIGKILL, -signal.SIGTERM), f"{command[:2]} ended with {code}: {log.read_text()[-2000:]}"


@contextmanager
def kafka_connector(
    kafka: KafkaServer, targets: dict[str, str], group: str, log: Path, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A connector from topics to URLs, with a short session so that a killed one is missed soon."""
    settings = {"bootstrap.servers": kafka.endpoint.bootstrap_servers, "group.id": group, "session.timeout.ms": "6000"}
    command = ["connect", "kafka", "--listen", f"127.0.0.1:{free_port()}", *options]
    for topic, url in targets.items():
        command += ["--to", f"{topic}={url}"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    with running(command, log) as process:
        yield process
