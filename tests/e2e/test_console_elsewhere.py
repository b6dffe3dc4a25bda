"""`penstock console` beside real processes: functions behind a gateway, a store, a bridge that delivers to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from penstock.types import ObjectRef

from tests.e2e.test_stack import Up
from tests.integration.processes import running
from tests.remote_console import LOGIN, PASSWORD, TOKEN, ask, notification
from tests.served import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.long

ROWS = b"email,type\n" + b"ann@example.com,A+\n" * 1000
REF = ObjectRef("upload", "donors/日本.csv")


@pytest.fixture(name="up", scope="module")
def up_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up") / "data")
    yield up
    up.stop()


def test_an_object_is_followed_from_the_bridge_to_its_result(up: Up, tmp_path: Path) -> None:
    gateway, bridge_port, port = f"http://127.0.0.1:{up.port}", free_port(), free_port()
    env = {
        "MINIO_ENDPOINT": f"http://127.0.0.1:{up.store_port}",
        "MINIO_ACCESS_KEY": "penstock",
        "MINIO_SECRET_KEY": (up.data / "store-secret").read_text(),
        "BASIC_AUTH_USER": "admin",
        "BASIC_AUTH_PASSWORD": (up.data / "password").read_text(),
        "CONSOLE_TOKEN": TOKEN,
        "CONSOLE_PASSWORD": PASSWORD,
    }
    bridge = ["bridge", "--to", f"compress={gateway}/function/compress/event", "--inbox", str(tmp_path / "inbox.db")]
    bridge += ["--allow-anonymous", "--listen", f"127.0.0.1:{bridge_port}"]
    console = ["console", "--gateway", gateway, "--bridge", f"http://127.0.0.1:{bridge_port}", "--port", str(port)]

    def functions() -> set[str]:
        try:
            return {each["name"] for each in ask(port, "GET", "/ui/state", Authorization=LOGIN).json["functions"]}
        except OSError:  # it does not listen yet
            return set()

    def events() -> Any:
        return ask(port, "GET", "/ui/events", Authorization=LOGIN).json["records"]

    with (
        running(bridge, tmp_path / "bridge.log", env),
        running(console, tmp_path / "console.log", env),
    ):
        wait_until(lambda: functions() == {"compress", "resize", "index"}, "the console with the functions", 180)
        up.put(REF.bucket, REF.key, ROWS, "text/csv")
        wait_until(lambda: up.get("processed", f"{REF.key}.gz"), "the result", 180)
        wait_until(lambda: _sent(bridge_port), "the bridge", 60)
        [record] = wait_until(events, "the event", 120)
        assert (record["function"], record["bucket"], record["key"]) == ("compress", REF.bucket, REF.key)
        assert record["outcome"] == "processed"
        assert record["in"] == len(ROWS)


def _sent(port: int) -> bool:
    try:
        return ask(port, "POST", "/", notification(REF)).status == 202
    except OSError:
        return False
