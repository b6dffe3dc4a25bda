"""What a handler is given is its own: what it changes there reaches no other rendition, and not the source's state."""

from __future__ import annotations

from typing import Any

from penstock import Result
from penstock.testing import Lake


def marks_its_event(event: Any, context: Any) -> Result:
    seen = event.metadata.copy()
    event.metadata["made-as"] = str(context.rendition)
    return Result(b"%d " % len(seen) + bytes(event.body.read()), metadata=event.metadata)


def test_metadata_that_one_rendition_changes_is_not_what_the_next_one_sees() -> None:
    lake = Lake(marks_its_event, sink="s3://processed/{rendition}/{key}", renditions={"one": {}, "two": {}})
    lake.put("a.txt", b"text", metadata={"owner": "ann"})
    assert lake.outputs() == {"one/a.txt": b"1 text", "two/a.txt": b"1 text"}


def test_changed_metadata_does_not_make_the_source_look_changed() -> None:
    lake = Lake(marks_its_event)
    lake.put("a.txt", b"one", metadata={"owner": "ann"})
    assert lake.put("a.txt", b"two", metadata={"owner": "ann"}).kind == "processed"
    assert lake.outputs() == {"a.txt": b"1 two"}
    source = lake.notify("a.txt").source
    assert source is not None
    assert source.metadata == {"owner": "ann"}
