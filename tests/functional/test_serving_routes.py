"""Requests with many records: odd ones beside good ones, a bound on objects, and one log line for all failures."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from penstock.errors import TemporaryError
from penstock.serving.routes import MAX_EVENT_OBJECTS
from penstock.types import ObjectRef

from tests.functional.test_app import notification, serve
from tests.lake import Lake


def with_odd(*keys: str, odd: Any = None) -> dict[str, Any]:
    """A notification about `keys`, with one record that has an unknown event name in the middle."""
    body = notification(*keys)
    middle = notification("odd", name="s3:ObjectExploded:Now")["Records"][0] if odd is None else odd
    body["Records"].insert(1, middle)
    return body


def test_good_records_are_done_and_the_odd_one_is_reported_alone(lake: Lake) -> None:
    for key in ("a", "b"):
        lake.put(b"one", ObjectRef("upload", key))
    response = serve(lake).post("/event", json=with_odd("a", "b"))
    # Nothing in it can get better by another try.
    assert response.status_code == 400
    assert response.json is not None
    assert [result["outcome"] for result in response.json["results"]] == ["processed", "processed", "failed"]
    odd = response.json["results"][2]
    assert (odd["error"], odd["status"]) == ("EventError", 400)
    assert odd["reason"].startswith("event name 's3:ObjectExploded:Now' is unknown")
    assert lake.keys() == ["a", "b"]


def test_whole_request_is_tried_again_only_if_something_in_it_is_retryable(lake: Lake) -> None:
    for key in ("a", "b"):
        lake.put(b"one", ObjectRef("upload", key))

    def fail(_verb: str, ref: ObjectRef) -> None:
        if ref.key == "b":
            raise TemporaryError("the store is busy")

    lake.before = fail
    assert serve(lake).post("/event", json=with_odd("a", "b")).status_code == 503
    lake.before = None
    assert serve(lake).post("/event", json=with_odd("a", "b")).status_code == 400
    assert lake.keys() == ["a", "b"]


@pytest.mark.parametrize("odd", [5, {}, {"eventName": "s3:ObjectCreated:Put", "s3": {}}])
def test_odd_record_beside_ignored_ones_is_reported(lake: Lake, odd: Any) -> None:
    body = notification("a", name="s3:ObjectAccessed:Get")
    body["Records"].append(odd)
    response = serve(lake).post("/event", json=body)
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["outcome"] == "failed"
    assert lake.requests == []


def test_more_objects_than_the_limit_are_a_413_with_the_limit_and_touch_nothing(lake: Lake) -> None:
    references = [{"bucket": "upload", "key": str(number)} for number in range(MAX_EVENT_OBJECTS + 1)]
    response = serve(lake).post("/event", data=json.dumps(references))
    assert response.status_code == 413
    assert response.json is not None
    assert f"more than {MAX_EVENT_OBJECTS} objects; send at most {MAX_EVENT_OBJECTS}" in response.json["reason"]
    assert lake.requests == []


def test_failures_of_one_request_are_one_log_line(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    body = with_odd("a", *(str(number) for number in range(300)))
    for record in body["Records"][2:]:
        record["s3"]["bucket"]["name"] = "secret"
    with caplog.at_level(logging.INFO, "penstock.app"):
        response = serve(lake).post("/event", json=body)
    assert response.status_code == 403
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    (line,) = warnings
    assert line.getMessage().startswith("301 of 302 records failed, the first: s3://secret/0: bucket 'secret'")
    assert vars(line)["errors"] == {"Forbidden": 300, "EventError": 1}


def test_failure_of_one_object_is_logged_as_that_object(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "penstock.app"):
        serve(lake).post("/event", json=notification("a.txt", bucket="secret"))
    (line,) = caplog.records
    assert line.getMessage().startswith("s3://secret/a.txt: bucket 'secret' is not a source")
