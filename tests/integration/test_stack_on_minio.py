"""The stack over a real MinIO server: its webhook target, its rules, and nothing of anybody else's touched."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio
from minio.notificationconfig import NotificationConfig, QueueConfig, SuffixFilterRule
from penstock.errors import ConfigError
from penstock.local.stack import Stack, StackOptions
from penstock.local.store.minio import RealMinio
from penstock.types import ObjectRef

from tests.components.minio import MinioEndpoint, MinioServer
from tests.paths import ROOT
from tests.ports import free_port
from tests.waiting import wait_until

OTHERS = "arn:minio:sqs::others:webhook"


@pytest.fixture(name="server", scope="module")
def server_fixture() -> Iterator[MinioEndpoint]:
    """A server on which somebody else has a webhook target already."""
    environment = {
        "MINIO_NOTIFY_WEBHOOK_ENABLE_others": "on",
        "MINIO_NOTIFY_WEBHOOK_ENDPOINT_others": f"http://127.0.0.1:{free_port()}/",
    }
    with MinioServer(env=environment) as server:
        yield server.endpoint


def make_stack(server: MinioEndpoint, data: Path, port: int) -> Stack:
    env = {
        "MINIO_ENDPOINT": server.url,
        "MINIO_ACCESS_KEY": server.access_key,
        "MINIO_SECRET_KEY": server.secret_key,
        "MINIO_REGION": server.region,
    }
    return Stack(StackOptions(ROOT / "stack.yml", data, env, port=port))


def queues(client: Minio, bucket: str) -> list[str]:
    return sorted(queue.queue or "" for queue in client.get_bucket_notification(bucket).queue_config_list or [])


def put(stack: Stack, key: str, body: bytes) -> None:
    stack.store.put(ObjectRef("upload", key), [body], content_type="text/csv", metadata={})


def read(stack: Stack, key: str) -> bytes | None:
    found = stack.store.open(ObjectRef("processed", key))
    return gzip.decompress(b"".join(found[1])) if found is not None else None


def test_events_reach_the_functions_and_wait_while_the_stack_is_down(server: MinioEndpoint, tmp_path: Path) -> None:
    client = server.client()
    client.make_bucket("upload")
    others = QueueConfig(queue=OTHERS, events=["s3:ObjectCreated:*"], suffix_filter_rule=SuffixFilterRule(".txt"))
    client.set_bucket_notification("upload", NotificationConfig(queue_config_list=[others]))
    port = free_port()

    stack = make_stack(server, tmp_path, port)
    stack.start()
    try:
        put(stack, "first.csv", b"a,b\n")
        wait_until(lambda: read(stack, "first.csv.gz") == b"a,b\n", "the first target")
        ours = next(queue for queue in queues(client, "upload") if queue != OTHERS)
    finally:
        stack.stop()
    put(stack, "while down.csv", b"c,d\n")

    restarted = server.admin().info
    before = restarted()
    again = make_stack(server, tmp_path, port)
    again.start()
    try:
        assert _uptime(restarted()) >= _uptime(before), "the same settings need no restart of the server"
        wait_until(lambda: read(again, "while down.csv.gz") == b"c,d\n", "the waiting event")
        assert queues(client, "upload") == sorted([ours, OTHERS])
        assert isinstance(again.lake, RealMinio)
        again.lake.disconnect()
        assert queues(client, "upload") == [OTHERS]
        assert queues(client, "processed") == []
    finally:
        again.stop()


def test_wrong_credentials_are_named(server: MinioEndpoint, tmp_path: Path) -> None:
    env = {"MINIO_ENDPOINT": server.url, "MINIO_ACCESS_KEY": server.access_key, "MINIO_SECRET_KEY": "wrong-secret"}
    stack = Stack(StackOptions(ROOT / "stack.yml", tmp_path, env, port=0))
    try:
        with pytest.raises(ConfigError, match="check MINIO_ACCESS_KEY and MINIO_SECRET_KEY"):
            stack.start()
    finally:
        stack.stop()


def test_server_elsewhere_needs_an_address_that_leads_here(tmp_path: Path) -> None:
    env = {"MINIO_ENDPOINT": "https://minio.example.com", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
    with pytest.raises(ConfigError, match="cannot reach this stack; name an address that leads here with --events-url"):
        Stack(StackOptions(ROOT / "stack.yml", tmp_path, env, port=0))


def _uptime(info: str) -> float:
    return max(float(entry["uptime"]) for entry in json.loads(info)["servers"])
