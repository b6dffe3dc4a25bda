"""`deliver` tries again, gives up and answers as a connector does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from penstock import (
    Context,
    Event,
    EventError,
    Result,
    TemporaryError,
)
from penstock.events import parse
from penstock.testing import Lake, deliver, notification
from penstock.types import ObjectRef

from tests.served import served
from tests.unit.testing.example import handle


def test_event_is_delivered_once_when_all_is_well() -> None:
    lake = Lake(handle)
    lake.store.put(ObjectRef("upload", "a b/猫+.txt"), [b"ab"])
    delivery = deliver(lake, lake.event("a b/猫+.txt"))
    assert (delivery.outcome, delivery.status, delivery.attempts, delivery.reason) == ("delivered", 200, 1, "")
    assert delivery.document["outcome"] == "processed"
    assert lake.outputs() == {"a b/猫+.txt": b"ab"}


@pytest.mark.parametrize(
    ("data", "status", "attempts", "reason"),
    [
        (b"bad", 415, 1, "a.txt: starts with bad"),
        (b"wait", 503, 10, "a.txt: not yet"),
        (b"bug", 500, 10, "unexpected error; the log has it under incident "),
    ],
)
def test_event_becomes_a_dead_letter_as_with_a_connector(data: bytes, status: int, attempts: int, reason: str) -> None:
    lake = Lake(handle)
    lake.store.put(ObjectRef("upload", "a.txt"), [data])
    delivery = deliver(lake, lake.event("a.txt"))
    assert (delivery.outcome, delivery.status, delivery.attempts) == ("dead", status, attempts)
    assert delivery.reason.startswith(reason)


def test_event_is_tried_again_until_it_works() -> None:
    tries: list[int] = []

    def third_time(_event: Event[Any], _context: Context[Any]) -> Result:
        tries.append(1)
        if len(tries) < 3:
            raise TemporaryError("not yet")
        return Result(b"at last")

    lake = Lake(third_time)
    lake.store.put(ObjectRef("upload", "a.txt"), [b""])
    delivery = deliver(lake, {"bucket": "upload", "key": "a.txt"})
    assert (delivery.outcome, delivery.attempts, lake.outputs()) == ("delivered", 3, {"a.txt": b"at last"})
    lake.store.put(ObjectRef("upload", "a.txt"), [b"new"])
    tries.clear()
    assert deliver(lake, lake.event("a.txt"), attempts=2).outcome == "dead"


def test_an_unexpected_error_that_passes_leaves_no_dead_letter() -> None:
    """Also one that comes twice on the same line of one process: here a service answers with a page of its proxy."""
    answers = ["<html>bad gateway</html>"] * 3 + ['{"text": "at last"}']

    def ask(_event: Event[Any], _context: Context[Any]) -> Result:
        return Result(json.loads(answers.pop(0))["text"].encode())

    lake = Lake(ask)
    lake.store.put(ObjectRef("upload", "a.txt"), [b""])
    delivery = deliver(lake, lake.event("a.txt"))
    assert (delivery.outcome, delivery.attempts, lake.outputs()) == ("delivered", 4, {"a.txt": b"at last"})


def test_cloudevent_is_answered_with_one() -> None:
    lake = Lake(handle)
    lake.store.put(ObjectRef("upload", "a.txt"), [b"ab"])
    delivery = deliver(lake.app, lake.event("a.txt"), as_cloudevent=True)
    assert delivery.headers["ce-type"] == "penstock.object.processed"
    with pytest.raises(EventError):
        deliver(lake, {"bucket": "upload", "key": "a.txt"}, as_cloudevent=True)


def test_event_may_go_to_a_served_function(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(
        "from penstock import Result\n\ndef handle(event, context):\n    return Result(event.body.read())\n"
    )
    with served(tmp_path, {"FUNCTION_NAME": "f"}) as running:
        delivery = deliver(running.url, notification("upload", "a.txt"), attempts=2)
    assert (delivery.outcome, delivery.status, delivery.attempts) == ("dead", 503, 2)
    assert "set SOURCE, SINK and MINIO_ENDPOINT" in delivery.reason
    gone = deliver(running.url, notification("upload", "a.txt"), attempts=1)
    assert (gone.status, gone.document) == (502, None)


def test_notification_is_what_the_reader_of_events_reads() -> None:
    for key in ("a.txt", "a b/猫+%.txt", "deep/er/x"):
        (read,) = parse(json.dumps(notification("upload", key)).encode(), {})
        assert (read.ref, read.kind.name) == (ObjectRef("upload", key), "CREATED")
