"""A server in memory, and lakes to apply to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from penstock.errors import ConfigError
from penstock.lake.applying import carry_out
from penstock.lake.file import load_lake
from penstock.lake.model import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef
from penstock.lake.plan import LakeChange

from tests.unit.lake.fake_minio import FakeMinio

KAFKA = TargetRef("kafka", "uploads")
WEBHOOK = TargetRef("webhook", "bridge")
STACK = """\
provider: {name: openfaas, gateway: http://gateway.example:8080}
functions:
  compress:
    handler: .
    environment: {SOURCE: s3://upload/*.csv, SINK: "s3://processed/{key}.gz"}
    annotations: {topic: "upload, other"}
  index:
    handler: .
    environment: {SOURCE: s3://processed/*, SINK: sqlite:///index.db}
"""


def kafka(**values: str) -> NotificationTarget:
    return NotificationTarget(KAFKA, {"brokers": "kafka:9092", "topic": "upload", "queue_dir": "/events", **values})


def webhook(token: str = "") -> NotificationTarget:
    values = {"endpoint": "http://bridge:8080/", "queue_dir": "/events"}
    return NotificationTarget(WEBHOOK, values, {"auth_token": token} if token else {})


@pytest.fixture
def minio() -> FakeMinio:
    return FakeMinio()


@pytest.fixture
def lake() -> DeclaredLake:
    """Two buckets, a Kafka target and a rule."""
    return DeclaredLake(
        "night", (Bucket("upload"), Bucket("processed", True)), (kafka(),), (Rule("upload", KAFKA, "", ".csv"),)
    )


@pytest.fixture
def apply(minio: FakeMinio) -> Callable[..., list[LakeChange]]:
    """Applies a lake to the server in memory."""

    def act(lake: DeclaredLake, **how: Any) -> list[LakeChange]:
        return carry_out(minio, lake, sleep=minio.sleep, clock=minio.clock, **how)

    return act


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., DeclaredLake]:
    """Reads a lake file from text; stack.yml lies beside it."""

    def act(text: str, **env: str) -> DeclaredLake:
        (tmp_path / "stack.yml").write_text(STACK)
        path = tmp_path / "lake.yml"
        path.write_text(text)
        return load_lake(path, env)

    return act


@pytest.fixture
def problems(read: Callable[..., DeclaredLake], tmp_path: Path) -> Callable[..., list[str]]:
    """What is wrong with a lake file, each without the folder."""

    def act(text: str, **env: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, **env)
        return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return act
