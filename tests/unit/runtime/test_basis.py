"""What a refusal rests on, and whether that has changed."""

import pytest
from penstock.errors import InputTooLarge, UnsupportedInput
from penstock.runtime.basis import basis_of, holds
from penstock.types import Entry, Mark

MARK = Mark(state="s1", function="upper", options="o", source="digest")
FOREIGN = Entry("processed/a", etag="abc", mark=None)


def test_a_limit_is_named_and_holds_until_it_is_raised() -> None:
    basis = basis_of(InputTooLarge("too large"), None, MARK, 5)
    assert holds(basis, max_input_bytes=5, target_etag=None)
    assert not holds(basis, max_input_bytes=6, target_etag=None)


@pytest.mark.parametrize(("etag", "expected"), [("abc", True), ("abd", False), (None, False)])
def test_a_target_in_the_way_holds_until_it_is_changed_or_gone(etag: str | None, expected: bool) -> None:
    basis = basis_of(UnsupportedInput("foreign"), FOREIGN, MARK, 5)
    assert holds(basis, max_input_bytes=5, target_etag=etag) is expected


def test_a_refusal_for_the_source_alone_always_holds() -> None:
    basis = basis_of(UnsupportedInput("not a picture"), None, MARK, 5)
    assert basis == ""
    assert holds(basis, max_input_bytes=6, target_etag="abc")
