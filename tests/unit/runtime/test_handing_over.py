"""A large source is handed to a Job, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.lake import SOURCE, Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def test_large_source_is_handed_over_and_nothing_is_written(make_lake: MakeLake) -> None:
    handed: list[ObjectRef] = []

    def offload(state: Any) -> str:
        handed.append(state.ref)
        return "handed to job penstock-upper-1"

    lake = make_lake(offload=offload, offload_above_bytes=3)
    lake.put(b"four")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.reason) == ("offloaded", 202, "handed to job penstock-upper-1")
    assert handed == [SOURCE]
    assert lake.keys() == []


def test_large_source_that_agrees_already_is_not_handed_over(make_lake: MakeLake) -> None:
    store = MemoryStore("upload", "processed")
    lake = make_lake(store=store)
    lake.put(b"four")
    lake.agree()
    with_jobs = make_lake(store=store, offload=lambda _state: pytest.fail("handed over"), offload_above_bytes=3)
    assert with_jobs.agree().kind == "processed"
