"""`penstock watch` before a real bridge: a store without notifications, a kill of each, a while without one."""

from __future__ import annotations

import io
import json
import urllib.request
from pathlib import Path

from tests.components import MinioServer
from tests.components.process import free_ports
from tests.integration.connect_helpers import Penstock, RecordingFunction
from tests.integration.processes import store_settings
from tests.watched_keys import memory_of_two_rounds

KEYS = ("donors.csv", "a b.csv", "a+b.csv", "100%.csv", "a%2Fb.csv", "deep/er/path.csv", "日本語.csv")


def put(server: MinioServer, bucket: str, *keys: str) -> None:
    for key in keys:
        server.endpoint.client().put_object(bucket, key, io.BytesIO(b"x"), 1)


def told(function: RecordingFunction, kind: str) -> set[str]:
    """Raw keys of the events of one kind that the function took."""
    events = [json.loads(call.body) for call in list(function.calls) if call.status < 300]
    return {each["Key"].partition("/")[2] for each in events if kind in each["EventName"]}


def metrics(watch: Penstock) -> str:
    with urllib.request.urlopen(f"http://{watch.address}/metrics", timeout=10) as answer:
        return str(answer.read(), "utf-8")


def test_every_change_arrives_through_the_bridge_although_both_are_killed(
    tmp_path: Path, minio: MinioServer, unique_name: str
) -> None:
    function, address = RecordingFunction(), f"127.0.0.1:{free_ports(1)[0]}"
    waits = {"MIN_WAIT_SECONDS": "0.05", "MAX_WAIT_SECONDS": "0.2", "ATTEMPTS": "0"}

    def start_bridge() -> Penstock:
        env = {"BRIDGE_TOKEN": "token", "K_SINK": f"{function.url}/", **waits}
        made = Penstock("bridge", tmp_path, "bridge", "--inbox", str(tmp_path / "inbox.db"), env=env, address=address)
        made.until(made.is_ready, "ready")
        return made

    def start_watch() -> Penstock:
        words = ["watch", f"s3://{unique_name}/*.csv", "--to", f"http://{address}/", "--every", "1s", "--batch", "2"]
        env = {**store_settings(minio), "BRIDGE_TOKEN": "token"}
        return Penstock("watch", tmp_path, *words, "--state", str(tmp_path / "watch.db"), env=env)

    minio.endpoint.client().make_bucket(unique_name)
    put(minio, unique_name, *KEYS, "other.txt")
    bridge, watch = start_bridge(), start_watch()
    watch.until(watch.is_ready, "ready")
    watch.until(lambda: told(function, "ObjectCreated") == set(KEYS), "all told")
    # The function has a hint before the watch counts the bridge's answer.
    watch.until(lambda: f"penstock_watch_listed {len(KEYS)}.0" in metrics(watch), "listed")
    counted = f'penstock_watch_hints_total{{outcome="told"}} {len(KEYS)}.0'
    watch.until(lambda: counted in metrics(watch), "counted")

    bridge.kill_all()
    put(minio, unique_name, "while-it-is-away.csv")
    watch.until(lambda: not watch.is_ready(), "not ready without its bridge")
    watch.kill_all()
    minio.endpoint.client().remove_object(unique_name, "a+b.csv")
    bridge, watch = start_bridge(), start_watch()
    watch.until(lambda: told(function, "ObjectRemoved") == {"a+b.csv"}, "the removal told")
    watch.until(lambda: told(function, "ObjectCreated") == {*KEYS, "while-it-is-away.csv"}, "what was left told")
    watch.until(watch.is_ready, "ready again")
    watch.until(lambda: "penstock_watch_listed 7.0" in metrics(watch), "listed again")
    assert watch.end() == 0
    assert bridge.end() == 0
    function.stop()


def test_a_million_keys_are_watched_in_bounded_memory(tmp_path: Path) -> None:
    assert memory_of_two_rounds(tmp_path, 1_000_000) < 60 * 1024
