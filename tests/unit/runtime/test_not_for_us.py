"""Rule 1: what is not for this function is ignored or forbidden, and nothing is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from penstock import Forbidden, TemporaryError
from penstock.settings.config import SourceRule
from penstock.types import ObjectRef

from tests.lake import TARGET, Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


@pytest.mark.parametrize("key", ["a.csv", "photos/", ".penstock/refused/upper/1.json", ".penstock/x.txt"])
def test_key_outside_the_sources_is_ignored_without_a_request(make_lake: MakeLake, key: str) -> None:
    lake = make_lake(sources=(SourceRule("upload", suffix=".txt"), SourceRule("upload", suffix="/")))
    outcome = lake.agree(ObjectRef("upload", key))
    assert (outcome.kind, outcome.status, lake.requests) == ("ignored", 204, [])


def test_bucket_outside_the_allow_list_is_forbidden_and_nothing_is_read(lake: Lake) -> None:
    with pytest.raises(Forbidden, match=r"'secret' is not a source of upper; its sources: upload"):
        lake.agree(ObjectRef("secret", "a.txt"))
    assert lake.requests == []


def test_own_target_bucket_is_not_on_the_allow_list(lake: Lake) -> None:
    with pytest.raises(Forbidden):
        lake.agree(TARGET)


def test_function_without_a_sink_says_what_to_set() -> None:
    lake = Lake()
    lake.runtime = replace(lake.runtime, sink=None)
    with pytest.raises(TemporaryError, match="set SOURCE, SINK and MINIO_ENDPOINT"):
        lake.agree()
