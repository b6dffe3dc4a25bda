"""Events of stores that leave a doubt: both objects are looked at, and what is meant is remembered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from penstock.errors import TemporaryError
from penstock.types import ObjectRef

from tests.functional.test_app import notification, serve
from tests.lake import Lake
from tests.paths import EVENTS

PLUS, SPACE = ObjectRef("upload", "a+b.csv"), ObjectRef("upload", "a b.csv")


def ceph(key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    body = notification("x", name=name)
    body["Records"][0]["eventSource"] = "ceph:s3"
    body["Records"][0]["s3"]["object"]["key"] = key
    return {"Records": body["Records"]}


def looked_at(lake: Lake) -> set[str]:
    """The sources that were asked for, by key; what was asked is forgotten."""
    found = {path.removeprefix("upload/") for _, path in lake.requests if path.startswith("upload/")}
    lake.requests.clear()
    return found


@pytest.mark.parametrize("there", [PLUS, SPACE], ids=["raw", "encoded"])
def test_object_that_is_there_is_the_one_that_was_meant(lake: Lake, there: ObjectRef) -> None:
    lake.put(b"one", there)
    response = serve(lake).post("/event", json=ceph("a+b.csv"))
    assert response.status_code == 200
    assert response.json is not None
    assert (response.json["outcome"], response.json["source"]["key"]) == ("processed", there.key)
    assert lake.keys() == [there.key]


@pytest.mark.parametrize("there", [PLUS, SPACE], ids=["raw", "encoded"])
def test_what_the_store_means_is_remembered(lake: Lake, there: ObjectRef) -> None:
    client = serve(lake)
    lake.put(b"one", there)
    client.post("/event", json=ceph("a+b.csv"))
    assert looked_at(lake) == {"a+b.csv", "a b.csv"}
    meant = there.key.replace("a", "c")
    lake.put(b"two", ObjectRef("upload", meant))
    client.post("/event", json=ceph("c+b.csv"))
    assert looked_at(lake) == {meant}


def test_store_that_changes_its_mind_is_noticed(lake: Lake) -> None:
    client = serve(lake)
    lake.put(b"one", PLUS)
    client.post("/event", json=ceph("a+b.csv"))
    lake.put(b"two", ObjectRef("upload", "c d.csv"))
    assert client.post("/event", json=ceph("c+d.csv")).status_code == 200
    assert lake.keys() == ["a+b.csv", "c d.csv"]
    looked_at(lake)
    lake.put(b"three", ObjectRef("upload", "e f.csv"))
    client.post("/event", json=ceph("e+f.csv"))
    assert looked_at(lake) == {"e f.csv"}


def test_both_are_answered_where_both_are_there(lake: Lake) -> None:
    lake.put(b"one", PLUS)
    lake.put(b"two", SPACE)
    response = serve(lake).post("/event", json=ceph("a+b.csv"))
    assert response.json is not None
    assert {each["source"]["key"] for each in response.json["results"]} == {"a+b.csv", "a b.csv"}


def test_removed_object_is_removed_whichever_key_was_meant(lake: Lake) -> None:
    removing = Lake(remove_with_source=True)
    client = serve(removing)
    removing.put(b"one", SPACE)
    client.post("/event", json=ceph("a+b.csv"))
    removing.store.delete(SPACE)
    response = client.post("/event", json=ceph("a+b.csv", "ObjectRemoved:Delete"))
    assert response.status_code == 200
    assert removing.keys() == []


def test_failure_of_either_is_tried_again(lake: Lake) -> None:
    lake.put(b"one", PLUS)

    def fail(_verb: str, ref: ObjectRef) -> None:
        if ref.key == "a b.csv":
            raise TemporaryError("the store is busy")

    lake.before = fail
    assert serve(lake).post("/event", json=ceph("a+b.csv")).status_code == 503


def test_profile_says_beforehand_what_is_meant() -> None:
    lake = Lake(store_profile="ceph")
    lake.put(b"one", PLUS)
    serve(lake).post("/event", json=ceph("a+b.csv"))
    assert looked_at(lake) == {"a+b.csv"}


@pytest.mark.parametrize(
    ("profile", "words"), [("gcs", "Google Cloud Storage"), ("azure", "Azure Blob Storage")], ids=["gcs", "azure"]
)
def test_event_of_another_cloud_needs_an_s3_endpoint(profile: str, words: str) -> None:
    body = (EVENTS / f"cloudevent_{profile}.json").read_bytes()
    headers = {"Content-Type": "application/cloudevents+json"}
    lake = Lake()
    response = serve(lake).post("/event", data=body, headers=headers)
    assert response.status_code == 422
    assert words in response.text
    assert f"STORE_PROFILE={profile}" in response.text
    assert lake.requests == []
    lake = Lake(store_profile=profile)
    key = "dir/日本 x+y 100%.csv"
    lake.put(b"one", ObjectRef("upload", key))
    assert serve(lake).post("/event", data=body, headers=headers).status_code == 200
    assert lake.keys() == [key]


def test_several_envelopes_of_one_request_are_all_read(lake: Lake) -> None:
    for key in ("a", "b"):
        lake.put(b"one", ObjectRef("upload", key))
    inside = [json.dumps(notification(key)) for key in ("a", "b")]
    body = {"Records": [{"eventSource": "aws:sqs", "messageId": str(n), "body": text} for n, text in enumerate(inside)]}
    assert serve(lake).post("/event", json=body).status_code == 200
    assert lake.keys() == ["a", "b"]
