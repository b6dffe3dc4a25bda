"""Keys that a template makes and that no target may have: each is a recorded refusal, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from penstock.errors import EventError
from penstock.types import ObjectRef

from tests.lake import Lake

MakeLake = Callable[..., Lake]

WRONG = [
    ("...jpg", "s3://processed/{stem}/page.png", "has a segment '.' or '..'"),
    ("..jpg", "s3://processed/{stem}/page.png", "has a segment '.' or '..'"),
    ("a/...jpg", "s3://processed/pages/{stem}/page.png", "has a segment '.' or '..'"),
    (" .. .jpg", "s3://processed/{stem}/page.png", "has a segment '.' or '..'"),
    ("a\\...jpg", "s3://processed/{stem}", "has a segment '.' or '..'"),
    (".penstock.jpg", "s3://processed/{stem}/page.png", "begins with .penstock/, which is Penstock's own"),
    (".penstock.jpg", "s3://processed/{stem}/refused/x/{key}", "begins with .penstock/, which is Penstock's own"),
    ("a//b.jpg", "s3://processed/{stem}.png", "has nothing between two slashes"),
    ("é" * 510, "s3://processed/{key}.webp", "has 1025 bytes, S3 allows 1024"),
]


@pytest.mark.parametrize(("key", "sink", "says"), WRONG)
def test_key_that_no_target_may_have_is_a_recorded_refusal(make_lake: MakeLake, key: str, sink: str, says: str) -> None:
    lake = make_lake(sink=sink)
    ref = ObjectRef("upload", key)
    lake.put(b"one", ref)
    outcome = lake.agree(ref)
    assert (outcome.kind, outcome.status) == ("refused", 422)
    assert says in outcome.reason
    assert str(ref) in outcome.reason
    assert f"give the object another name, or change the template {sink}" in outcome.reason
    written = lake.keys()
    assert len(written) == len(lake.refusals()) == 1
    assert not lake.agree(ref).changed
    lake.delete(ref)
    lake.agree(ref)
    assert lake.keys() == []


@pytest.mark.parametrize("key", ["two\nlines", "a\x01b", "\x7f", "a/..b", "...", "a\\b", "é" * 512, "..a/b"])
def test_odd_key_that_minio_takes_is_taken(make_lake: MakeLake, key: str) -> None:
    lake = make_lake(sink="s3://processed/{key}")
    ref = ObjectRef("upload", key)
    lake.put(b"one", ref)
    assert lake.agree(ref).kind == "processed"
    assert lake.keys() == [key]


def test_key_that_utf8_cannot_hold_is_an_error_of_its_event_and_leaves_the_others_alone(make_lake: MakeLake) -> None:
    lake = make_lake()
    good = ObjectRef("upload", "a.txt")
    lake.put(b"one", good)
    bad, done = lake.runtime.agree_all([ObjectRef("upload", "half \ud800.txt"), good])
    assert isinstance(bad, EventError)
    assert "half of a surrogate pair" in str(bad)
    assert not isinstance(done, Exception)
    assert done.kind == "processed"
