"""A refusal whose cause may have gone is tried again, once for each change of what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from penstock.reconcile.engine import reconcile
from penstock.types import Context, Event, Result

from tests.lake import SOURCE, TARGET, Lake

MakeLake = Callable[..., Lake]


def found(lake: Lake) -> dict[str, int]:
    return dict(reconcile(lake.runtime, check=True).found)


def test_a_target_of_another_owner_that_was_removed_as_the_message_says(lake: Lake) -> None:
    lake.put(b"theirs", TARGET)
    lake.put(b"ours")
    assert lake.agree().status == 422
    assert found(lake) == {"agreeing": 1}
    lake.delete(TARGET)
    assert found(lake) == {"stale": 1}
    assert reconcile(lake.runtime).done == {"processed": 1}
    assert (lake.read(), lake.refusals()) == (b"OURS", [])


def test_a_target_of_another_owner_that_changed_is_looked_at_once_more(lake: Lake) -> None:
    lake.put(b"theirs", TARGET)
    lake.put(b"ours")
    lake.agree()
    lake.put(b"theirs again", TARGET)
    assert found(lake) == {"foreign": 1}
    assert reconcile(lake.runtime).done == {"refused": 1}
    assert found(lake) == {"agreeing": 1}
    assert lake.read() == b"theirs again"


def test_an_object_over_a_limit_that_was_raised(make_lake: MakeLake) -> None:
    small = make_lake(max_input_bytes=2)
    small.put(b"three")
    assert small.agree().status == 413
    assert found(small) == {"agreeing": 1}
    raised = make_lake(max_input_bytes=5, store=small.store)
    assert found(raised) == {"stale": 1}
    assert reconcile(raised.runtime).done == {"processed": 1}
    assert (raised.read(), raised.refusals()) == (b"THREE", [])


def test_an_object_that_is_still_over_the_limit_is_tried_once_for_each_change_of_it(make_lake: MakeLake) -> None:
    small = make_lake(max_input_bytes=2)
    small.put(b"three")
    small.agree()
    raised = make_lake(max_input_bytes=4, store=small.store)
    assert reconcile(raised.runtime).done == {"refused": 1}
    assert found(raised) == {"agreeing": 1}
    assert found(small) == {"stale": 1}


def test_an_index_tries_again_too(make_lake: MakeLake, tmp_path: Path) -> None:
    def describe(event: Event[Any], _context: Context[Any]) -> Result:
        return Result({"kind": event.body.read().decode()})

    address = f"sqlite://{tmp_path}/index.sqlite"
    small = make_lake(describe, sink=address, max_input_bytes=2)
    small.put(b"three")
    assert small.agree().status == 413
    assert found(small) == {"agreeing": 1}
    raised = make_lake(describe, sink=address, max_input_bytes=5, store=small.store)
    assert found(raised) == {"stale": 1}
    assert reconcile(raised.runtime).done == {"processed": 1}
    assert found(raised) == {"agreeing": 1}


def test_a_refusal_that_rests_on_the_input_alone_stays_when_limits_change(make_lake: MakeLake) -> None:
    lake = make_lake(max_input_bytes=100)
    lake.put(b"bad")
    lake.agree()
    assert found(make_lake(max_input_bytes=200, store=lake.store)) == {"agreeing": 1}


def test_everything_refused_is_tried_again_on_demand(make_lake: MakeLake) -> None:
    lake = make_lake()
    lake.put(b"bad")
    lake.agree()

    def mended(event: Event[Any], _context: Context[Any]) -> Result:
        return Result(event.body.read().upper())

    newer = make_lake(mended, store=lake.store)
    assert found(newer) == {"agreeing": 1}
    assert reconcile(newer.runtime, check=True, retry_refused=True).found == {"stale": 1}
    assert reconcile(newer.runtime, retry_refused=True).done == {"processed": 1}
    assert newer.read(TARGET) == b"BAD"


@pytest.mark.parametrize("again", [1, 2])
def test_a_redelivery_writes_no_second_record_of_the_same(lake: Lake, again: int) -> None:
    lake.put(b"theirs", TARGET)
    lake.put(b"ours", SOURCE)
    lake.agree()
    for _ in range(again):
        assert not lake.agree().changed
