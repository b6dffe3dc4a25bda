"""Reconcile and the filters of SOURCE: from the listing alone, with the guard against many removals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from penstock.reconcile.compare import TooManyRemovals
from penstock.reconcile.engine import reconcile
from penstock.runtime.runtime import Runtime
from penstock.settings.config import SourceRule
from penstock.store.headers import TAGGING
from penstock.types import ObjectRef

from tests.lake import Lake

MakeLake = Callable[..., Lake]


def refs(number: int) -> Iterator[ObjectRef]:
    return (ObjectRef("upload", f"{each:03}.txt") for each in range(number))


def narrowed(lake: Lake, text: str) -> Runtime:
    """The same function after its SOURCE was changed."""
    return replace(lake.runtime, config=replace(lake.config, sources=SourceRule.parse_all(text)))


def test_what_does_not_pass_is_neither_made_nor_counted_nor_asked_for(make_lake: MakeLake) -> None:
    lake = make_lake(sources=SourceRule.parse_all("s3://upload/*?type=text/{plain,csv}&max=5"))
    for number, ref in enumerate(refs(6)):
        lake.put(b"1234567"[: number + 2], ref, content_type=("text/plain", "image/png")[number % 2])
    lake.requests.clear()
    report = reconcile(lake.runtime, check=True)
    assert report.found == {"missing": 2}
    assert {verb for verb, _ in lake.requests} == {"LIST"}
    reconcile(lake.runtime)
    assert lake.keys() == ["000.txt", "002.txt"]
    assert reconcile(lake.runtime, check=True).found == {"agreeing": 2}


@pytest.mark.parametrize("removes", [False, True])
def test_targets_and_refusals_of_what_no_longer_passes_are_removed(make_lake: MakeLake, removes: bool) -> None:
    lake = make_lake(remove_with_source=removes)
    for number, ref in enumerate(refs(4)):
        lake.put((b"one", b"bad", b"long text", b"bad and long")[number], ref)
        lake.agree(ref)
    assert len(lake.refusals()) == 2
    runtime = narrowed(lake, "s3://upload/*?max=4")
    assert reconcile(runtime, check=True).found == {"agreeing": 2, "excluded": 2}
    assert reconcile(runtime, yes=True).done == {"ignored": 2}
    assert lake.keys()[1:] == ["000.txt"]
    assert len(lake.refusals()) == 1
    assert reconcile(runtime, check=True).found == {"agreeing": 2}


def test_filter_that_would_remove_many_needs_yes(make_lake: MakeLake) -> None:
    lake = make_lake()
    for ref in refs(3):
        lake.put(b"text", ref)
        lake.agree(ref)
    runtime = narrowed(lake, "s3://upload/*?min=1GB")
    with pytest.raises(TooManyRemovals, match="3 of 3 targets"):
        reconcile(runtime)
    assert len(lake.keys()) == 3
    reconcile(runtime, yes=True)
    assert lake.keys() == []


def test_foreign_target_of_what_does_not_pass_is_left_alone(make_lake: MakeLake) -> None:
    lake = make_lake(sources=SourceRule.parse_all("s3://upload/*?max=1"))
    lake.put(b"long")
    lake.put(b"theirs", ObjectRef("processed", "a.txt"))
    assert reconcile(lake.runtime).found == {}
    assert lake.read() == b"theirs"


def test_tags_are_asked_for_where_only_they_decide(make_lake: MakeLake) -> None:
    lake = make_lake(sources=SourceRule.parse_all("s3://upload/*?max=5&tag.kind=photo"))
    tagged: dict[str, Any] = {"headers": {TAGGING: "kind=photo"}}
    for (data, how), ref in zip(((b"a", tagged), (b"b", {}), (b"too long", tagged)), refs(3), strict=True):
        lake.put(data, ref, **how)
    lake.requests.clear()
    assert reconcile(lake.runtime, check=True).found == {"missing": 1}
    assert [key for verb, key in lake.requests if verb == "TAGS"] == ["upload/000.txt", "upload/001.txt"]
