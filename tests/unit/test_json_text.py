"""Documents of handlers as JSON: what no JSON can hold is named by its place, and what it can hold is one line."""

import json
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.errors import HandlerError
from penstock.json_text import fault_in, mistake, to_line

from tests.sink_contract import WRONG

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé猫\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab"), _PLAIN, max_size=3))
def test_what_json_holds_is_one_line_that_reads_back(document: dict[str, object]) -> None:
    line = to_line(document)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == document


def test_members_are_in_order_of_their_names() -> None:
    assert to_line({"b": 1, "a": "é"}) == '{"a": "é", "b": 1}\n'.encode()


@pytest.mark.parametrize(("document", "expected"), WRONG.values(), ids=WRONG)
def test_what_json_cannot_hold_is_a_mistake_of_the_handler(document: dict[str, object], expected: str) -> None:
    with pytest.raises(HandlerError, match=expected):
        to_line(document)


def test_the_first_fault_is_named_by_its_place() -> None:
    assert fault_in({"a": [1, {"b": math.nan}], "c": math.inf}).startswith("a[1].b: nan is not a number of JSON")
    assert fault_in({"a": "\ud800"}).startswith("a: '\\ud800' has half of a surrogate pair")
    assert fault_in({1: 2}).startswith("the document: the name 1 is not text")  # type: ignore[dict-item]
    assert fault_in({"a": [1, "b", None, 2.5]}) == ""


def test_a_value_that_an_encoder_writes_is_not_blamed_for_another() -> None:
    document = {"a": date(2026, 1, 30), "b": {1}}
    assert "b: JSON has no values of type set" in str(mistake(document, TypeError("other words")))
    with pytest.raises(HandlerError, match="a: JSON has no values of type date"):
        to_line(document)


def test_a_long_place_is_cut() -> None:
    assert len(fault_in({"x" * 10_000: math.nan})) < 300


def test_the_encoders_words_are_told_where_no_fault_is_found() -> None:
    assert "too deep" in str(mistake({"a": 1}, RecursionError("too deep")))
    assert "a: nan" in str(mistake({"a": math.nan}, ValueError("other words")))
