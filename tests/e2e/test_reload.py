"""`penstock up --reload` as a user types it: a handler is saved, broken and mended while the stack runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_stack import Up
from tests.waiting import wait_until

pytestmark = pytest.mark.long

STACK = (
    "functions:\n  index:\n    handler: ./index\n    environment: {SOURCE: 's3://upload/*', SINK: 's3://loud/{key}'}\n"
)
HANDLER = "from penstock import Result\n\n\ndef handle(event, context):\n    return Result(event.body.read().%s())\n"


def test_saved_handler_acts_on_the_next_object_and_a_broken_one_does_not(tmp_path: Path) -> None:
    handler = tmp_path / "index" / "handler.py"
    handler.parent.mkdir()
    handler.write_text(HANDLER % "upper")
    (tmp_path / "stack.yml").write_text(STACK)
    up = Up(tmp_path / "data", "--reload", "--quiet", folder=tmp_path)
    assert up.process.stdout is not None
    try:
        up.put("upload", "1", b"Ab")
        wait_until(lambda: up.get("loud", "1") == b"AB", "the first")
        handler.write_text(HANDLER % "lower")
        assert "index  saved: counts from now on" in up.process.stdout.readline()
        up.put("upload", "2", b"Ab")
        wait_until(lambda: up.get("loud", "2") == b"ab", "the second")
        handler.write_text("def handle(\n")
        said = up.process.stdout.readline()
        assert "not taken up, the old one goes on" in said
        assert "SyntaxError" in said
        up.put("upload", "3", b"Cd")
        wait_until(lambda: up.get("loud", "3") == b"cd", "the third")
    finally:
        up.stop()
