"""Rule 4: the handler runs on exactly one state, and every write is followed by a look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from penstock import Context, Event, Result, TemporaryError
from penstock.types import ObjectRef

from tests.lake import SOURCE, TARGET, Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def test_source_overwritten_between_event_and_read_is_processed_as_it_is_now(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")

    def overwrite(verb: str, ref: ObjectRef) -> None:
        if verb == "GET" and ref == SOURCE:
            lake.before = None
            lake.put(b"three")

    lake.before = overwrite
    assert lake.agree().kind == "processed"
    assert lake.read() == b"THREE"


def test_source_with_new_metadata_between_look_and_read_is_read_again(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"two", metadata={"owner": "ann"})

    def touch(verb: str, ref: ObjectRef) -> None:
        if verb == "GET" and ref == SOURCE:
            lake.before = None
            lake.put(b"two", metadata={"owner": "bob"})

    lake.before = touch
    lake.agree()
    target = lake.state(TARGET)
    assert target is not None
    assert target.metadata["owner"] == "bob"


def test_source_deleted_between_look_and_read_leaves_no_new_target(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")

    def delete(verb: str, ref: ObjectRef) -> None:
        if verb == "GET" and ref == SOURCE:
            lake.before = None
            lake.delete()

    lake.before = delete
    assert lake.agree().kind == "removed"
    assert lake.keys() == []


def test_source_overwritten_while_the_result_is_written_is_processed_again(lake: Lake) -> None:
    lake.put(b"one")

    def overwrite(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT":
            lake.before = None
            lake.put(b"two")

    lake.before = overwrite
    outcome = lake.agree()
    assert outcome.source == lake.state(SOURCE)
    assert lake.read() == b"TWO"


def test_source_that_never_rests_is_a_temporary_error_after_three_rounds(lake: Lake) -> None:
    lake.put(b"0")
    writes = iter(range(1, 100))

    def overwrite(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT":
            lake.put(str(next(writes)).encode())

    lake.before = overwrite
    with pytest.raises(TemporaryError, match="kept changing") as caught:
        lake.agree()
    assert caught.value.retry_after == 1
    assert [verb for verb, _ in lake.requests].count("PUT") == 3


def test_target_written_by_somebody_else_meanwhile_is_looked_at_again(lake: Lake) -> None:
    lake.put(b"one")

    def interfere(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT" and ref == TARGET:
            lake.before = None
            lake.put(b"foreign", TARGET)

    lake.before = interfere
    assert lake.agree().kind == "refused"
    assert lake.read() == b"foreign"


def test_handler_sees_the_state_that_the_mark_names(make_lake: MakeLake) -> None:
    seen: list[tuple[bytes, int, str, dict[str, str]]] = []

    def note(event: Event[Any], _context: Context[Any]) -> Result:
        seen.append((event.body.read(), event.size, event.content_type, dict(event.metadata)))
        return Result(b"")

    lake = make_lake(note)
    lake.put(b"one", content_type="text/x", metadata={"k": "v"})
    lake.agree()
    lake.put(b"three", content_type="text/y", metadata={})
    lake.agree()
    assert seen == [(b"one", 3, "text/x", {"k": "v"}), (b"three", 5, "text/y", {})]
