"""Body mode: the handler on bytes that came with a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from penstock import NothingToDo, PermanentError, Result, TemporaryError
from penstock.errors import SourceChanged

from tests.lake import Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def _renditions(make_lake: MakeLake, **how: Any) -> Lake:
    return make_lake(
        sink="s3://processed/{rendition}/{key}", renditions={"one": {"times": "1"}, "two": {"times": "2"}}, **how
    )


def test_body_mode_gives_what_the_handler_returns(lake: Lake) -> None:
    result = lake.runtime.transform("a.txt", 3, "text/plain", {"times": "2"}, [b"on", b"e"])
    assert result == Result(b"ONEONE", content_type="text/plain", metadata={}, name="a.txt")


def test_body_mode_makes_the_rendition_that_is_asked_for(make_lake: MakeLake) -> None:
    lake = _renditions(make_lake)
    assert lake.runtime.transform("a", 2, "t/x", {"rendition": "two"}, [b"ab"]).body == b"ABAB"
    assert lake.runtime.transform("a", 2, "t/x", {}, [b"ab"]).body == b"AB"
    with pytest.raises(PermanentError, match="rendition 'big' is unknown; upper has: one, two"):
        lake.runtime.transform("a", 2, "t/x", {"rendition": "big"}, [b"ab"])


def test_nothing_to_do_is_an_error_of_its_own_in_body_mode(lake: Lake) -> None:
    with pytest.raises(NothingToDo):
        lake.runtime.transform("a", 4, "t/x", {}, [b"done"])


def test_changed_source_is_a_temporary_error() -> None:
    assert issubclass(SourceChanged, TemporaryError)
