"""A lake in memory with one function: the runtime itself, with its checks, targets and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock import (
    TemporaryError,
)
from penstock.errors import ConfigError
from penstock.testing import Lake

from tests.unit.testing.example import calls, documents, handle


def test_object_that_is_put_becomes_a_target() -> None:
    lake = Lake(handle, sink="s3://processed/{key}.out", times=2)
    outcome = lake.put("notes/a.txt", b"ab", content_type="text/plain", metadata={"owner": "ann"})
    assert (outcome.kind, outcome.changed) == ("processed", True)
    assert lake.outputs() == {"notes/a.txt.out": b"abab"}
    again = lake.notify("notes/a.txt")
    assert (again.kind, again.changed) == ("processed", False)


def test_refusal_says_why_and_leaves_no_target() -> None:
    lake = Lake(handle)
    lake.put("a.txt", b"good")
    outcome = lake.put("a.txt", b"bad")
    assert (outcome.kind, outcome.status, outcome.reason) == ("refused", 415, "a.txt: starts with bad")
    assert lake.outputs() == {}
    assert lake.put("b.txt", b"done").status == 200


def test_what_may_work_later_is_raised() -> None:
    with pytest.raises(TemporaryError, match="not yet"):
        Lake(handle).put("a.txt", b"wait")


def test_removed_object_takes_its_target_along_where_that_is_set() -> None:
    for remove, left in ((True, {}), (False, {"a.txt": b"ab"})):
        lake = Lake(handle, remove_with_source=remove)
        lake.put("a.txt", b"ab")
        lake.remove("a.txt")
        assert lake.outputs() == left


def test_renditions_are_all_made() -> None:
    lake = Lake(
        handle, sink="s3://processed/{rendition}/{key}", renditions={"loud": {"upper": True}, "long": {"times": 3}}
    )
    lake.put("a", b"x")
    assert lake.outputs() == {"loud/a": b"X", "long/a": b"xxx"}


def test_new_version_works_on_the_targets_of_the_old_one() -> None:
    old = Lake(handle)
    old.put("a", b"x")
    assert not Lake(handle, store=old.store).notify("a").changed
    new = Lake(handle, store=old.store, times=2)
    assert new.notify("a").changed
    assert old.outputs() == new.outputs() == {"a": b"xx"}


def test_source_pattern_and_loops_are_checked_as_in_a_deployment() -> None:
    lake = Lake(handle, source="s3://upload/*.csv", sink="s3://processed/{key}")
    assert lake.put("a.txt", b"x").kind == "ignored"
    with pytest.raises(ConfigError, match="an endless loop"):
        Lake(handle, source="s3://upload/*", sink="s3://upload/{key}.out")
    with pytest.raises(ConfigError, match="option times='9'"):
        Lake(handle, times=9)
    with pytest.raises(ConfigError, match="bucket 'in': expected 3 to 63 lower-case letters"):
        Lake(handle, source="s3://in/*")


def test_documents_go_to_an_index_and_are_found(tmp_path: Path) -> None:
    calls.clear()
    with Lake(documents, sink=f"sqlite://{tmp_path}/index.db", function="catalogue") as lake:
        assert calls == ["start catalogue"]
        lake.put("notes/rose.txt", b"abc", content_type="text/plain")
        document = lake.document("notes/rose.txt")
        assert document is not None
        assert (document["size"], document["kind"], document["content_type"]) == (3, "text", "text/plain")
        assert lake.query(q="rose") == {"found": ["notes/rose.txt"]}
        lake.remove("notes/rose.txt")
        assert lake.document("notes/rose.txt") is None
    assert calls == ["start catalogue", "stop"]


def test_outputs_of_a_sink_without_a_bucket_say_what_to_ask(tmp_path: Path) -> None:
    with (
        Lake(documents, sink=f"sqlite://{tmp_path}/index.db") as lake,
        pytest.raises(TypeError, match=r"this sink writes no bucket: see `document`"),
    ):
        lake.outputs()


def test_lake_says_what_it_does_not_have() -> None:
    with pytest.raises(TypeError, match=r"this sink is a bucket: see `outputs`"):
        Lake(handle).document("a")


def test_app_answers_direct_calls() -> None:
    answer = Lake(handle).app.test_client().post("/a.txt?times=2", data=b"ab", content_type="text/plain")
    assert (answer.status_code, answer.data) == (200, b"abab")
