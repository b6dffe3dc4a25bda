"""`GET /status` of a function."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functional.test_app import notification, serve
from tests.lake import Lake

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


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("", 400, "ask /status?bucket=BUCKET&key=KEY"),
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
