"""What a reader asks for has an ETag of its own, and a stored target is given for exactly its state."""

from __future__ import annotations

import pytest
from penstock.errors import EventError, Forbidden, NothingToDo, TemporaryError, UnsupportedInput
from penstock.runtime.reading import Variant, check_readable, make, stored, variant_of
from penstock.types import ObjectRef

from tests.lake import SOURCE, TARGET, Lake


def variant(lake: Lake, **options: str) -> Variant:
    state = lake.state(SOURCE)
    assert state is not None
    return variant_of(lake.runtime, state, options)


def test_etag_changes_with_the_state_and_the_options_alone() -> None:
    lake = Lake()
    lake.put(b"one")
    first = variant(lake).etag
    assert variant(lake).etag == variant(lake, times="1").etag == first
    assert variant(lake, times="2").etag != first
    lake.put(b"one", metadata={"new": "1"})
    assert variant(lake).etag != first


def test_etag_of_a_rendition_is_its_own() -> None:
    lake = Lake(sink="s3://processed/{rendition}/{key}", renditions={"one": {}, "two": {}})
    lake.put(b"one")
    assert variant(lake, rendition="one").etag != variant(lake, rendition="two").etag
    with pytest.raises(EventError, match="rendition 'three' is unknown; upper has: one, two"):
        variant(lake, rendition="three")


def test_only_sources_are_read() -> None:
    lake = Lake()
    for ref in (TARGET, ObjectRef("upload", "folder/"), ObjectRef("upload", ".penstock/check")):
        with pytest.raises(Forbidden):
            check_readable(lake.runtime, ref)
    check_readable(lake.runtime, SOURCE)


def test_error_of_the_source_goes_before_what_the_handler_makes_of_it() -> None:
    lake = Lake()
    lake.put(b"one")

    def broken() -> object:
        yield b"o"
        raise TemporaryError("the connection broke")

    with pytest.raises(TemporaryError, match="the connection broke"):
        make(lake.runtime, variant(lake), broken())  # type: ignore[arg-type]


def test_target_is_written_once_and_given_for_its_own_state() -> None:
    lake = Lake()
    lake.put(b"one")
    old = variant(lake)
    for _ in range(2):
        state, chunks = stored(lake.runtime, old)
        assert (state.ref, b"".join(chunks)) == (TARGET, b"ONE")
    assert lake.agree().changed is False
    lake.put(b"two")
    assert b"".join(stored(lake.runtime, variant(lake))[1]) == b"TWO"
    with pytest.raises(TemporaryError, match="changed while it was read"):
        stored(lake.runtime, old)
    assert lake.read() == b"TWO"


@pytest.mark.parametrize(("data", "error"), [(b"bad", UnsupportedInput), (b"done", NothingToDo)])
def test_refusal_is_raised_as_it_was_first(data: bytes, error: type[Exception]) -> None:
    lake = Lake()
    lake.put(data)
    for _ in range(2):
        with pytest.raises(error, match=r"a\.txt"):
            stored(lake.runtime, variant(lake))


def test_job_that_makes_the_target_is_waited_for() -> None:
    lake = Lake(offload=lambda _source: "Job one", offload_above_bytes=1)
    lake.put(b"large")
    with pytest.raises(TemporaryError, match="a Job makes its target") as caught:
        stored(lake.runtime, variant(lake))
    assert caught.value.retry_after == 30
