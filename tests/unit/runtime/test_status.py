"""Is it ready? Every state that an object can have, and that looking writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from penstock import Result
from penstock.errors import EventError, Forbidden, TemporaryError
from penstock.runtime.status import status_document, status_of
from penstock.settings.config import SourceRule
from penstock.types import Mark, ObjectRef

from tests.lake import SOURCE, TARGET, Lake

MakeLake = Callable[..., Lake]
RENDITIONS: Mapping[str, Mapping[str, str]] = {"one": {"times": "1"}, "two": {"times": "2"}}


def looked_at(lake: Lake, ref: ObjectRef = SOURCE) -> dict[str, Any]:
    """The status as JSON; looking must not write."""
    lake.requests.clear()
    found = status_document(status_of(lake.runtime, ref), lake.function.name)
    assert {verb for verb, _ in lake.requests} <= {"HEAD", "GET", "TAGS"}
    assert ("GET", "upload/a.txt") not in lake.requests
    return found


def test_object_is_pending_then_ready_then_pending_again(lake: Lake) -> None:
    lake.put(b"one", content_type="text/plain")
    found = looked_at(lake)
    assert (found["state"], found["function"]) == ("pending", "upper")
    assert found["source"].items() >= {"bucket": "upload", "key": "a.txt", "size": 3}.items()
    assert found["targets"] == [{"address": "s3://processed/a.txt", "state": "missing"}]
    lake.agree()
    found = looked_at(lake)
    assert found["state"] == "ready"
    assert found["targets"] == [{"address": "s3://processed/a.txt", "state": "ready", "size": 3}]
    lake.put(b"two!")
    assert [looked_at(lake)["state"], looked_at(lake)["targets"][0]["state"]] == ["pending", "stale"]


def test_refusal_is_told_with_its_reason_until_the_source_is_another(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    found = looked_at(lake)
    assert found["state"] == "refused"
    assert found["targets"] == [
        {
            "address": "s3://processed/a.txt",
            "state": "refused",
            "error": "UnsupportedInput",
            "reason": "a.txt: starts with bad",
            "status": 415,
        }
    ]
    lake.put(b"good")
    assert looked_at(lake)["state"] == "pending"


def test_foreign_target_is_told_and_the_refusal_beside_it(lake: Lake) -> None:
    lake.put(b"theirs", TARGET)
    lake.put(b"one")
    assert looked_at(lake)["state"] == "foreign"
    lake.agree()
    found = looked_at(lake)
    assert found["state"] == "refused"
    assert "carries no mark" in found["targets"][0]["reason"]


def test_each_rendition_has_its_state(make_lake: MakeLake) -> None:
    lake = make_lake(sink="s3://processed/{rendition}/{key}", renditions=RENDITIONS)
    lake.put(b"one")
    lake.agree()
    lake.delete(ObjectRef("processed", "two/a.txt"))
    found = looked_at(lake)
    assert found["state"] == "pending"
    assert [(each["rendition"], each["state"]) for each in found["targets"]] == [("one", "ready"), ("two", "missing")]


def test_source_that_is_gone_shows_what_is_left_of_it(lake: Lake) -> None:
    assert looked_at(lake) == {
        "state": "gone",
        "function": "upper",
        "source": {"bucket": "upload", "key": "a.txt"},
    }
    lake.put(b"one")
    lake.agree()
    lake.delete()
    assert looked_at(lake)["targets"] == [{"address": "s3://processed/a.txt", "state": "stale", "size": 3}]


def test_object_that_is_not_taken_says_why(make_lake: MakeLake) -> None:
    lake = make_lake(sources=SourceRule.parse_all("s3://upload/*.txt?max=3"))
    lake.put(b"four")
    assert looked_at(lake)["reason"] == "its 4 bytes are more than 3"
    found = looked_at(lake, ObjectRef("upload", "a.png"))
    assert (found["state"], found["reason"]) == ("excluded", "not one of this function's sources")
    with pytest.raises(Forbidden, match="not a source of upper"):
        looked_at(lake, ObjectRef("secrets", "a.txt"))
    with pytest.raises(EventError, match="is empty"):
        looked_at(lake, ObjectRef("upload", ""))


def test_job_under_way_is_named_while_it_is_pending(make_lake: MakeLake) -> None:
    lake = make_lake(find_job=lambda source: f"lake/upper-{source.size}")
    lake.put(b"one")
    assert looked_at(lake)["job"] == "lake/upper-3"
    lake.agree()
    assert "job" not in looked_at(lake)


def test_index_is_asked_too(make_lake: MakeLake, tmp_path: Path) -> None:
    def describe(event: Any, context: Any) -> Result:
        return Result({"kind": "text"})

    lake = make_lake(handle=describe, sink=f"sqlite://{tmp_path}/index.db")
    lake.put(b"one")
    assert looked_at(lake)["state"] == "pending"
    lake.agree()
    found = looked_at(lake)
    assert (found["state"], found["targets"][0]["address"]) == ("ready", "upload/a.txt")


def test_store_that_cannot_be_reached_is_not_taken_for_a_missing_source(lake: Lake) -> None:
    def fail(_verb: str, ref: ObjectRef) -> None:
        raise TemporaryError(f"{ref}: cannot be reached")

    lake.store.on_request = fail
    with pytest.raises(TemporaryError):
        status_of(lake.runtime, SOURCE)


def test_mark_of_a_ready_target_is_that_of_the_present_state(lake: Lake) -> None:
    state = lake.put(b"one")
    lake.agree()
    [target] = status_of(lake.runtime, SOURCE).targets
    assert target.entry is not None
    assert isinstance(target.entry.mark, Mark)
    assert target.entry.mark.state == state.token
