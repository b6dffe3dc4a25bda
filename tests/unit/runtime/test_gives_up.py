"""A visit that gives up leaves nothing behind that the next one would not look for."""

from __future__ import annotations

import pytest
from penstock import TemporaryError
from penstock.types import ObjectRef

from tests.lake import Lake


def test_refusal_of_a_visit_that_was_overtaken_until_it_gave_up_is_taken_back(lake: Lake) -> None:
    lake.put(b"bad 0")
    later = iter([b"bad 1", b"bad 2", b"good"])

    def overtake(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT" and ref.key.startswith(".penstock/"):
            data = next(later)
            lake.put(data)
            if data == b"good":
                lake.before = None
                lake.agree()  # another worker is faster

    lake.before = overtake
    with pytest.raises(TemporaryError, match="kept changing"):
        lake.agree()
    assert lake.agree().kind == "processed"
    assert lake.keys() == ["a.txt"]
    assert lake.read() == b"GOOD"


def test_newer_refusal_in_the_place_of_its_own_is_made_again_at_redelivery(lake: Lake) -> None:
    lake.put(b"bad 0")
    later = iter([b"bad 1", b"bad 2", b"good"])

    def overtake(verb: str, ref: ObjectRef) -> None:
        if verb == "PUT" and ref.key.startswith(".penstock/"):
            lake.put(next(later))
        if verb == "DELETE" and ref.key.startswith(".penstock/"):
            lake.before = None
            lake.put(b"bad 3")
            lake.agree()

    lake.before = overtake
    with pytest.raises(TemporaryError, match="kept changing"):
        lake.agree()
    assert lake.agree().kind == "refused"  # not acknowledged, so it is delivered again
    state = lake.put(b"bad 3")
    assert [record["mark"]["state"] for record in lake.refusals()] == [state.token]
