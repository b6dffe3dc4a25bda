"""One source and several targets: each rule holds for each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock import Context, Event, Result, UnsupportedInput
from penstock.types import ObjectRef

from tests.lake import Lake, Options, upper

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def _renditions(make_lake: MakeLake, **how: Any) -> Lake:
    return make_lake(
        sink="s3://processed/{rendition}/{key}", renditions={"one": {"times": "1"}, "two": {"times": "2"}}, **how
    )


def test_renditions_are_made_from_one_fetch(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake)
    lake.put(b"ab")
    assert lake.requests_of() == [
        "HEAD processed/one/a.txt",
        "GET refusal",
        "HEAD processed/two/a.txt",
        "GET refusal",
        "GET upload/a.txt",
        "PUT processed/one/a.txt",
        "PUT processed/two/a.txt",
        "HEAD upload/a.txt",
    ]
    assert lake.read(ObjectRef("processed", "one/a.txt")) == b"AB"
    assert lake.read(ObjectRef("processed", "two/a.txt")) == b"ABAB"


def test_only_the_rendition_that_does_not_agree_is_made(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake)
    lake.put(b"ab")
    lake.agree()
    lake.delete(ObjectRef("processed", "two/a.txt"))
    made = [request for request in lake.requests_of() if request.startswith("PUT")]
    assert made == ["PUT processed/two/a.txt"]


def test_one_refused_rendition_refuses_the_event_and_keeps_the_other(make_lake: MakeLake) -> None:
    def picky(event: Event[Options], context: Context[Options]) -> Result:
        if context.rendition == "two":
            raise UnsupportedInput("not twice")
        return upper(event, context)

    lake = _renditions(make_lake, handle=picky)
    lake.put(b"ab")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status, outcome.reason) == ("refused", 415, "not twice")
    assert lake.read(ObjectRef("processed", "one/a.txt")) == b"AB"
    assert len(lake.refusals()) == 1


def test_renditions_share_what_is_computed_once(make_lake: MakeLake) -> None:
    computed: list[str] = []

    def sharing(event: Event[Options], context: Context[Options]) -> Result:
        def decode() -> bytes:
            computed.append(str(context.rendition))
            return event.body.read()

        return Result(context.shared("decoded", decode) * event.options.times)

    lake = _renditions(make_lake, handle=sharing)
    lake.put(b"ab")
    lake.agree()
    assert computed == ["one"]
    assert lake.read(ObjectRef("processed", "two/a.txt")) == b"abab"


def test_removed_source_takes_all_renditions_along(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake, remove_with_source=True)
    lake.put(b"ab")
    lake.agree()
    lake.delete()
    lake.agree()
    assert lake.keys() == []
