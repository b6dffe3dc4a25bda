import pytest
from penstock import EventError
from penstock.testing import run

from .handler import handle


def test_lines_get_their_numbers() -> None:
    assert run(handle, b"one\ntwo\n").text == "1 one\n2 two\n"


def test_option_says_where_to_begin() -> None:
    assert run(handle, b"one\ntwo", first=10).text == "10 one\n11 two"


def test_number_below_zero_is_refused() -> None:
    with pytest.raises(EventError, match="option first='-1': expected a whole number of at least 0"):
        run(handle, b"", first=-1)
