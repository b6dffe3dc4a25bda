"""Rule 2: target and source are looked at, in a fixed number of requests, and only NoSuchKey means gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from penstock import Context, Event, Result, TemporaryError
from penstock.store.memory import MemoryStore

from tests.lake import Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def test_new_object_costs_five_requests(lake: Lake) -> None:
    lake.put(b"one")
    assert lake.requests_of() == [
        "HEAD processed/a.txt",
        "GET refusal",
        "GET upload/a.txt",
        "PUT processed/a.txt",
        "HEAD upload/a.txt",
    ]
    assert lake.read() == b"ONE"


def test_unchanged_object_costs_two_requests_and_no_write(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    assert lake.requests_of() == ["HEAD processed/a.txt", "HEAD upload/a.txt"]


def test_changed_object_costs_six_requests(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")
    assert lake.requests_of() == [
        "HEAD processed/a.txt",
        "HEAD upload/a.txt",
        "GET refusal",
        "GET upload/a.txt",
        "PUT processed/a.txt",
        "HEAD upload/a.txt",
    ]
    assert lake.read() == b"TWO"


def test_refused_object_costs_six_requests_when_it_is_tried_again(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    assert lake.requests_of() == [
        "HEAD processed/a.txt",
        "GET refusal",
        "HEAD upload/a.txt",
        "GET upload/a.txt",
        "HEAD upload/a.txt",
    ]


def test_source_that_never_was_leaves_nothing(lake: Lake) -> None:
    assert lake.requests_of() == ["HEAD processed/a.txt", "GET refusal", "GET upload/a.txt"]
    assert lake.keys() == []


def test_removed_source_keeps_its_target_unless_told_otherwise(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.delete()
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("ignored", 204)
    assert "kept as configured" in outcome.reason
    assert lake.read() == b"ONE"


def test_removed_source_takes_its_target_along_where_configured(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    lake.delete()
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.changed) == ("removed", 200, True)
    assert lake.keys() == []


def test_missing_source_bucket_is_temporary_and_removes_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    del lake.store.buckets["upload"]
    with pytest.raises(TemporaryError, match="bucket does not exist"):
        lake.agree()
    assert lake.read() == b"ONE"


def test_missing_target_bucket_is_temporary_and_runs_nothing(make_lake: MakeLake) -> None:
    calls: list[str] = []

    def note(event: Event[Any], _context: Context[Any]) -> Result:
        calls.append(event.name)
        return Result(b"")

    lake = make_lake(note, store=MemoryStore("upload"))
    lake.put(b"one")
    with pytest.raises(TemporaryError, match="s3://processed: the bucket does not exist"):
        lake.agree()
    assert calls == []
