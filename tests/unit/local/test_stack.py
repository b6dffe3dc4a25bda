"""What a stack says of itself while it starts."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from penstock.local.stack import Stack, StackOptions

from tests.paths import STACK_YML


def health(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()


def test_gateway_is_healthy_once_its_buckets_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers before, and an upload in that moment would find no bucket."""
    stack = Stack(StackOptions(STACK_YML, tmp_path / "data", {}, port=0, store_port=0))
    connect, before = stack.lake.connect, list[tuple[int, str]]()

    def asked_before(buckets: list[str], own_url: str) -> None:
        before.append(health(own_url))
        connect(buckets, own_url)

    monkeypatch.setattr(stack.lake, "connect", asked_before)
    try:
        stack.start()
        assert health(stack.url)[0] == 200
    finally:
        stack.stop()
    [(status, words)] = before
    assert status == 503
    assert "starting: the buckets are not made yet" in words
