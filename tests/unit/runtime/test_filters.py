"""Filters of SOURCE: an object that does not pass has no target, and one that no longer passes loses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from penstock import Result
from penstock.errors import TemporaryError
from penstock.settings.config import SourceRule
from penstock.store.headers import TAGGING
from penstock.types import ObjectState

from tests.lake import SOURCE, TARGET, Lake

MakeLake = Callable[..., Lake]


def filtered(make_lake: MakeLake, conditions: str, **settings: Any) -> Lake:
    return make_lake(sources=SourceRule.parse_all(f"s3://upload/*?{conditions}"), **settings)


def test_object_that_passes_is_processed_and_another_is_not(make_lake: MakeLake) -> None:
    lake = filtered(make_lake, "type=text/*&max=3")
    lake.put(b"one", content_type="text/plain")
    assert lake.agree().kind == "processed"
    lake = filtered(make_lake, "type=text/*&max=3")
    lake.put(b"four", content_type="text/plain")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.changed) == ("ignored", 204, False)
    assert outcome.reason == "not one of this function's sources: its 4 bytes are more than 3"
    assert lake.keys() == []


def test_bytes_of_an_object_that_does_not_pass_are_not_asked_for(make_lake: MakeLake) -> None:
    lake = filtered(make_lake, "type=image/*")
    lake.put(b"one", content_type="text/plain")
    assert lake.requests_of() == ["HEAD processed/a.txt", "GET refusal", "HEAD upload/a.txt"]


def test_rule_without_a_filter_costs_no_request_more(lake: Lake, make_lake: MakeLake) -> None:
    lake.put(b"one")
    before = lake.requests_of()
    assert before.count("HEAD upload/a.txt") == 1  # the look after the write
    other = filtered(make_lake, "min=1")
    other.put(b"one")
    assert sorted(other.requests_of()) == sorted([*before, "HEAD upload/a.txt"])


@pytest.mark.parametrize("removes", [False, True])
def test_target_goes_when_its_source_no_longer_passes_and_comes_back(make_lake: MakeLake, removes: bool) -> None:
    lake = filtered(make_lake, "type=text/*", remove_with_source=removes)
    lake.put(b"one", content_type="text/plain")
    lake.agree()
    lake.put(b"one", content_type="image/png")
    outcome = lake.agree()
    assert (outcome.kind, outcome.changed) == ("ignored", True)
    assert lake.keys() == []
    assert (lake.agree().kind, lake.agree().changed) == ("ignored", False)
    lake.put(b"one", content_type="text/plain")
    assert lake.agree().kind == "processed"
    assert lake.read() == b"ONE"


def test_refusal_goes_when_its_source_no_longer_passes(make_lake: MakeLake) -> None:
    lake = filtered(make_lake, "max=6")
    lake.put(b"bad")
    assert lake.agree().kind == "refused"
    lake.put(b"bad and long")
    assert lake.agree().kind == "ignored"
    assert lake.keys() == []


def test_foreign_target_stays(make_lake: MakeLake) -> None:
    lake = filtered(make_lake, "max=1")
    lake.put(b"theirs", TARGET)
    lake.put(b"long")
    assert lake.agree().kind == "ignored"
    assert lake.read() == b"theirs"


def test_document_of_an_index_goes_too(make_lake: MakeLake, tmp_path: Path) -> None:
    def describe(event: Any, context: Any) -> Result:
        return Result({"kind": "text"})

    lake = filtered(make_lake, "max=3", handle=describe, sink=f"sqlite://{tmp_path}/index.db")
    lake.put(b"one")
    lake.agree()
    sink: Any = lake.sink
    assert sink.document("upload", "a.txt")["size"] == 3
    lake.put(b"four")
    lake.agree()
    assert sink.document("upload", "a.txt") is None
    sink.close()


def test_tags_decide_and_a_new_tag_brings_the_target(make_lake: MakeLake) -> None:
    lake = filtered(make_lake, "tag.kind=photo")
    lake.put(b"one")
    outcome = lake.agree()
    assert outcome.reason == "not one of this function's sources: it has no tag 'kind'"
    lake.put(b"one", headers={TAGGING: "kind=photo"})
    assert lake.agree().kind == "processed"


def test_tags_that_cannot_be_read_remove_nothing(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = filtered(make_lake, "tag.kind=photo")
    lake.put(b"one", headers={TAGGING: "kind=photo"})
    lake.agree()

    def none(_state: ObjectState) -> None:
        return None

    monkeypatch.setattr(lake.store, "tags", none)
    with pytest.raises(TemporaryError, match="s3:GetObjectTagging"):
        lake.agree()
    assert lake.read() == b"ONE"


def test_source_that_stops_passing_while_it_is_processed_ends_without_a_target(make_lake: MakeLake) -> None:
    lake = filtered(make_lake, "max=3")
    lake.put(b"one")
    seen: list[str] = []

    def overwrite(verb: str, ref: Any) -> None:
        if verb == "PUT" and not seen:
            seen.append(verb)
            lake.put(b"four")

    lake.before = overwrite
    assert lake.agree().kind == "ignored"
    assert seen
    assert lake.keys() == []
    assert lake.state(SOURCE) is not None
