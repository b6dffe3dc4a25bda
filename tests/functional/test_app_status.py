"""`GET /status` of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from penstock import Context, Event, Result, TemporaryError
from penstock.runtime.answers import Failure
from penstock.serving.last_failures import LastFailures
from penstock.types import ObjectRef

from tests.functional.test_app import notification, raising, serve
from tests.lake import Lake, upper

MakeLake = Callable[..., Lake]


def test_status_is_answered_before_and_after_the_event(lake: Lake) -> None:
    lake.put(b"one")
    client = serve(lake)
    answer = client.get("/status?bucket=upload&key=a.txt")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json is not None
    assert answer.json["state"] == "pending"
    client.post("/event", json=notification("a.txt"))
    answer = client.get("/status", query_string={"bucket": "upload", "key": "a.txt"})
    assert answer.json is not None
    assert answer.json["state"] == "ready"


def test_pending_object_says_why_the_last_attempt_failed_until_one_succeeds(make_lake: MakeLake) -> None:
    failing = [True]

    def handle(event: Event[Any], context: Context[Any]) -> Result:
        if failing:
            raise TemporaryError(f"{event.name}: the library is not there")
        return upper(event, context)

    lake = make_lake(handle)
    client = serve(lake)
    for key in ("a.txt", "b.txt"):
        lake.put(b"one", ObjectRef("upload", key))

    def told(key: str) -> tuple[str, str | None]:
        answer = client.get("/status", query_string={"bucket": "upload", "key": key}).json
        assert answer is not None
        return answer["state"], answer.get("reason")

    assert client.post("/event", json=notification("a.txt")).status_code == 503
    assert told("a.txt") == ("pending", "the last attempt failed: a.txt: the library is not there")
    assert told("b.txt") == ("pending", None)
    failing.clear()
    assert client.post("/event", json=notification("a.txt")).status_code == 200
    assert told("a.txt") == ("ready", None)
    lake.put(b"two")
    assert told("a.txt") == ("pending", None), "no attempt of this state has failed"


def test_crash_is_named_by_its_incident(make_lake: MakeLake) -> None:
    lake = make_lake(raising(ZeroDivisionError("of the handler alone")))
    lake.put(b"one")
    client = serve(lake)
    assert client.post("/event", json=notification("a.txt")).status_code == 500
    answer = client.get("/status?bucket=upload&key=a.txt").json
    assert answer is not None
    assert answer["reason"].startswith("the last attempt failed: unexpected error; the log has it under incident ")


def test_last_failures_are_bounded() -> None:
    failures = LastFailures(max_objects=2)
    refs = [ObjectRef("upload", str(number)) for number in range(3)]
    for ref in (refs[0], refs[1], refs[0], refs[2]):
        failures.failed(ref, Failure(ref, TemporaryError(f"{ref}: later")))
    assert [bool(failures.reason(ref)) for ref in refs] == [True, False, True]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("", 400, "ask /status?bucket=BUCKET&key=KEY"),
        ("bucket=upload&key=a.txt&key=b.txt", 400, "parameter 'key' is given twice; give it once"),
        ("bucket=upload", 400, "ask /status"),
        ("bucket=upload&key=a&x=1", 400, "ask /status"),
        ("bucket=upload&key=", 400, "is empty"),
        ("bucket=upload&key=a/../b", 400, "segment"),
        ("bucket=secrets&key=a", 403, "not a source"),
    ],
)
def test_question_that_cannot_be_answered_says_why(lake: Lake, query: str, status: int, says: str) -> None:
    answer = serve(lake).get(f"/status?{query}")
    assert answer.status_code == status
    assert answer.json is not None
    assert says in answer.json["reason"]


def test_search_that_is_off_leaves_it_on(make_lake: MakeLake) -> None:
    lake = make_lake(search=False)
    assert serve(lake).get("/status?bucket=upload&key=a.txt").status_code == 200
    assert serve(lake).post("/status", data=b"one").data == b"ONE"
