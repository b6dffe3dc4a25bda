"""Of each request the console has one record for each object."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from penstock.local.console.meter import Meter
from penstock.local.console.records import records_of
from penstock.local.gateway.invocations import Invocation


def invocation(answer: Mapping[str, Any] | None = None, **changes: Any) -> Invocation:
    given: dict[str, Any] = {"function": "resize", "method": "POST", "path": "/event", "status": 200, "cold": False}
    given |= {"seconds": 0.5, "bytes_in": 100, "bytes_out": 200, "call_id": "id", "answer": answer, "finished": 7.0}
    return Invocation(**(given | changes))


PROCESSED = {
    "outcome": "processed",
    "source": {"bucket": "images", "key": "a.jpg", "size": 1000},
    "targets": [{"address": "s3://processed/a.jpg", "size": 300, "notes": ["one", "one"]}],
}


def test_an_event_has_the_sizes_of_its_objects_and_not_of_its_request() -> None:
    [record] = records_of(invocation(PROCESSED))
    assert (record["object"], record["outcome"], record["in"], record["out"]) == (
        "images/a.jpg",
        "processed",
        1000,
        300,
    )
    assert (record["saves"], record["stored"], record["notes"], record["ms"]) == (True, 300, ["one"], 500.0)


def test_what_goes_into_an_index_saves_nothing() -> None:
    [record] = records_of(invocation(PROCESSED | {"targets": [{"address": "sqlite:///index", "size": 50}]}))
    assert (record["saves"], record["stored"], record["out"]) == (False, 0, 50)


def test_an_event_with_several_objects_has_a_record_for_each() -> None:
    failed = {"outcome": "failed", "status": 503, "reason": "not now", "source": {"bucket": "images", "key": "b.jpg"}}
    first, second = records_of(invocation({"results": [PROCESSED, failed]}, status=503))
    assert (first["key"], first["reason"]) == ("a.jpg", "")
    assert (second["key"], second["status"], second["reason"]) == ("b.jpg", 503, "not now")


def test_the_reason_of_one_target_is_told() -> None:
    refused = {
        **PROCESSED,
        "outcome": "refused",
        "targets": [{"address": "s3://processed/a.jpg", "reason": "too large"}],
    }
    [record] = records_of(invocation(refused, status=413))
    assert record["reason"] == "too large"


def test_a_call_without_an_answer_says_why() -> None:
    [record] = records_of(invocation(None, status=502, reason="broke off"))
    assert (record["object"], record["outcome"], record["reason"]) == ("POST /event", "failed", "broke off")


def test_a_direct_call_has_its_own_sizes_and_a_search_is_none() -> None:
    [record] = records_of(invocation(None, path="/?width=80"))
    assert (record["object"], record["outcome"], record["in"], record["out"]) == (
        "POST /?width=80",
        "answered",
        100,
        200,
    )
    assert list(records_of(invocation(None, method="GET", path="/?q=x"))) == []


ODD: list[Any] = [[], {}, "text", 7, 1.5, True, None, [[]], [{}], {"a": []}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("member", ["source", "targets", "results", "outcome", "reason", "incident", "status"])
def test_a_record_is_made_of_any_json(member: str, odd: Any) -> None:
    made = invocation(PROCESSED | {member: odd})
    for record in records_of(made):
        Meter().add(record)
        json.dumps(record)
    assert isinstance(made.why, str)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("member", ["address", "size", "notes", "reason"])
def test_a_record_is_made_of_any_target(member: str, odd: Any) -> None:
    target = {"address": "s3://processed/a.jpg", "size": 300, "notes": ["one"], member: odd}
    [record] = records_of(invocation(PROCESSED | {"targets": [target]}))
    Meter().add(record)
    json.dumps(record)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("member", ["bucket", "key", "size"])
def test_a_record_is_made_of_any_source(member: str, odd: Any) -> None:
    source = {"bucket": "images", "key": "a.jpg", "size": 1, member: odd}
    [record] = records_of(invocation(PROCESSED | {"source": source}))
    Meter().add(record)
    json.dumps(record)
