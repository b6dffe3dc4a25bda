"""A connector whose queue does not answer starts, says so in its readiness probe, and ends when it is told to."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.components.process import free_ports
from tests.integration.connect_helpers import Penstock

SCHEMES = {"amqp": "amqp", "mqtt": "mqtt", "nats": "nats", "redis": "redis", "sqs": "http"}


def readiness(connector: Penstock) -> str:
    """What the readiness probe is answered with; "" while nothing listens yet."""
    try:
        with urllib.request.urlopen(f"http://{connector.address}/_/ready", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as exc:
        return exc.read().decode()
    except OSError:
        return ""


@pytest.mark.long
@pytest.mark.parametrize("kind", SCHEMES)
def test_connector_waits_for_a_server_that_does_not_answer(kind: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    connector = Penstock(
        kind, tmp_path, "connect", kind, "--url", f"{SCHEMES[kind]}://{address}",
        "--to", "lake=http://127.0.0.1:9/", "--inbox", str(tmp_path / "inbox.db"),
        env={"SQS_ACCESS_KEY": "lake", "SQS_SECRET_KEY": "secret"},
    )  # fmt: skip
    said = re.compile(rf"not connected to ([a-z]+://)?{address}")
    connector.until(lambda: said.search(readiness(connector)) is not None, "said")
    assert connector.end() == 0
