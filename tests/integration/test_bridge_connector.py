"""The bridge behind a real MinIO webhook target, through a kill and a while without it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.components import MinioServer
from tests.components.process import free_ports
from tests.integration.connect_helpers import Penstock, RecordingFunction
from tests.integration.processes import store_settings
from tests.served import served

# Keys that the encodings on the way tend to spoil.
KEYS = ("donors.csv", "a b.csv", "a+b.csv", "100%.csv", "a%2Fb.csv", "deep/er/path.csv", "日本語.csv", "q?x=1&y.csv")


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture
def lake(tmp_path: Path, address: str) -> Iterator[MinioServer]:
    """MinIO with the bridge's address as a webhook target that queues on disk."""
    target = {
        "ENABLE": "on",
        "ENDPOINT": f"http://{address}/",
        "AUTH_TOKEN": "token",
        "QUEUE_DIR": str(tmp_path / "queue"),
    }
    env = {f"MINIO_NOTIFY_WEBHOOK_{name}_PENSTOCK": value for name, value in target.items()}
    with MinioServer(tmp_path / "minio", env={**env, "MINIO_API_SYNC_EVENTS": "on"}) as server:
        server.mc("mb", "lake/upload")
        server.mc("event", "add", "lake/upload", "arn:minio:sqs::PENSTOCK:webhook", "--event", "put,delete")
        yield server


def start_bridge(folder: Path, address: str, sink: str) -> Penstock:
    env = {
        "BRIDGE_TOKEN": "token",
        "K_SINK": sink,
        "MIN_WAIT_SECONDS": "0.05",
        "MAX_WAIT_SECONDS": "0.2",
        "ATTEMPTS": "0",
    }
    made = Penstock("bridge", folder, "bridge", "--inbox", str(folder / "inbox.db"), env=env, address=address)
    made.until(made.is_ready, "ready")
    return made


def put(lake: MinioServer, *keys: str) -> None:
    client = lake.endpoint.client()
    for key in keys:
        client.put_object(bucket_name="upload", object_name=key, data=io.BytesIO(b"x"), length=1)


def subjects(function: RecordingFunction) -> set[str]:
    """Raw keys of the events that arrived, from the data; the subject must say the same."""
    found = set()
    for call in list(function.calls):
        if call.status < 300:
            key = json.loads(call.body)["Key"].removeprefix("upload/")
            assert call.headers["ce-source"] == "minio:s3..upload"
            found.add(key)
    return found


def test_every_event_of_minio_arrives_although_the_bridge_is_killed(
    tmp_path: Path, lake: MinioServer, address: str, function: RecordingFunction
) -> None:
    function.answer = lambda path, body: 503
    first = start_bridge(tmp_path, address, f"{function.url}/")
    put(lake, *KEYS)
    # MinIO's queue empties although nothing can be delivered: the bridge has stored the events.
    queue = tmp_path / "queue"
    first.until(lambda: len(function.calls) >= len(KEYS), "tried")
    first.until(lambda: not any(path.is_file() for path in queue.rglob("*")), "MinIO's queue emptied")
    first.kill_all()
    put(lake, *(f"meanwhile/{key}" for key in KEYS))
    function.answer = lambda path, body: 200
    second = start_bridge(tmp_path, address, f"{function.url}/")
    wanted = {*KEYS, *(f"meanwhile/{key}" for key in KEYS)}
    second.until(lambda: subjects(function) == wanted, "all delivered")
    lake.endpoint.client().remove_object("upload", "donors.csv")
    second.until(
        lambda: any(call.headers["ce-type"] == "com.amazonaws.s3.ObjectRemoved:Delete" for call in function.calls),
        "the removal delivered",
    )
    assert second.end() == 0


def test_minios_own_stream_is_listened_to_until_interrupted(tmp_path: Path, lake: MinioServer) -> None:
    env = {
        "MINIO_ENDPOINT": lake.endpoint.url,
        "MINIO_ACCESS_KEY": lake.endpoint.access_key,
        "MINIO_SECRET_KEY": lake.endpoint.secret_key,
    }
    listener = Penstock("listen", tmp_path, "listen", "minio", "upload", "--suffix", ".csv", env=env)
    stop = threading.Event()

    def keep_putting() -> None:  # the server holds events back until 4 KB are full
        while not stop.is_set():
            put(lake, "a+b c.csv")

    writer = threading.Thread(target=keep_putting)
    writer.start()
    try:
        listener.until(lambda: "s3://upload/a+b c.csv" in listener.text(), "printed")
    finally:
        stop.set()
        writer.join()
    assert listener.end() == 0


def test_a_receiver_is_told_what_became_of_each_object(
    tmp_path: Path, lake: MinioServer, address: str, function: RecordingFunction
) -> None:
    """From a real MinIO through a real function, and an input that it refuses."""
    client = lake.endpoint.client()
    client.make_bucket("processed")
    settings = {"SOURCE": "s3://upload/", "SINK": "s3://processed/{key}.webp", "ON_SOURCE_REMOVED": "delete"}
    with served("resize", {**settings, **store_settings(lake)}) as resize:
        env = {
            "BRIDGE_TOKEN": "token",
            "OUTCOME_URLS": f"shop={function.url}/shop",
            "MIN_WAIT_SECONDS": "0.05",
            "MAX_WAIT_SECONDS": "0.2",
        }
        words = ("bridge", "--inbox", str(tmp_path / "inbox.db"), "--to", f"resize={resize.url}/event")
        bridge = Penstock("bridge", tmp_path, *words, env=env, address=address)
        bridge.until(bridge.is_ready, "ready")

        def told(kind: str, key: str) -> bool:
            return (f"penstock.object.{kind}", f"upload/{key}") in [
                (call.headers["ce-type"], call.headers["ce-subject"]) for call in list(function.calls)
            ]

        picture = picture_of(8, 8)
        client.put_object(bucket_name="upload", object_name="a b.png", data=io.BytesIO(picture), length=len(picture))
        bridge.until(lambda: told("processed", "a%20b.png"), "told of the target")
        client.remove_object("upload", "a b.png")
        bridge.until(lambda: told("removed", "a%20b.png"), "told of the removal")
        put(lake, "no-picture.png")
        bridge.until(lambda: told("refused", "no-picture.png"), "told of the dead letter")
        assert bridge.end() == 0
    [refused] = [call for call in function.calls if call.headers["ce-type"].endswith(".refused")]
    assert refused.headers["ce-status"] == "415"
    assert "expected JPEG, PNG" in json.loads(refused.body)["reason"]


def picture_of(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()
